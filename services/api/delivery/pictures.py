"""The opening pictures of events, for those who are told of one while it happens."""

import asyncio
import json
import time
from typing import Final, NamedTuple

import redis

from services.api.delivery.outbox import Letter
from services.api.media.cutting.frames import frames_between
from services.api.media.places.place import MediaPlace, MediaUnavailable, picture_name
from services.api.media.records import MediaRecords
from shared.errors import StoreUnavailable
from shared.store.client import translated
from shared.store.layout.known import layout_of

WAIT_SECONDS: Final = 3.0
"""For a picture that may be to come: people had better be told without."""
LOOK_SECONDS: Final = 0.25
YOUNG_SECONDS: Final = 60.0
"""Of an event that was told of before, whatever is to come is there."""
NEAR_MS: Final = 1000
NONE: Final = "no picture of its opening was there"


class FoundPicture(NamedTuple):
    """A JPEG, or why there is none, though a recorder might have kept one."""

    jpeg: bytes
    why_not: str = ""


class Pictures:
    """Looks in the queue, where a recorder holds an event's frames while it happens, then where it puts files."""

    def __init__(self, client: redis.Redis, place: MediaPlace) -> None:
        self._client, self._place = client, place
        self._records = MediaRecords(client)

    async def opening(self, letter: Letter) -> FoundPicture:
        """That of a letter's event, which is waited for a moment where it may be to come."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                found, is_to_come = await asyncio.to_thread(self._look, letter)
            except (StoreUnavailable, MediaUnavailable):
                return FoundPicture(b"", "pictures cannot be read now")
            if found.jpeg or not is_to_come or time.monotonic() >= deadline:
                return found
            await asyncio.sleep(LOOK_SECONDS)

    def _look(self, letter: Letter) -> tuple[FoundPicture, bool]:
        """What there is, and whether more may come."""
        event = json.loads(letter.event)
        if jpeg := self._queued(letter.stream_id, event["started_at_ms"]) or self._kept(event["id"]):
            return FoundPicture(jpeg), False
        record = self._records.get([event["id"]]).get(event["id"])
        has_recorder = self._has_recorder(letter.stream_id)
        if record is None and not has_recorder:
            return FoundPicture(b""), False  # nobody expects one
        is_young = time.time() - letter.told_at_ms / 1000 < YOUNG_SECONDS
        is_under_way = record is None or (record.state == "recording" and not record.recorded_at_ms)
        why_not = record.reason if record and record.reason else NONE
        return FoundPicture(b"", why_not), is_young and is_under_way and has_recorder

    def _kept(self, event_id: str) -> bytes:
        try:
            return self._place.read(event_id, picture_name("opening"))
        except FileNotFoundError:
            return b""

    def _queued(self, stream_id: str, at_ms: int) -> bytes:
        frames = frames_between(self._client, stream_id, at_ms, at_ms + NEAR_MS)
        return next((frame.jpeg for frame in frames if frame.jpeg), b"")

    def _has_recorder(self, stream_id: str) -> bool:
        with translated():
            return bool(self._client.exists(layout_of(self._client).keys_of(stream_id).held))
