"""Events one by one: read with what people said of them, marked, kept, deleted. Every change is one script."""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import redis
from pydantic import ValidationError

from shared.errors import AfterimageError
from shared.events import Event
from shared.life.marks import MARKS_SUFFIX, EventMarks
from shared.store.client import replies_of, translated
from shared.store.keys import PartitionKeys
from shared.store.layout.known import layout_of
from shared.store.scripts import EVENTS, WRONG, Script, lua

MAX_KEPT: Final = 4096
"""Events of a partition that are kept; they have no lifetime."""
MAX_ATTEMPTS: Final = 8

MARK: Final = WRONG + EVENTS + lua("event_mark")
DELETE: Final = WRONG + EVENTS + lua("event_delete")


class EventUnknown(AfterimageError):
    """No event is kept under this id."""


class EventBusy(AfterimageError):
    """An event cannot be changed now: others change it at this moment, or too many are kept."""


class MarkedEvent(NamedTuple):
    """An event, and what people said of it."""

    event: Event
    marks: EventMarks


class EventDesk:
    """Events by id. Methods raise StoreUnavailable."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def find(self, event_ids: Iterable[str]) -> list[MarkedEvent]:
        """Those of the events that are there and can be read, in the given order."""
        return [marked for stored in self._stored(event_ids) if (marked := _parsed(*stored))]

    def get(self, event_id: str) -> MarkedEvent:
        """One event; raises EventUnknown."""
        found = self.find([event_id])
        if not found:
            raise EventUnknown(f"no event is kept under the id {event_id!r}")
        return found[0]

    def mark(self, event_id: str, change: Callable[[EventMarks], EventMarks]) -> MarkedEvent:
        """The event with its marks changed as they are at this moment; raises EventUnknown and EventBusy.

        It is told in the feed, once, and only where that changes anything.
        """
        keys, stream_id = self._keys(event_id)
        named = [keys.feed, keys.kept, keys.events(stream_id), keys.event_data(stream_id)]
        for _ in range(MAX_ATTEMPTS):
            [(text, seen)] = self._stored([event_id]) or [(b"", None)]
            if (found := _parsed(text, seen)) is None:
                break
            event, marks = found
            if (wanted := change(marks)) == marks:
                return found
            arguments = [event_id, seen or "", wanted.model_dump_json(), "1" if wanted.kept else ""]
            with translated():
                limits = [event.started_at_ms, MAX_KEPT, self._feed_entries()]
                outcome = Script(self._client, MARK)(named, [*arguments, *limits])
            if outcome == b"done":
                return MarkedEvent(event, wanted)
            if outcome == b"full":
                raise EventBusy(f"{MAX_KEPT} events beside this one are kept already, which is the most; let others go")
        else:
            raise EventBusy(f"event {event_id!r} is being changed by others at the same time; try again")
        raise EventUnknown(f"no event is kept under the id {event_id!r}")

    def delete(self, event_id: str) -> None:
        """Deletes an event, and tells so in the feed; raises EventUnknown."""
        keys, stream_id = self._keys(event_id)
        named = [keys.feed, keys.kept, keys.events(stream_id), keys.event_data(stream_id), keys.open]
        with translated():
            known = Script(self._client, DELETE)(named, [event_id, stream_id, self._feed_entries()])
        if not known:
            raise EventUnknown(f"no event is kept under the id {event_id!r}")

    def _stored(self, event_ids: Iterable[str]) -> list[tuple[bytes, bytes | None]]:
        """Of the events that are there, in one round trip: event and marks as stored."""
        pipeline = self._client.pipeline(transaction=False)
        for event_id in event_ids:
            keys, stream_id = self._keys(event_id)
            for place in (keys.event_data(stream_id), keys.kept):
                pipeline.hmget(place, [event_id, event_id + MARKS_SUFFIX])
        replies = [(None, None) if isinstance(reply, Exception) else tuple(reply) for reply in replies_of(pipeline)]
        pairs = zip(replies[::2], replies[1::2], strict=True)
        return [listed if listed[0] is not None else kept for listed, kept in pairs if (listed[0] or kept[0])]

    def _keys(self, event_id: str) -> tuple[PartitionKeys, str]:
        stream_id = event_id.partition(".")[0]
        return layout_of(self._client).keys_of(stream_id), stream_id

    def _feed_entries(self) -> int:
        return layout_of(self._client).feed_entries


def _parsed(event: bytes, marks: bytes | None) -> MarkedEvent | None:
    try:
        parsed = Event.model_validate_json(event)
        return MarkedEvent(parsed, EventMarks.model_validate_json(marks) if marks else EventMarks())
    except ValidationError:
        return None
