"""What is kept of a stream's frames: their scores, what thresholds make of these, and pictures."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from services.api.context import ApiContext, Context
from services.api.kept.frames import nearest_frame, newest_frame
from services.api.openapi.docs import Responses, errors
from services.api.protocol.errors import ApiError, refused
from services.api.protocol.parameters import MAX_MS, LabelsQuery, SinceMs, StreamIdPath, UntilMs
from services.api.schemas.history import ScorePage
from services.api.schemas.previews import PreviewAsked, ThresholdsPreview
from services.api.schemas.streams import StreamView
from shared.entries import Frame
from shared.manifest import Manifest
from shared.records import StreamRecord

router = APIRouter(prefix="/v1/streams/{stream_id}", tags=["streams"])


class JsonStream(StreamingResponse):
    """JSON that is made while it is sent."""

    media_type = "application/json"


AtMs = Annotated[int, Query(ge=0, le=MAX_MS, description="a time, in ms since 1970")]
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


@router.post("/thresholds/preview", responses=errors(400, 404, 409, 413, 503))
async def preview_thresholds(stream_id: StreamIdPath, wanted: PreviewAsked, context: Context) -> ThresholdsPreview:
    """Which events other thresholds would have given, beside those that the present ones give, over the kept scores.

    Both are found anew by the tracker that finds all events. Nothing is changed.
    """
    record = await run_in_threadpool(context.registry.get, stream_id)
    manifest = await run_in_threadpool(_manifest_of, record, context)
    if strangers := sorted(wanted.thresholds.keys() - set(manifest.labels)):
        known = ", ".join(manifest.labels)
        raise refused("thresholds", strangers[0], f"{manifest.name} has no label {strangers[0]!r}; it has: {known}")
    labels = [each for each in manifest.labels if each in wanted.thresholds or each in record.spec.thresholds]
    specs = (record.spec, record.spec.model_copy(update={"thresholds": wanted.thresholds}))
    present, new = ({label: spec.thresholds_for(manifest)[label] for label in labels} for spec in specs)
    return await context.previewer.preview(record.spec, present, new, wanted.since_ms)


@router.get("/frames.jpg", response_class=Response, responses=JPEG | errors(404, 503))
def show_frame(stream_id: StreamIdPath, context: Context, at_ms: AtMs) -> Response:
    """The frame nearest to a time, of those that are kept: `X-Captured-At-Ms` says how near.

    They are for `AFTERIMAGE_KEEP_FRAMES_SECONDS` (10), and longer where a recorder needs them.
    """
    return _picture(nearest_frame(context.client, stream_id, at_ms), context.registry.get(stream_id))


@router.get("/snapshot.jpg", response_class=Response, responses=JPEG | errors(404, 503))
def show_snapshot(stream_id: StreamIdPath, context: Context) -> Response:
    """The newest frame, as the model gets to see it."""
    return _picture(newest_frame(context.client, stream_id), context.registry.get(stream_id))


def _picture(frame: Frame | None, record: StreamRecord) -> Response:
    if frame is None or frame.jpeg is None:
        stream_id, state = record.spec.id, StreamView.of(record).state
        raise ApiError(404, "no_frame", f"no frame of stream {stream_id!r} is kept right now; its state is {state}")
    headers = {"Cache-Control": "no-store", "X-Captured-At-Ms": str(frame.captured_at_ms)}
    return Response(frame.jpeg, media_type="image/jpeg", headers=headers)


def _manifest_of(record: StreamRecord, context: ApiContext) -> Manifest:
    """Of the model that looks at a stream, or else of the one that it asks for."""
    if record.problem:
        raise ApiError(409, "unreadable", f"stream {record.spec.id!r} cannot be judged: {record.problem}")
    manifests = [model.manifest for model in context.catalog.models() if model.manifest]
    running = (each for each in manifests if each.reference == record.inference.model)
    asked_for = (each for each in manifests if each.name == record.spec.model)
    if (found := next(running, None) or next(asked_for, None)) is None:
        name = record.spec.model
        raise ApiError(409, "model_missing", f"the model {name!r} is not on the api's machine, so nor its thresholds")
    return found
