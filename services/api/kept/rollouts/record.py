"""A rollout as stored in Redis: what was asked for, where it stands, and what was measured."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.manifest import NAME
from shared.streams import Group, StreamId
from shared.words.versions import VersionedRecord

AGE_BOUNDS: Final = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 60.0, float("inf"))
"""Of the histograms of ages, in seconds."""
NO_AGES: Final = (0,) * len(AGE_BOUNDS)
MAX_STREAMS: Final = 1_000
"""In one rollout: what is measured of them is read at each look, and the record written."""
MAX_TOLD: Final = 20
"""Streams that could not be given their former model, of which it is said why."""
MAX_REASON: Final = 500

RolloutState = Literal["measuring", "switching", "trying", "kept", "returning", "returned"]
OVER: Final[frozenset[RolloutState]] = frozenset({"kept", "returned"})


class RolloutLimits(BaseModel):
    """The model, how long it is on trial, and by how much it may be worse than what was."""

    model: Annotated[str, Field(pattern=NAME.pattern)] = Field(description="a name of GET /v1/models")
    hours: float = Field(default=24, ge=0.05, le=720, description="from the switch on; then it is kept")
    max_false_ratio: float = Field(
        default=1.5,
        ge=0.1,
        le=1000,
        description="how many times as often events may be judged wrong, in an hour of a stream",
    )
    max_events_ratio: float | None = Field(
        default=3,
        ge=0.1,
        le=1000,
        description="how many times as many events there may be in such an hour, judged or not; null: not looked at",
    )
    max_latency_ratio: float = Field(
        default=2,
        ge=1,
        le=1000,
        description="how many times as old frames may be when they have been looked at (95th percentile; 0.25 s more "
        "are always allowed)",
    )


class RolloutStream(BaseModel):
    """A stream of a rollout as it was at the beginning."""

    model_config = ConfigDict(extra="allow", frozen=True)

    generation: int
    former: str
    """the model that it had"""
    created_at_ms: int
    said: str | None = None
    """why inference could not do what was asked before"""
    undated: bool = False
    """whether its frames' times are far from the clock, so that their age says nothing"""
    failed: bool = False
    """whether it could not be given its model back"""


class RolloutFigures(BaseModel):
    """What was measured with one of the models."""

    model_config = ConfigDict(extra="allow", frozen=True)

    events: int = 0
    wrong: int = 0
    stream_hours: float = 0.0
    ages: tuple[int, ...] = Field(default=NO_AGES, min_length=len(NO_AGES), max_length=len(NO_AGES))


class RolloutRecord(RolloutLimits, VersionedRecord):
    """A rollout. While it is under way `streams` holds those that it is about; afterwards only their number is left."""

    group: Group
    started_at_ms: int
    since_ms: int
    """when it came into its state"""
    state: RolloutState = "measuring"
    switched_at_ms: int | None = None
    ended_at_ms: int | None = None
    reason: str | None = Field(default=None, max_length=MAX_REASON)
    streams: dict[StreamId, RolloutStream] = Field(default_factory=dict, max_length=MAX_STREAMS)
    num_streams: int = 0
    num_on_model: int = 0
    num_left: int = 0
    """that were given another model by somebody else, or removed"""
    num_failed: int = 0
    failed: dict[StreamId, str] = Field(default_factory=dict, max_length=MAX_TOLD)
    """the first of them that could not be given their former model, each with why"""
    before: RolloutFigures = RolloutFigures()
    after: RolloutFigures = RolloutFigures()
    counted_at_ms: int = 0
    before_is_whole: bool = False
    """whether a whole day was counted before, so that it need not be again"""

    @property
    def is_over(self) -> bool:
        """Whether nothing more becomes of it."""
        return self.state in OVER

    def entering(self, state: RolloutState, now_ms: int, reason: str | None = None) -> "RolloutRecord":
        """The same in another state; its streams are forgotten where that is the last."""
        told = reason and reason[:MAX_REASON]
        changes = {"state": state, "since_ms": now_ms, "reason": told or self.reason}
        over = {"ended_at_ms": now_ms, "streams": {}} if state in OVER else {}
        return self.model_copy(update=changes | over)
