"""What the recorder asks of Redis beside frames and scores: events, streams, and how far inference has come."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import redis
from pydantic import ValidationError

from services.api.media.records import stream_of
from shared.entries import EntryId
from shared.events import Event
from shared.records import parsed_spec
from shared.store.client import replies_of
from shared.store.keys import keys_of
from shared.streams import DEFAULT_FPS, Progress, StreamSpec


class Surroundings:
    """Reads, each in one round trip. Methods raise StoreUnavailable."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def existing(self, event_ids: Iterable[str]) -> set[str]:
        """Those of the events that are there still, or where that cannot be told."""
        wanted = list(event_ids)
        listed, kept = self._asked("hexists", wanted)
        found = zip(wanted, listed, kept, strict=True)
        return {event_id for event_id, is_listed, is_kept in found if is_listed or is_kept}

    def events(self, event_ids: Iterable[str]) -> dict[str, Event]:
        """The events as they are now; without those that are gone, or cannot be read."""
        wanted = list(event_ids)
        listed, kept = self._asked("hget", wanted)
        parsed = zip(wanted, map(parsed_event, listed), map(parsed_event, kept), strict=True)
        return {event_id: event for event_id, *found in parsed if (event := found[0] or found[1])}

    def kept(self, event_ids: Iterable[str]) -> set[str]:
        """Those of the events that people keep, or where that cannot be told."""
        wanted = list(event_ids)
        return {
            event_id for event_id, is_kept in zip(wanted, self._asked("hexists", wanted)[1], strict=True) if is_kept
        }

    def _asked(self, command: str, event_ids: Sequence[str]) -> tuple[list[Any], list[Any]]:
        """What a command says of events where they are listed, and where they are kept; an error for a damaged key."""
        pipeline: Any = self._client.pipeline(transaction=False)
        for event_id in event_ids:
            keys, stream_id = keys_of(stream_of(event_id)), stream_of(event_id)
            for key in (keys.event_data(stream_id), keys.kept):
                getattr(pipeline, command)(key, event_id)
        replies = replies_of(pipeline)
        return replies[::2], replies[1::2]

    def cursors(self, stream_ids: Iterable[str]) -> dict[str, EntryId]:
        """How far inference has come in streams; without those that are gone, or whose progress cannot be read."""
        wanted = list(stream_ids)
        pipeline = self._client.pipeline(transaction=False)
        for stream_id in wanted:
            pipeline.hget(keys_of(stream_id).progress, stream_id)
        found: dict[str, EntryId] = {}
        for stream_id, text in zip(wanted, replies_of(pipeline), strict=True):
            with suppress(ValueError):
                if isinstance(text, bytes):
                    found[stream_id] = EntryId.parse(Progress.parse(text).cursor)
        return found

    def fps(self, stream_id: str) -> float:
        """How many frames of a stream are looked at a second."""
        pipeline = self._client.pipeline(transaction=False)
        pipeline.hget(keys_of(stream_id).streams, stream_id)
        [text] = replies_of(pipeline)
        spec = parsed_spec(stream_id.encode(), text) if isinstance(text, bytes) else None
        return spec.fps if isinstance(spec, StreamSpec) else DEFAULT_FPS


def parsed_event(text: object) -> Event | None:
    """An event as Redis holds it; None where there is none that can be read."""
    try:
        return Event.model_validate_json(text) if isinstance(text, bytes) else None
    except ValidationError:
        return None
