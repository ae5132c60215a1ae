"""What the api gives of the past: events and scores, in pages."""

from pydantic import BaseModel, ConfigDict, Field

from services.api.media.records import MediaRecord
from services.api.schemas import examples
from shared.events import Event
from shared.life.event_desk import MarkedEvent
from shared.life.marks import Feedback, Judgement, Mark, Note, Who


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
        return cls(**dict(marked.event), **dict(marked.marks), media=media)


class LabelScore(BaseModel):
    """A frame's score of one label."""

    at_ms: int
    score: float


class EventDetail(EventView):
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

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [examples.EVENT], "next": examples.CURSOR}]})

    items: list[EventView]
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
