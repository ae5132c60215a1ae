"""What the api takes and gives when thresholds are tried on the scores that are kept."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from services.api.protocol.parameters import MAX_MS
from services.api.schemas.streams import AsInSpec, Override
from shared.manifest import Label, Thresholds

MAX_FRAMES = 40_000
MAX_SHOWN = 200

ASKED: Final[dict[str, Any]] = {"thresholds": {"moved": {"enter": 0.8}}, "since_ms": 1753429688000}

FOUND: Final[dict[str, Any]] = {"started_at_ms": 1753430000125, "ended_at_ms": 1753430004375, "peak_score": 0.97}

GIVEN: Final[dict[str, Any]] = {
    "from_ms": 1753429688000,
    "until_ms": 1753430287875,
    "num_frames": 4800,
    "labels": {
        "moved": {
            "present": {
                "thresholds": {"enter": 0.5, "exit": 0.3, "min_seconds": 0.5, "merge_seconds": 1.0},
                "num_events": 2,
                "events": [{"started_at_ms": 1753429900000, "ended_at_ms": 1753429901000, "peak_score": 0.61}, FOUND],
            },
            "wanted": {
                "thresholds": {"enter": 0.8, "exit": 0.3, "min_seconds": 0.5, "merge_seconds": 1.0},
                "num_events": 1,
                "events": [FOUND],
            },
        }
    },
}


class PreviewAsked(BaseModel):
    """The thresholds to try."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, json_schema_extra={"examples": [ASKED]})

    thresholds: Annotated[dict[Label, Override], AsInSpec("thresholds")] = Field(
        description="all of the stream's, as a change takes them: per label, what differs from the model's manifest"
    )
    since_ms: int = Field(default=0, ge=0, le=MAX_MS, description="from this time on; default: as far as scores go")


class PreviewEvent(BaseModel):
    """An event that thresholds give."""

    started_at_ms: int
    ended_at_ms: int | None = Field(description="null: it is open at the last of the scores")
    peak_score: float


class PreviewSide(BaseModel):
    """What thresholds of a label give."""

    thresholds: Thresholds
    num_events: int
    events: list[PreviewEvent] = Field(description=f"oldest first; of more than {MAX_SHOWN} the newest")


class LabelPreview(BaseModel):
    """What a label's present thresholds give, and what the wanted ones would have given."""

    present: PreviewSide
    wanted: PreviewSide


class ThresholdsPreview(BaseModel):
    """The events that the scores of a time give by both thresholds, found by the tracker that finds all events."""

    model_config = ConfigDict(json_schema_extra={"examples": [GIVEN]})

    from_ms: int | None = Field(description="time of the first frame that was looked at; null: no scores are kept")
    until_ms: int | None = Field(description="time of the last one")
    num_frames: int = Field(description=f"looked at: the newest, {MAX_FRAMES} at most")
    labels: dict[str, LabelPreview] = Field(description="those for which thresholds are set, or would be")
