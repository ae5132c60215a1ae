"""What is known of an event's pictures and clip, as it lies in Redis beside the event."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import redis
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import Fenced
from shared.store.client import replies_of, translated
from shared.store.keys import MEDIA_BYTES, MEDIA_LIMIT
from shared.store.layout.known import layout_of
from shared.store.leases import OWNS, Lease
from shared.store.scripts import WRONG, Script, lua

HELD_SECONDS: Final = 30
"""Frames are held for a recorder that was heard of so lately."""
SETTLE: Final = OWNS + WRONG + lua("media_settle")


Kind = Literal["before", "opening", "peak"]


class KeptClip(BaseModel):
    """A clip that is kept. Frame i of it is shown `times.json`'s i-th time minus the first, to the millisecond."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    from_ms: int = Field(description="time of capture of its first frame")
    to_ms: int = Field(description="time of capture of its last frame")
    num_frames: int
    width: int = Field(description="in pixels")
    height: int = Field(description="in pixels")
    frames_missing: int = Field(description="lost before, gone from the queue, or not to be decoded")


class MediaRecord(BaseModel):
    """An event's pictures and clip: what there is, and why not all of it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    state: Literal["recording", "kept", "none", "removed"] = Field(
        description="recording: more is to come; kept: what there is, is whole; none: nothing could be recorded; "
        "removed: it was, and made room"
    )
    reason: str | None = Field(default=None, description="why there is nothing, or not all, in plain words")
    pictures: dict[Kind, int] = Field(default_factory=dict, description="which there are → time of capture in ms")
    clip: KeptClip | None = None
    recorded_at_ms: int = Field(default=0, description="by the clock, when its clip was cut")
    num_bytes: int = Field(default=0, description="of all its files")
    peak_score: float = Field(default=0, description="the label's score in the picture `peak`")

    def missing(self, what: str) -> str:
        """Why there is no such picture, or no clip."""
        if self.state == "recording":
            return f"the {what} is not there yet: {self.reason}" if self.reason else f"the {what} is not cut yet"
        return self.reason or f"no frame for the {what} was left"


def started_at_ms(event_id: str) -> int:
    """When an event opened, from its id."""
    return int(event_id.rpartition(".")[2])


def stream_of(event_id: str) -> str:
    """The stream of an event, from its id."""
    return event_id.partition(".")[0]


def parsed_record(text: object) -> MediaRecord | None:
    """A record as Redis holds it; None where there is none that can be read."""
    try:
        return MediaRecord.model_validate_json(text) if isinstance(text, bytes) else None
    except ValidationError:
        return None


class MediaRecords:
    """The records of all events. Methods raise StoreUnavailable; writes raise Fenced where the lease is lost."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._settle = Script(client, SETTLE)

    def get(self, event_ids: Iterable[str]) -> dict[str, MediaRecord]:
        """Those of the events that have one."""
        wanted, layout = list(event_ids), layout_of(self._client)
        pipeline = self._client.pipeline(transaction=False)
        for event_id in wanted:
            pipeline.hget(layout.keys_of(stream_of(event_id)).media, event_id)
        found = zip(wanted, map(parsed_record, replies_of(pipeline)), strict=True)
        return {event_id: record for event_id, record in found if record is not None}

    def of_partition(self, partition: int) -> dict[str, MediaRecord]:
        """All of a partition; what cannot be read, or is no event's, is left out."""
        with translated():
            stored: Any = self._client.hgetall(layout_of(self._client).keys(partition).media)
        parsed = {name.decode(errors="replace"): parsed_record(text) for name, text in stored.items()}
        known = {event_id: record for event_id, record in parsed.items() if record is not None}
        return {event_id: record for event_id, record in known.items() if event_id.rpartition(".")[2].isdecimal()}

    def settle(
        self,
        lease: Lease,
        records: Mapping[str, MediaRecord | None] | None = None,
        held: Mapping[str, str | None] | None = None,
        heard: str = "",
    ) -> None:
        """Writes records (None: forgets one) and from which entry on a stream's frames stay (None: as ever).

        A hold is only lifted where nothing lies in the feed after `heard`: an opening there would lose it.
        """
        keys = layout_of(self._client).keys(lease.partition)
        arguments: list[Any] = [str(lease), HELD_SECONDS * 1000, heard, len(records or {})]
        for event_id, record in (records or {}).items():
            arguments += [event_id, record.model_dump_json(exclude_defaults=True) if record else ""]
        for stream_id, entry_id in (held or {}).items():
            arguments += [stream_id, entry_id or ""]
        with translated():
            named = [*keys.ownership("recorder"), keys.held, keys.media, keys.feed, *map(keys.frames, held or {})]
            written = self._settle(named, arguments)
        if not written:
            raise Fenced(f"partition {lease.partition}: it is another recorder's")

    def held(self, partition: int) -> set[str]:
        """The streams whose frames are held."""
        with translated():
            names: Any = self._client.hkeys(layout_of(self._client).keys(partition).held)
        return {name.decode(errors="replace") for name in names} - {""}


class TotalBytes:
    """What all media takes, as every recorder says it of its own partitions. Methods raise StoreUnavailable."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._told: dict[int, int] = {}
        self._limit_told = 0

    def tell(self, used: Mapping[int, int], limit_bytes: int) -> None:
        """What partitions of this recorder take, and all of them may, where that has changed."""
        if limit_bytes != self._limit_told:
            with translated():
                self._client.set(MEDIA_LIMIT, limit_bytes)
            self._limit_told = limit_bytes
        news = {partition: num_bytes for partition, num_bytes in used.items() if self._told.get(partition) != num_bytes}
        if news:
            with translated():
                self._client.hset(MEDIA_BYTES, mapping={str(each): num_bytes for each, num_bytes in news.items()})
        self._told = dict(used)

    def of(self, used: Mapping[int, int]) -> int:
        """What these partitions take as told here, and all others as they were told last."""
        with translated():
            stored: Any = self._client.hgetall(MEDIA_BYTES)
        others = {int(each): int(num_bytes) for each, num_bytes in stored.items()}
        return sum((others | dict(used)).values())

    def told(self) -> tuple[int, int | None]:
        """What all take as they were told last, and what they may; None: no recorder has said."""
        with translated():
            limit: Any = self._client.get(MEDIA_LIMIT)
        return self.of({}), int(limit) if limit else None
