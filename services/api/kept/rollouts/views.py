"""Rollouts as the api takes and shows them."""

from typing import Annotated, Any, Final, Self

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from services.api.kept.rollouts.judging import SHARE, age_within, verdict_on
from services.api.kept.rollouts.record import MAX_STREAMS, RolloutFigures, RolloutLimits, RolloutRecord, RolloutState
from shared.streams import Group

GroupPath = Annotated[Group, Path(examples=["north"])]
STARTED: Final[dict[str, Any]] = {"model": "door-events", "hours": 48, "max_events_ratio": 2}
SHOWN: Final[dict[str, Any]] = {
    "group": "north",
    "model": "door-events",
    "hours": 48,
    "max_false_ratio": 1.5,
    "max_events_ratio": 2,
    "max_latency_ratio": 2,
    "state": "returned",
    "verdict": "returned: events in all: 61 in 36.00 stream-hours, 9 in 36.00 before; allowed is 2 times the rate",
    "started_at_ms": 1753430000000,
    "switched_at_ms": 1753430060000,
    "ended_at_ms": 1753440921000,
    "num_streams": 12,
    "num_on_model": 0,
    "num_left": 1,
    "num_failed": 0,
    "failed": {},
    "before": {
        "events": 9,
        "wrong": 1,
        "stream_hours": 36.0,
        "num_ages": 144,
        "latency_p50_seconds": 0.14,
        "latency_p95_seconds": 0.24,
    },
    "after": {
        "events": 61,
        "wrong": 0,
        "stream_hours": 36.0,
        "num_ages": 25920,
        "latency_p50_seconds": 0.15,
        "latency_p95_seconds": 0.27,
    },
}


class RolloutWish(RolloutLimits):
    """A model to try on all streams of a group."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, json_schema_extra={"examples": [STARTED]})


class RolloutCourse(BaseModel):
    """What was seen with one of the models."""

    events: int = Field(description="that began, but for `offline`; at most a day's")
    wrong: int = Field(description="of these, as people have judged by now")
    stream_hours: float = Field(description="the time of which they are counted, over all streams")
    num_ages: int = Field(description="how often a live camera's newest frame that was looked at was asked for its age")
    latency_p50_seconds: float | None = Field(description="the median of these ages; null: there was no live camera")
    latency_p95_seconds: float | None

    @classmethod
    def of(cls, figures: RolloutFigures) -> Self:
        """The figures as they are shown."""
        median, most = (age_within(figures.ages, share) for share in (0.5, SHARE))
        return cls(
            events=figures.events,
            wrong=figures.wrong,
            stream_hours=round(figures.stream_hours, 4),
            num_ages=sum(figures.ages),
            latency_p50_seconds=None if median is None else round(median, 3),
            latency_p95_seconds=None if most is None else round(most, 3),
        )


class RolloutView(RolloutLimits):
    """How a model on trial stands."""

    model_config = ConfigDict(json_schema_extra={"examples": [SHOWN]})

    group: str
    state: RolloutState = Field(
        description="measuring, with the former models; switching; trying; then kept, or returning and returned"
    )
    verdict: str = Field(description="why it stands so, in words")
    started_at_ms: int
    switched_at_ms: int | None = Field(description="when the last stream was given the model; null: not yet")
    ended_at_ms: int | None
    num_streams: int = Field(description=f"that it is about, at most {MAX_STREAMS}: who had the model already is none")
    num_on_model: int = Field(description="that are to have it now")
    num_left: int = Field(description="left alone, as somebody else gave them another model, or removed them")
    num_failed: int = Field(description="that could not be given their former model")
    failed: dict[str, str] = Field(description="the first 20 of these, each with why")
    before: RolloutCourse
    after: RolloutCourse

    @classmethod
    def of(cls, record: RolloutRecord) -> Self:
        """The record as the api shows it."""
        shown = {"before", "after"} | {name for name in cls.model_fields if name not in RolloutRecord.model_fields}
        same = record.model_dump(include=cls.model_fields.keys() - shown)
        before, after = RolloutCourse.of(record.before), RolloutCourse.of(record.after)
        return cls(**same, before=before, after=after, verdict=verdict_on(record))


class RolloutStanding(BaseModel):
    """What the audit log tells of the end of one."""

    state: RolloutState

    @classmethod
    def of(cls, record: RolloutRecord) -> Self:
        """Of a record."""
        return cls(state=record.state)
