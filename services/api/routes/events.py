"""Events: history in pages, one event, and the live feed."""

from dataclasses import replace
from itertools import chain
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response, WebSocket
from fastapi.responses import StreamingResponse

from services.api.context import Context
from services.api.kept.export import KINDS, Format
from services.api.kept.history import Place
from services.api.kept.selection import EventSearchOf
from services.api.live.feed import FeedFull
from services.api.live.position import Position
from services.api.live.subscription import LiveResponse, Wanted, follow_on_socket
from services.api.openapi.docs import Responses, errors
from services.api.protocol.door import holder_of
from services.api.protocol.errors import ApiError
from services.api.protocol.later import LaterResponse
from services.api.protocol.paging import bad_cursor, cursor_of, parts_of
from services.api.protocol.parameters import Cursor, EventIdPath, IsHead, LabelsQuery, StreamIdsQuery
from services.api.protocol.sockets import NO_PLACE, NOT_ALLOWED, Farewell, turn_away
from services.api.schemas import examples
from services.api.schemas.history import EventDetail, EventPage, ReviewedEvent
from services.api.security.access import CallerOf
from services.api.security.sight import FeedSight

LIVE: Responses = {
    200: {
        "description": "Messages `opened`, `closed`, `updated` and `deleted` whose data is the event; without end",
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

router = APIRouter(prefix="/v1/events", tags=["events"])
sockets = APIRouter(prefix=router.prefix)


@router.get("", responses=errors(404, 503))
def list_events(
    context: Context,
    caller: CallerOf,
    found: EventSearchOf,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Cursor = None,
) -> EventPage:
    """Events by start time, newest first; pages stay put while new events arrive.

    Filters are joined by and; of one that is given several times, any will do, of `tag` all must.
    """
    query = replace(found.query, limit=limit, after=_place(cursor) if cursor else None)
    events, place = context.history.events(found.stream_ids, query)
    ids = [marked.event.id for marked in events]
    media, reviewed = context.media.get(ids), context.reviews.among(caller, ids)
    views = [
        ReviewedEvent(**dict(event), **dict(marks), media=media.get(event.id), reviewed=event.id in reviewed)
        for event, marks in events
    ]
    return EventPage(items=views, next=cursor_of(*place) if place else None)


@router.get("/export", response_class=StreamingResponse, responses=EXPORTED | errors(404, 503))
def export_events(
    context: Context, found: EventSearchOf, is_head: IsHead, form: Annotated[Format, Query(alias="format")] = "jsonl"
) -> Response:
    """Every event that fits, as a file: JSON lines and CSV newest first.

    `activitynet` is what `afterimage train --data` reads, with the media root as the folder of videos: of streams that
    play a file, by its path under the media root, the events that have ended and are not judged wrong, in seconds from
    its beginning, once each however often it was played. Cameras are not in it.
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
    request: Request,
    context: Context,
    caller: CallerOf,
    is_head: IsHead,
    stream_id: StreamIdsQuery = None,
    label: LabelsQuery = None,
    last_event_id: Annotated[str | None, Header(description="the last id received: goes on right after it")] = None,
) -> Response:
    """Server-sent events `opened` and `closed` as they happen, `updated` when people say something of an event or keep
    it, and `deleted`; a comment every 15 s keeps the connection open.

    Where something between the last id received and the feed is gone, `gap` says since when events may have been
    missed; where there is no place for one more listener, `full` says so, and the connection ends.
    """
    position = _position(last_event_id) if last_event_id else None
    if is_head:
        return Response(media_type=LiveResponse.media_type)
    try:
        listener = await context.feed.join(position, holder_of(request))
    except FeedFull as err:
        return LaterResponse(str(err))
    wanted = Wanted(stream_id, label, FeedSight(caller, context.doorkeeper))
    return LiveResponse(context.feed, listener, wanted, context.metrics)


@sockets.websocket("/live")
async def follow_events_on_socket(
    socket: WebSocket,
    context: Context,
    caller: CallerOf,
    stream_id: StreamIdsQuery = None,
    label: LabelsQuery = None,
    position: Annotated[str | None, Query(description="the last position received")] = None,
) -> None:
    """The same as messages `{"kind", "position", "data"?}`, where a heartbeat is of the kind `position`."""
    try:
        listener = await context.feed.join(_position(position) if position else None, holder_of(socket))
    except (ApiError, FeedFull) as err:
        code = NO_PLACE if isinstance(err, FeedFull) else NOT_ALLOWED
        await turn_away(socket, Farewell(code, str(err)))
        return
    wanted = Wanted(stream_id, label, FeedSight(caller, context.doorkeeper))
    await follow_on_socket(socket, context.feed, listener, wanted)


@router.get("/{event_id}", responses=errors(404, 503))
def show_event(event_id: EventIdPath, context: Context, caller: CallerOf) -> EventDetail:
    """One event, and why it fired: scores around it, its thresholds and model, frames missed, memory resets."""
    marked = context.desk.get(event_id)
    event = marked.event
    return EventDetail(
        **dict(event),
        **dict(marked.marks),
        media=context.media.get([event_id]).get(event_id),
        reviewed=bool(context.reviews.among(caller, [event_id])),
        model_sha256=context.catalog.sha256(event.model),
        scores=context.history.scores_around(event),
    )


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
