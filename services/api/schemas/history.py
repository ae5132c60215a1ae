"""What the api gives of the past: events and scores, in pages."""

from pydantic import BaseModel, ConfigDict, Field

from services.api.schemas import examples
from shared.events import Event


class EventPage(BaseModel):
    """Events, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [examples.EVENT], "next": examples.CURSOR}]})

    items: list[Event]
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
