"""What the recorder asks of Redis beside frames and scores: events, streams, and how far inference has come."""

import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import redis

from services.api.media.records import stream_of
from shared.entries import EntryId
from shared.events import Event
from shared.life.event_desk import EventDesk
from shared.records import parsed_spec
from shared.store.client import replies_of, translated
from shared.store.layout.known import layout_of
from shared.streams import DEFAULT_FPS, Progress, StreamSpec
from shared.words.versions import VERSION_FIELD


class Surroundings:
    """Reads, each in one round trip. Methods raise StoreUnavailable."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._desk = EventDesk(client)

    def existing(self, event_ids: Iterable[str]) -> set[str]:
        """Those of the events that are there still, or where that cannot be told."""
        wanted = list(event_ids)
        found = zip(wanted, self._have(wanted, listed=True), self._have(wanted, listed=False), strict=True)
        return {event_id for event_id, *is_there in found if any(is_there)}

    def events(self, event_ids: Iterable[str]) -> dict[str, Event]:
        """The events as they are now; without those that are gone, or cannot be read."""
        return {marked.event.id: marked.event for marked in self._desk.find(event_ids)}

    def kept(self, event_ids: Iterable[str]) -> set[str]:
        """Those of the events that people keep, or where that cannot be told."""
        wanted = list(event_ids)
        found = zip(wanted, self._have(wanted, listed=False), strict=True)
        return {event_id for event_id, is_kept in found if is_kept}

    def heard(self, partition: int) -> str:
        """The last entry of a partition's feed that a recorder was done with."""
        with translated():
            entry_id: Any = self._client.get(layout_of(self._client).keys(partition).cursor("recorder"))
        return entry_id.decode() if entry_id else "0-0"

    def _have(self, event_ids: Iterable[str], *, listed: bool) -> list[Any]:
        """Whether each of the events is listed, or is one that people keep; an error where the key is damaged."""
        pipeline, layout = self._client.pipeline(transaction=False), layout_of(self._client)
        for event_id in event_ids:
            keys, stream_id = layout.keys_of(stream_of(event_id)), stream_of(event_id)
            pipeline.hexists(keys.event_data(stream_id) if listed else keys.kept, event_id)
        return replies_of(pipeline)

    def cursors(self, stream_ids: Iterable[str]) -> dict[str, EntryId]:
        """How far inference has come in streams; without those that are gone, or whose progress cannot be read."""
        wanted, layout = list(stream_ids), layout_of(self._client)
        pipeline = self._client.pipeline(transaction=False)
        for stream_id in wanted:
            pipeline.hget(layout.keys_of(stream_id).progress, stream_id)
        found: dict[str, EntryId] = {}
        for stream_id, text in zip(wanted, replies_of(pipeline), strict=True):
            with suppress(ValueError):
                if isinstance(text, bytes):
                    found[stream_id] = EntryId.parse(Progress.parse(text).cursor)
        return found

    def fps(self, stream_id: str) -> float:
        """How many frames of a stream are looked at a second."""
        pipeline = self._client.pipeline(transaction=False)
        pipeline.hget(layout_of(self._client).keys_of(stream_id).streams, stream_id)
        [text] = replies_of(pipeline)
        spec = parsed_spec(stream_id.encode(), text) if isinstance(text, bytes) else None
        return spec.fps if isinstance(spec, StreamSpec) else DEFAULT_FPS


def told_event(text: str) -> Event | None:
    """The event that an entry of the feed tells of, without what people said of it; None where it cannot be read."""
    try:
        told = json.loads(text)
        return Event.model_validate({name: told[name] for name in (*Event.model_fields, VERSION_FIELD) if name in told})
    except (ValueError, TypeError):
        return None
