"""What the api gives of the past: events and scores, in pages."""

from pydantic import BaseModel, ConfigDict, Field

from services.api.schemas import examples
from services.api.media.records import MediaRecord
from shared.events import Event


class EventView(Event):
    """An event, and what is kept of it beside."""

    model_config = ConfigDict(extra="ignore", json_schema_extra={"examples": [examples.EVENT]})

    media: MediaRecord | None = Field(default=None, description="its pictures and clip; null: nobody has recorded it")

    @classmethod
    def of(cls, event: Event, media: MediaRecord | None) -> "EventView":
        """The event as the api shows it."""
        return cls(**dict(event), media=media)


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
