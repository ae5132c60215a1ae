"""What the api gives of the past: events and scores, in pages."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from services.api.media.records import MediaRecord
from services.api.protocol.parameters import EVENT_ID_PATTERN
from services.api.schemas import examples
from shared.events import Event
from shared.life.event_desk import MarkedEvent
from shared.life.marks import Feedback, Judgement, Mark, Note, Who

MAX_TOGETHER: Final = 500
EventId = Annotated[str, Field(pattern=EVENT_ID_PATTERN)]


class EventView(Event):
    """An event, what people said of it, and what was recorded."""

    model_config = ConfigDict(extra="ignore", json_schema_extra={"examples": [examples.EVENT]})

    acknowledged: Mark | None = Field(default=None, description="who has seen it")
    feedback: Feedback | None = Field(default=None, description="whether it was right")
    kept: Mark | None = Field(default=None, description="who keeps it; it has no lifetime then")
    media: MediaRecord | None = Field(default=None, description="its pictures and clip; null: nobody has recorded it")

    @classmethod
    def of(cls, marked: MarkedEvent, media: MediaRecord | None) -> "EventView":
        """The event as the api shows it."""
        return cls.model_validate({**dict(marked.event), **dict(marked.marks), "media": media})


class ReviewedEvent(EventView):
    """The event as it is shown to who asks."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.LISTED]})

    reviewed: bool = Field(description="whether the caller's key has reviewed it")


class EventIds(BaseModel):
    """Some events by their ids."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"event_ids": [examples.EVENT["id"]]}]})

    event_ids: list[EventId] = Field(max_length=MAX_TOGETHER)


class ReviewedGiven(EventIds):
    """Whether the caller has reviewed some events."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        json_schema_extra={"examples": [{"event_ids": [examples.EVENT["id"]], "reviewed": True}]},
    )

    reviewed: bool = Field(default=True, description="false takes it back")


class EventCounts(BaseModel):
    """How many events there are."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"alerts": 12, "notices": 3, "open": 1, "is_whole": True}]}
    )

    alerts: int
    notices: int
    open: int = Field(description="of both")
    is_whole: bool = Field(description="false: only the newest are counted, 2,000 of them or so; there are more")


class LabelScore(BaseModel):
    """A frame's score of one label."""

    at_ms: int
    score: float


class EventDetail(ReviewedEvent):
    """An event, and why it fired."""

    model_config = ConfigDict(extra="ignore", json_schema_extra={"examples": [examples.WHY]})

    model_sha256: str | None = Field(default=None, description="of its model's weights, where these are still here")
    scores: list[LabelScore] = Field(
        description="its label's, oldest first: from 10 s before its start to 10 s after its end, at most 500; empty "
        "once they are not kept any more"
    )


class Said(BaseModel):
    """What people say of an event."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, json_schema_extra={"examples": [{"by": "Kim"}]})

    by: Who | None = Field(default=None, description="who says so; as usual, what the key is called")


class FeedbackGiven(Said):
    """Whether an event was right."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"verdict": "wrong", "note": "a cat", "by": "Kim"}]})

    verdict: Judgement = Field(description="right: it was one; wrong: it was none, or something else")
    note: Note = Field(default="", description="whatever helps")


class EventPage(BaseModel):
    """Events, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [examples.LISTED], "next": examples.CURSOR}]})

    items: list[ReviewedEvent]
    next: str | None = Field(
        description="cursor of the next page, null on the last; a page can hold fewer than `limit` before the last"
    )


class FrameScores(BaseModel):
    """One frame's scores."""

    at_ms: int
    scores: dict[str, float] = Field(description="label → probability")


class ScorePage(BaseModel):
    """Scores, oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.SCORES]})

    items: list[FrameScores]
    next_since_ms: int | None = Field(description="`since_ms` of the next page; null where nothing more is kept")
