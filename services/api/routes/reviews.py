"""What each key has looked at, which is its own matter, and how much there is to look at."""

from collections import Counter
from dataclasses import replace
from typing import Final

from fastapi import APIRouter

from services.api.context import Context
from services.api.kept.selection import EventSearchOf
from services.api.openapi.docs import errors
from services.api.protocol.parameters import EventIdPath
from services.api.schemas.history import EventCounts, EventIds, ReviewedGiven
from services.api.security.access import CallerOf

BATCH: Final = 500
MAX_COUNTED: Final = 2_000

router = APIRouter(prefix="/v1/events", tags=["events"])


@router.get("/counts", responses=errors(404, 503))
def count_events(context: Context, found: EventSearchOf) -> EventCounts:
    """How many events the filters of `GET /v1/events` give, the newest 2,000 or so of them."""
    counts: Counter[str] = Counter()
    query, is_whole = replace(found.query, limit=BATCH), False
    while not is_whole and counts["all"] < MAX_COUNTED:
        events, place = context.history.events(found.stream_ids, query)
        counts["all"] += len(events)
        counts.update(marked.event.severity for marked in events)
        counts.update(marked.event.state for marked in events)
        query, is_whole = replace(query, after=place), place is None
    return EventCounts(alerts=counts["alert"], notices=counts["notice"], open=counts["open"], is_whole=is_whole)


@router.post("/reviewed", responses=errors(400, 413, 503))
def review_events(given: ReviewedGiven, context: Context, caller: CallerOf) -> EventIds:
    """Notes that the caller has reviewed some events, or takes it back; gives those of them that there are.

    Nobody else is told, and no other key sees it.
    """
    wanted = dict.fromkeys(given.event_ids)
    if caller.groups:
        seen = set(context.known.in_groups(caller.groups))
        wanted = dict.fromkeys(event_id for event_id in wanted if event_id.partition(".")[0] in seen)
    change = context.reviews.mark if given.reviewed else context.reviews.unmark
    return EventIds(event_ids=change(caller, wanted))


@router.put("/{event_id}/reviewed", status_code=204, responses=errors(404, 503))
def review_event(event_id: EventIdPath, context: Context, caller: CallerOf) -> None:
    """Notes that the caller has reviewed the event."""
    context.desk.get(event_id)
    context.reviews.mark(caller, [event_id])


@router.delete("/{event_id}/reviewed", status_code=204, responses=errors(404, 503))
def unreview_event(event_id: EventIdPath, context: Context, caller: CallerOf) -> None:
    """Takes it back."""
    context.desk.get(event_id)
    context.reviews.unmark(caller, [event_id])
