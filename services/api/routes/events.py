"""Events: history in pages, one event, and the live feed."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, WebSocket
from fastapi.responses import StreamingResponse

from services.api.context import Context
from services.api.kept.history import EventQuery, Place
from services.api.live.feed import FeedFull
from services.api.live.position import Position
from services.api.live.subscription import FullResponse, LiveResponse, Wanted, follow_on_socket
from services.api.protocol.docs import Responses, errors
from services.api.protocol.door import address_of
from services.api.protocol.errors import ApiError
from services.api.protocol.paging import bad_cursor, cursor_of, parts_of
from services.api.protocol.parameters import MAX_MS, Cursor, LabelQuery, SinceMs, StreamIdQuery, UntilMs
from services.api.protocol.sockets import NO_PLACE, NOT_ALLOWED, Farewell, turn_away
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
ONE: Responses = {200: {"content": {"application/json": {"example": examples.EVENT}}}}

router = APIRouter(prefix="/v1/events", tags=["events"])


@router.get("", responses=errors(404, 422, 503))
def list_events(
    context: Context,
    stream_id: StreamIdQuery = None,
    label: LabelQuery = None,
    since_ms: SinceMs = 0,
    until_ms: UntilMs = MAX_MS,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Cursor = None,
) -> EventPage:
    """Events by start time, newest first; pages stay put while new events arrive."""
    stream_ids = [context.registry.get(stream_id).spec.id] if stream_id else context.registry.ids()
    query = EventQuery(since_ms, until_ms, limit, label, _place(cursor) if cursor else None)
    events, place = context.history.events(stream_ids, query)
    return EventPage(items=events, next=cursor_of(*place) if place else None)


@router.get("/live", response_class=StreamingResponse, responses=LIVE | errors(400, 422, 503))
async def follow_events(
    request: Request,
    context: Context,
    stream_id: StreamIdQuery = None,
    label: LabelQuery = None,
    last_event_id: Annotated[str | None, Header(description="the last id received: goes on right after it")] = None,
) -> StreamingResponse:
    """Server-sent events `opened` and `closed` as they happen; a comment every 15 s keeps the connection open.

    Where something between the last id received and the feed is gone, `gap` says since when events may have been
    missed; where there is no place for one more listener, `full` says so, and the connection ends.
    """
    position = _position(last_event_id) if last_event_id else None
    try:
        listener = await context.feed.join(position, address_of(request))
    except FeedFull as err:
        return FullResponse(str(err))
    return LiveResponse(context.feed, listener, Wanted(stream_id, label), context.metrics)


@router.websocket("/live")
async def follow_events_on_socket(
    socket: WebSocket,
    context: Context,
    stream_id: StreamIdQuery = None,
    label: LabelQuery = None,
    position: Annotated[str | None, Query(description="the last position received")] = None,
) -> None:
    """The same as messages `{"kind", "position", "data"?}`, where a heartbeat is of the kind `position`."""
    try:
        listener = await context.feed.join(_position(position) if position else None, address_of(socket))
    except (ApiError, FeedFull) as err:
        code = NO_PLACE if isinstance(err, FeedFull) else NOT_ALLOWED
        await turn_away(socket, Farewell(code, str(err)))
        return
    await follow_on_socket(socket, context.feed, listener, Wanted(stream_id, label))


@router.get("/{event_id}", responses=ONE | errors(404, 422, 503))
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
