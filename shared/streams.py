"""A stream: what the user wants of it (spec), what the services say of it (status), how far it has come (progress)."""

import re
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.entries import EntryId
from shared.life.delivery_rules import DeliveryWish
from shared.manifest import NAME, Label, Manifest, Thresholds
from shared.words.sealed_text import SealedText
from shared.words.versions import VersionedRecord

STREAM_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
DEFAULT_FPS = 8.0
MIN_FPS = 0.01
DEFAULT_MODEL = "camera-events"
FIRST_CURSOR = "0-0"
PROGRESS = re.compile(
    "([0-9]{1,19}) ([0-9]{1,19}-[0-9]{1,19}) ([0-9]{1,19}) ([0-9]{1,19})(?: ([0-9]{1,19}-[0-9]{1,19}))?"
)
"""Within what Redis takes for an entry's id: one that it does not take would break off the reading of all streams."""

RtspTransport = Literal["tcp", "udp", "http", "https"]
"""How RTSP media travels; http and https carry RTSP itself too, as web pages that get through firewalls."""
StreamId = Annotated[str, Field(pattern=STREAM_ID_PATTERN)]
Group = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
"""What several streams have in common, such as a site; keys may be for some groups alone."""
Tag = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")]
"""A word that streams are found by: `outdoor`, `floor:2`."""


class ThresholdOverride(BaseModel):
    """The parts of a label's thresholds that one stream wants otherwise than the model's manifest."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    enter: float | None = Field(default=None, gt=0, lt=1)
    exit: float | None = Field(default=None, gt=0, lt=1)
    min_seconds: float | None = Field(default=None, ge=0, le=600)
    merge_seconds: float | None = Field(default=None, ge=0, le=600)

    @model_validator(mode="after")
    def _exit_below_enter(self) -> Self:
        if self.enter is not None and self.exit is not None and self.exit > self.enter:
            raise ValueError(f"exit {self.exit} must not be above enter {self.enter}")
        return self

    def applied_to(self, thresholds: Thresholds) -> Thresholds:
        """The manifest's thresholds with this override; a lone enter or exit pulls the other along."""
        wanted = {**thresholds.model_dump(), **self.model_dump(exclude_none=True)}
        if self.exit is None:
            wanted["exit"] = min(wanted["exit"], wanted["enter"])
        wanted["enter"] = max(wanted["enter"], wanted["exit"])
        return Thresholds(**wanted)


class StreamSpec(DeliveryWish, VersionedRecord):
    """A stream as the user wants it, as stored; `source` may hold credentials, so it never leaves unredacted.

    Its JSON is written and read with a Vault as the context: that seals the source, and opens it again.
    """

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    id: StreamId
    name: str = Field(min_length=1, max_length=200)
    groups: tuple[Group, ...] = Field(default=(), max_length=16)
    source: SealedText = Field(min_length=1, max_length=2048)
    fps: float = Field(default=DEFAULT_FPS, ge=MIN_FPS, le=60)
    fps_given: bool = Field(default=False, description="whether the user chose fps; otherwise it is the model's")
    model: str = Field(default=DEFAULT_MODEL, pattern=NAME.pattern)
    model_asks: int = Field(
        default=0, ge=0, description="how many changes named the model; each has inference look at its folder again"
    )
    forgets: int = Field(default=0, ge=0, description="how often the memory was to be emptied; inference follows")
    pace: Literal["live", "fast"] = "live"
    loop: bool = False
    thresholds: dict[Label, ThresholdOverride] = Field(default_factory=dict, max_length=256)
    reset_after_seconds: float = Field(default=10.0, gt=0, le=86_400)
    rtsp_transport: RtspTransport = "tcp"
    skip: Literal["none", "auto", "keyframes"] = Field(
        default="auto", description="pictures the decoder leaves out; auto: those that sampling does not need"
    )
    stall_seconds: float | None = Field(
        default=None,
        ge=1,
        le=3600,
        description="without a picture from a camera; None: ingest's setting, and by fps",
    )
    tags: tuple[Tag, ...] = Field(default=(), max_length=32)
    paused: bool = Field(default=False, description="ingest lets go of the source; what is kept of the stream stays")
    transport_short_side: int | None = Field(
        default=None,
        ge=192,
        le=720,
        description="pixels of the shorter side of its pictures in the queue, so of its events' media; None: ingest's "
        "setting",
    )
    offline_seconds: float = Field(
        default=30.0, ge=1, le=86_400, description="a camera that gives nothing for longer is away, which is an event"
    )
    base_ms: int = Field(
        ge=1, lt=1 << 50, description="wall-clock time of a file's first frame; frame ids count from it"
    )
    generation: int = Field(ge=1, description="changes when an id is registered anew")
    revision: int = Field(default=0, ge=0, description="how often it was replaced")
    created_at_ms: int

    def thresholds_for(self, manifest: Manifest) -> dict[str, Thresholds]:
        """Per label of the model: its thresholds, with this stream's overrides."""
        unchanged = ThresholdOverride()
        return {
            label: self.thresholds.get(label, unchanged).applied_to(manifest.thresholds_for(label))
            for label in manifest.labels
        }


class StreamState(StrEnum):
    """Where a stream stands; `pending` until ingest has taken it up."""

    PENDING = "pending"
    CONNECTING = "connecting"
    LIVE = "live"
    WAITING = "waiting"
    PAUSED = "paused"
    ENDED = "ended"
    FAILED = "failed"


class StreamStatus(VersionedRecord):
    """A stream as ingest sees it."""

    state: StreamState = StreamState.PENDING
    reason: str | None = Field(default=None, description="why, in plain words, never with credentials")
    generation: int = 0
    base_ms: int = 0
    epoch: int = Field(default=0, description="number of the current (re)connection of the source, from 1")
    last_frame_at_ms: int | None = None
    mark: str | None = Field(default=None, max_length=500, description="what was read of a source; ingest's own words")
    frames_dropped: int = Field(default=0, ge=0, description="lost before they reached the queue")
    next_attempt_at_ms: int | None = Field(default=None, description="when a source that failed is tried again")
    codec: str | None = Field(default=None, description="of the source, as FFmpeg names it")
    width: int | None = Field(default=None, description="of the source, in pixels")
    height: int | None = Field(default=None, description="of the source, in pixels")
    source_fps: float | None = None
    duration_seconds: float | None = Field(default=None, description="of a file; None for live sources")
    updated_at_ms: int = 0


class InferenceStatus(VersionedRecord):
    """A stream as inference sees it."""

    model: str | None = Field(default=None, description="name@hash8 that looks at the stream; None: none does")
    reason: str | None = Field(default=None, description="why it is not the model that the stream asks for")


class Progress(NamedTuple):
    """How far inference has come in a stream, written by each commit and compared by the next.

    `cursor` is the Redis id of the last entry passed, `sequence` the publishing number of the last frame passed;
    `sequence - frames_processed` frames were lost on the way (dropped from a full queue). After the entry `checkpoint`
    the stored memory was taken: those since are kept for whoever takes over.
    """

    generation: int
    cursor: str = FIRST_CURSOR
    sequence: int = 0
    frames_processed: int = 0
    checkpoint: str = FIRST_CURSOR

    def __str__(self) -> str:
        return f"{self.generation} {self.cursor} {self.sequence} {self.frames_processed} {self.checkpoint}"

    @classmethod
    def parse(cls, text: bytes | str) -> Self:
        """The inverse of `str`; raises ValueError on anything else. An earlier version names no checkpoint."""
        found = PROGRESS.fullmatch(text.decode() if isinstance(text, bytes) else text)
        if found is None:
            raise ValueError("is no progress")
        generation, cursor, sequence, processed, checkpoint = found.groups(FIRST_CURSOR)
        for entry_id in (cursor, checkpoint):
            EntryId.parse(entry_id)
        return cls(int(generation), cursor, int(sequence), int(processed), checkpoint)
