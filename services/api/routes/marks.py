"""What people say of an event, and whether they keep it; each change is told in the live feed."""

import logging
from typing import Annotated

from fastapi import APIRouter, Body

from services.api.context import Context
from services.api.protocol.docs import errors
from services.api.protocol.parameters import EventIdPath
from services.api.schemas.history import EventView, FeedbackGiven, Said
from shared.clock import now_ms
from shared.life.marks import Feedback, Mark

ERRORS = errors(400, 404, 409, 413, 422, 503)

log = logging.getLogger(__name__)

router = APIRouter(prefix="/v1/events/{event_id}", tags=["events"])

Speaker = Annotated[Said, Body()]
NOBODY = Said()


@router.post("/acknowledge", responses=ERRORS)
def acknowledge_event(event_id: EventIdPath, context: Context, said: Speaker = NOBODY) -> EventView:
    """Notes that somebody has seen the event; who was first stays."""
    mark = _mark(said)
    return context.shown(context.desk.mark(event_id, lambda marks: marks.with_acknowledged(mark)))


@router.put("/feedback", responses=ERRORS)
def judge_event(event_id: EventIdPath, given: FeedbackGiven, context: Context) -> EventView:
    """Marks the event right or wrong; the newest word stands."""
    feedback = Feedback(at_ms=now_ms(), **given.model_dump())
    return context.shown(context.desk.mark(event_id, lambda marks: marks.with_feedback(feedback)))


@router.delete("/feedback", responses=errors(404, 409, 422, 503))
def unjudge_event(event_id: EventIdPath, context: Context) -> EventView:
    """Takes the feedback back."""
    return context.shown(context.desk.mark(event_id, lambda marks: marks.with_feedback(None)))


@router.put("/keep", responses=ERRORS)
def keep_event(event_id: EventIdPath, context: Context, said: Speaker = NOBODY) -> EventView:
    """Keeps the event until its stream is removed; who was first stays."""
    mark = _mark(said)
    return context.shown(context.desk.mark(event_id, lambda marks: marks.with_kept(mark)))


@router.delete("/keep", responses=errors(404, 409, 422, 503))
def release_event(event_id: EventIdPath, context: Context) -> EventView:
    """Gives the event its lifetime back."""
    return context.shown(context.desk.mark(event_id, lambda marks: marks.with_kept(None)))


@router.delete("", status_code=204, responses=errors(404, 422, 503))
def delete_event(event_id: EventIdPath, context: Context) -> None:
    """Deletes the event; one that is open stays deleted when it closes."""
    context.desk.delete(event_id)
    log.info("event %s: deleted", event_id, extra={"stream_id": event_id.partition(".")[0]})


def _mark(said: Said) -> Mark:
    return Mark(at_ms=now_ms(), by=said.by)
