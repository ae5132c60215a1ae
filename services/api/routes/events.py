"""Events: history in pages, one event, and the live feed."""

from dataclasses import replace
from itertools import chain
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.responses import StreamingResponse

from services.api.context import Context
from services.api.kept.export import KINDS, Format
from services.api.kept.history import Place
from services.api.kept.selection import EventSearchOf
from services.api.live.position import Position
from services.api.live.subscription import LiveResponse, Wanted
from services.api.protocol.docs import Responses, errors
from services.api.protocol.errors import ApiError
from services.api.protocol.paging import bad_cursor, cursor_of, parts_of
from services.api.protocol.parameters import (
    Cursor,
    IsHead,
    LabelsQuery,
    StreamIdsQuery,
)
from services.api.schemas import examples
from services.api.schemas.history import EventPage
from shared.events import Event

EVENT_ID_PATTERN = r"^[A-Za-z0-9_-]{1,64}\.[a-z0-9_]{1,40}\.[0-9]{1,16}$"
LIVE: Responses = {
    200: {
        "description": "Messages `opened` and `closed` whose data is the event; without end",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": examples.LIVE}},
    }
}
EXPORTED: Responses = {
    200: {
        "description": "The file",
        "headers": {"Content-Disposition": {"schema": {"type": "string"}}},
        "content": {
            kind.media_type: {"schema": {"type": "object" if form == "activitynet" else "string"}}
            for form, kind in KINDS.items()
        },
    }
}
ONE: Responses = {200: {"content": {"application/json": {"example": examples.EVENT}}}}

router = APIRouter(prefix="/v1/events", tags=["events"])


@router.get("", responses=errors(404, 503))
def list_events(
    context: Context,
    found: EventSearchOf,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Cursor = None,
) -> EventPage:
    """Events by start time, newest first; pages stay put while new events arrive.

    Filters are joined by and; of one that is given several times, any will do, of `tag` all must.
    """
    query = replace(found.query, limit=limit, after=_place(cursor) if cursor else None)
    events, place = context.history.events(found.stream_ids, query)
    return EventPage(items=events, next=cursor_of(*place) if place else None)


@router.get("/export", response_class=StreamingResponse, responses=EXPORTED | errors(404, 503))
def export_events(
    context: Context, found: EventSearchOf, is_head: IsHead, form: Annotated[Format, Query(alias="format")] = "jsonl"
) -> Response:
    """Every event that fits, as a file: JSON lines and CSV newest first.

    `activitynet` is what `afterimage train --data` reads, with the media root as the folder of videos: events that have
    ended, of streams that play a file, by its path under the media root, in seconds from its beginning.
    """
    kind = KINDS[form]
    headers = {"Content-Disposition": f'attachment; filename="events.{kind.suffix}"'}
    if is_head:
        return Response(media_type=kind.media_type, headers=headers)
    text = context.exporter.export(form, found.stream_ids, found.query)
    first = next(text, "")  # while an error can still be told
    return StreamingResponse(chain([first], text), media_type=kind.media_type, headers=headers)


@router.get("/live", response_class=StreamingResponse, responses=LIVE | errors(400, 503))
async def follow_events(
    context: Context,
    is_head: IsHead,
    stream_id: StreamIdsQuery = None,
    label: LabelsQuery = None,
    last_event_id: Annotated[str | None, Header(description="the last id received: goes on right after it")] = None,
) -> Response:
    """Server-sent events `opened` and `closed` as they happen; a comment every 15 s keeps the connection open."""
    position = _position(last_event_id) if last_event_id else None
    if is_head:
        return Response(media_type=LiveResponse.media_type)
    listener = await context.feed.join(position)
    return LiveResponse(context.feed, listener, Wanted(stream_id, label), context.metrics)


@router.get("/{event_id}", responses=ONE | errors(404, 503))
def show_event(
    event_id: Annotated[str, Path(pattern=EVENT_ID_PATTERN, examples=[examples.EVENT["id"]])], context: Context
) -> Event:
    """One event."""
    event = context.history.event(event_id)
    if event is None:
        raise ApiError(404, "event_unknown", f"no event is kept under the id {event_id!r}")
    return event


def _place(cursor: str) -> Place:
    at_ms, event_id = parts_of(cursor, 2)
    if not (at_ms.isascii() and at_ms.isdecimal() and len(at_ms) <= 16):
        raise bad_cursor(cursor)
    return int(at_ms), event_id


def _position(text: str) -> Position:
    try:
        return Position.parse(text)
    except ValueError as err:
        problem = "Last-Event-ID: not a position of this feed; leave it out to listen from now on"
        raise ApiError(400, "bad_position", problem, field="Last-Event-ID", value=text) from err
