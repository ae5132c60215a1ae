"""What is kept of a stream's frames: their scores, and the newest picture."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from services.api.context import Context
from services.api.kept.frames import newest_frame
from services.api.openapi.docs import Responses, errors
from services.api.protocol.errors import ApiError
from services.api.protocol.parameters import MAX_MS, LabelsQuery, SinceMs, StreamIdPath, UntilMs
from services.api.schemas.history import ScorePage
from services.api.schemas.streams import StreamView

router = APIRouter(prefix="/v1/streams/{stream_id}", tags=["streams"])


class JsonStream(StreamingResponse):
    """JSON that is made while it is sent."""

    media_type = "application/json"


PAGE: Responses = {200: {"model": ScorePage}}
JPEG: Responses = {
    200: {
        "description": "The picture; `X-Captured-At-Ms` says when it was captured",
        "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/scores", responses=PAGE | errors(404, 503))
async def list_scores(
    stream_id: StreamIdPath,
    context: Context,
    since_ms: SinceMs = 0,
    until_ms: UntilMs = MAX_MS,
    label: LabelsQuery = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> Response:
    """Each frame's score per label, oldest first."""
    await run_in_threadpool(context.registry.get, stream_id)
    pieces = context.scores.page(stream_id, since_ms, until_ms, limit, label)
    return JsonStream(_from(await anext(pieces), pieces))


async def _from(first: bytes, others: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async with aclosing(others):
        async for piece in others:
            yield piece


@router.get("/snapshot.jpg", response_class=Response, responses=JPEG | errors(404, 503))
def show_snapshot(stream_id: StreamIdPath, context: Context) -> Response:
    """The newest frame, as the model gets to see it."""
    record = context.registry.get(stream_id)
    frame = newest_frame(context.client, stream_id)
    if frame is None or frame.jpeg is None:
        state = StreamView.of(record).state
        raise ApiError(404, "no_frame", f"no frame of stream {stream_id!r} is kept right now; its state is {state}")
    headers = {"Cache-Control": "no-store", "X-Captured-At-Ms": str(frame.captured_at_ms)}
    return Response(frame.jpeg, media_type="image/jpeg", headers=headers)
