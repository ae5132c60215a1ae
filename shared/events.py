"""A temporal event: something that a label's scores say happened between two times in one stream."""

from typing import Literal

from pydantic import Field

from shared.life.delivery_rules import Severity
from shared.manifest import Thresholds
from shared.words.versions import VersionedRecord

CloseReason = Literal[
    "score",
    "gap",
    "source_ended",
    "source_changed",
    "model_changed",
    "state_lost",
    "forgotten",
    "stream_removed",
    "live",
]


class Event(VersionedRecord):
    """One event, open while it lasts. Times in ms are wall clock, or base time + presentation time for a file."""

    id: str = Field(description="derived from stream, label and start, so writing it again changes nothing")
    stream_id: str
    label: str
    state: Literal["open", "closed"]
    started_at_ms: int
    ended_at_ms: int | None = Field(
        description="time of the last frame above the exit threshold, or of the last frame at all where the former was "
        "lost with the state; None while open"
    )
    media_started_seconds: float = Field(description="the start as presentation time in the source")
    peak_score: float
    mean_score: float
    model: str | None = Field(
        description="name@first 8 hex digits of the weights' SHA-256; None: no model's, as `offline`"
    )
    epoch: int
    close_reason: CloseReason | None = Field(
        default=None,
        description="score: the score stayed away; gap: nothing was seen for longer than merge_seconds, or "
        "reset_after_seconds; source_ended, source_changed, model_changed: so it was; state_lost: what was stored of "
        "the stream is gone or cannot be read; forgotten: so it was asked for; stream_removed: told in the feed alone; "
        "live: the camera is there again; None while open",
    )
    frames_missed: int = Field(default=0, description="frames lost since the previous event of the stream")
    severity: Severity = Field(default="alert", description="what the stream said of the label when this was written")
    thresholds: Thresholds | None = Field(default=None, description="the label's, when this was written")
    memory_reset: str | None = Field(
        default=None, description="why the memory was reset since the previous event, if so; the words of close_reason"
    )


def event_id(stream_id: str, label: str, started_at_ms: int) -> str:
    """The id that this event has whenever and by whomever it is found."""
    return f"{stream_id}.{label}.{started_at_ms}"
