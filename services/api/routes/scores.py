"""What is kept of a stream's frames: their scores, and the newest picture."""

from collections.abc import Collection
from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.api.context import Context
from services.api.kept.frames import newest_frame
from services.api.protocol.docs import Responses, errors
from services.api.protocol.errors import ApiError
from services.api.protocol.parameters import MAX_MS, LabelsQuery, SinceMs, StreamIdPath, UntilMs
from services.api.schemas.history import FrameScores, ScorePage
from services.api.schemas.streams import StreamView

router = APIRouter(prefix="/v1/streams/{stream_id}", tags=["streams"])

JPEG: Responses = {
    200: {
        "description": "The picture; `X-Captured-At-Ms` says when it was captured",
        "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/scores", responses=errors(404, 503))
def list_scores(
    stream_id: StreamIdPath,
    context: Context,
    since_ms: SinceMs = 0,
    until_ms: UntilMs = MAX_MS,
    label: LabelsQuery = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> ScorePage:
    """Each frame's score per label, oldest first."""
    context.registry.get(stream_id)
    items, next_since_ms = context.history.scores(stream_id, since_ms, until_ms, limit)
    if label:
        items = [_of_labels(frame, label) for frame in items]
    return ScorePage(items=items, next_since_ms=next_since_ms)


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


def _of_labels(frame: FrameScores, labels: Collection[str]) -> FrameScores:
    return FrameScores(at_ms=frame.at_ms, scores={name: frame.scores[name] for name in labels if name in frame.scores})
