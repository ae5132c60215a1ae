"""How viewers are shown what they asked for: as multipart MJPEG over HTTP, or as binary messages of a WebSocket."""

import json
from collections.abc import AsyncGenerator
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from services.api.protocol.sockets import NOT_ALLOWED, RESTARTING, Farewell, converse
from services.api.security.sight import FeedSight
from services.api.tiles.reader import TileReader
from services.api.tiles.viewer import MAX_RATE, MAX_TILES, MIN_RATE, Tile, Viewer
from shared.errors import StoreUnavailable
from shared.streams import StreamId
from shared.words.validation import first_problem

IDLE_SECONDS: Final = 60.0
LENGTH_BYTES: Final = 4
BOUNDARY: Final = "frame"

Rate = Annotated[float, Field(ge=MIN_RATE, le=MAX_RATE)]


class TilesWanted(BaseModel):
    """What a client says: the streams that it wants to see from now on, and of each how many pictures a second."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    streams: dict[StreamId, Rate] = Field(max_length=MAX_TILES)


class MjpegResponse(StreamingResponse):
    """Streams a viewer's pictures until the client goes or may see no more, none comes for long, or the api stops."""

    media_type = f"multipart/x-mixed-replace; boundary={BOUNDARY}"

    def __init__(self, reader: TileReader, viewer: Viewer, sight: FeedSight) -> None:
        super().__init__(_parts(viewer, sight), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._reader = reader
        self._watcher = viewer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles the connection."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._reader.leave(self._watcher)


async def _parts(viewer: Viewer, sight: FeedSight) -> AsyncGenerator[bytes]:
    while tiles := await viewer.take(IDLE_SECONDS):
        for tile in tiles:
            try:
                if not await sight.sees(tile.stream_id):
                    return
            except StoreUnavailable:  # it ends: the client comes again
                return
            head = f"Content-Length: {len(tile.jpeg)}\r\nX-Captured-At-Ms: {tile.captured_at_ms}"
            yield f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n{head}\r\n\r\n".encode() + tile.jpeg + b"\r\n"


async def show_on_socket(socket: WebSocket, reader: TileReader, viewer: Viewer, sight: FeedSight) -> None:
    """Shows a WebSocket what it asks for, as far as that is there for it, until either side ends it."""

    def hear(text: str) -> None:
        try:
            wanted = TilesWanted.model_validate_json(text)
        except ValidationError as err:
            raise Farewell(NOT_ALLOWED, first_problem(err)) from err
        reader.show(viewer, wanted.streams)

    async def tell() -> None:
        while not viewer.closed:
            for tile in await viewer.take(IDLE_SECONDS):
                if await sight.sees(tile.stream_id):
                    await socket.send_bytes(message_of(tile))
        raise Farewell(RESTARTING, "the api is stopping")

    try:
        await converse(socket, hear, tell)
    finally:
        reader.leave(viewer)


def message_of(tile: Tile) -> bytes:
    """The length of the head (4 bytes, big-endian), the head as JSON, and the JPEG."""
    head = {
        "id": tile.stream_id,
        "at_ms": tile.captured_at_ms,
        "open": tile.open_labels,
        "scores_at_ms": tile.scores_at_ms,
        "scores": tile.scores,
    }
    text = json.dumps(head, separators=(",", ":")).encode()
    return len(text).to_bytes(LENGTH_BYTES, "big") + text + tile.jpeg
