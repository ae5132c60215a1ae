"""Streams as they are now."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, WebSocket
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from services.api.context import Context
from services.api.openapi.docs import Responses, errors
from services.api.protocol.door import holder_of
from services.api.protocol.errors import ApiError
from services.api.protocol.parameters import IsHead, StreamIdPath
from services.api.protocol.sockets import NO_PLACE, Farewell, turn_away
from services.api.security.access import CallerOf
from services.api.security.sight import FeedSight
from services.api.tiles.reader import TilesFull
from services.api.tiles.showing import MjpegResponse, show_on_socket
from services.api.tiles.viewer import MAX_RATE, MIN_RATE

router = APIRouter(prefix="/v1", tags=["streams"])
sockets = APIRouter(prefix=router.prefix)

MJPEG: Responses = {
    200: {
        "description": "One picture after the other, each with `X-Captured-At-Ms`; without end",
        "content": {"multipart/x-mixed-replace": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/streams/{stream_id}/live.mjpeg", response_class=StreamingResponse, responses=MJPEG | errors(404, 503))
async def watch_stream(
    stream_id: StreamIdPath,
    request: Request,
    context: Context,
    caller: CallerOf,
    is_head: IsHead,
    fps: Annotated[float, Query(ge=MIN_RATE, le=MAX_RATE, description="pictures a second at most")] = 8.0,
) -> Response:
    """The stream's newest pictures, as the model gets to see them; who is slow misses some. Ends where none comes for a
    minute.
    """
    await run_in_threadpool(context.registry.get, stream_id)
    if is_head:
        return Response(media_type=MjpegResponse.media_type)
    try:
        viewer = context.tiles.join(holder_of(request))
    except TilesFull as err:
        raise ApiError(503, "tiles_full", str(err)) from err
    context.tiles.show(viewer, {stream_id: fps})
    return MjpegResponse(context.tiles, viewer, FeedSight(caller, context.doorkeeper))


@sockets.websocket("/live")
async def watch_streams(socket: WebSocket, context: Context, caller: CallerOf) -> None:
    """Many streams on one connection. The client says `{"streams": {"front-door": 5}}`, pictures a second by stream id,
    as often as it likes; each picture comes as a message of its own.
    """
    try:
        viewer = context.tiles.join(holder_of(socket))
    except TilesFull as err:
        await turn_away(socket, Farewell(NO_PLACE, str(err)))
        return
    await show_on_socket(socket, context.tiles, viewer, FeedSight(caller, context.doorkeeper))
