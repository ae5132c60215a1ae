"""What people say of an event, and whether they keep it; each change is told in the live feed."""

import logging
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Body

from services.api.context import Context
from services.api.openapi.docs import errors
from services.api.protocol.parameters import EventIdPath
from services.api.schemas.history import EventView, FeedbackGiven, Said
from services.api.security.access import CallerOf
from services.api.security.audit import Changes, ChangesOf
from services.api.security.keys import Caller
from shared.clock import now_ms
from shared.life.marks import EventMarks, Feedback, Mark

ERRORS = errors(400, 404, 409, 413, 503)

log = logging.getLogger(__name__)

router = APIRouter(prefix="/v1/events/{event_id}", tags=["events"])

Speaker = Annotated[Said, Body()]
NOBODY = Said()


@router.post("/acknowledge", responses=ERRORS)
def acknowledge_event(
    event_id: EventIdPath, context: Context, caller: CallerOf, changes: ChangesOf, said: Speaker = NOBODY
) -> EventView:
    """Notes that somebody has seen the event; who was first stays."""
    mark = Mark(at_ms=now_ms(), by=said.by or _name(caller))
    return _changed(context, changes, event_id, lambda marks: marks.with_acknowledged(mark))


@router.put("/feedback", responses=ERRORS)
def judge_event(
    event_id: EventIdPath, given: FeedbackGiven, context: Context, caller: CallerOf, changes: ChangesOf
) -> EventView:
    """Marks the event right or wrong; the newest word stands."""
    feedback = Feedback(at_ms=now_ms(), **given.model_dump(exclude={"by"}), by=given.by or _name(caller))
    return _changed(context, changes, event_id, lambda marks: marks.with_feedback(feedback))


@router.delete("/feedback", responses=errors(404, 409, 503))
def unjudge_event(event_id: EventIdPath, context: Context, changes: ChangesOf) -> EventView:
    """Takes the feedback back."""
    return _changed(context, changes, event_id, lambda marks: marks.with_feedback(None))


@router.put("/keep", responses=ERRORS)
def keep_event(
    event_id: EventIdPath, context: Context, caller: CallerOf, changes: ChangesOf, said: Speaker = NOBODY
) -> EventView:
    """Keeps the event until its stream is removed; who was first stays."""
    mark = Mark(at_ms=now_ms(), by=said.by or _name(caller))
    return _changed(context, changes, event_id, lambda marks: marks.with_kept(mark))


@router.delete("/keep", responses=errors(404, 409, 503))
def release_event(event_id: EventIdPath, context: Context, changes: ChangesOf) -> EventView:
    """Gives the event its lifetime back."""
    return _changed(context, changes, event_id, lambda marks: marks.with_kept(None))


@router.delete("", status_code=204, responses=errors(404, 503))
def delete_event(event_id: EventIdPath, context: Context, changes: ChangesOf) -> None:
    """Deletes the event; one that is open stays deleted when it closes."""
    changes.note(context.desk.get(event_id).event, None)
    context.desk.delete(event_id)
    context.reviews.forget_event(event_id)
    log.info("event %s: deleted", event_id, extra={"stream_id": event_id.partition(".")[0]})


def _changed(
    context: Context, changes: Changes, event_id: str, change: Callable[[EventMarks], EventMarks]
) -> EventView:
    before = context.desk.get(event_id).marks
    marked = context.desk.mark(event_id, change)
    changes.note(before, marked.marks)
    return context.shown(marked)


def _name(caller: Caller) -> str | None:
    """What the caller's key is called."""
    return caller.name if caller.key_id else None
