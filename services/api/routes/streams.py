"""Streams: register, replace, list, show, change, pause, remove."""

import logging
from collections.abc import Collection, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.api.context import Context
from services.api.kept.selection import SelectionOf
from services.api.protocol.docs import errors, with_headers
from services.api.protocol.paging import cursor_of, parts_of
from services.api.protocol.parameters import Cursor, StreamIdPath
from services.api.protocol.preconditions import SeenOf, SeenOrNewOf, etag_of
from services.api.schemas.streams import StreamChange, StreamCreate, StreamPage, StreamPut, StreamView
from shared.records import StreamRecord
from shared.streams import StreamState

BATCH = 1000
CHANGED = "X-Changed"
ETAG = {"ETag": "version of what is asked of the stream, for `If-Match`; where it stands is no part of it"}
WHAT_CHANGED = {CHANGED: "names of the fields that are others than before, joined by commas"}
LOCATION = {"Location": "path of the stream"}
StatesQuery = Annotated[
    list[StreamState] | None, Query(alias="state", max_length=len(StreamState), description="in one of these states")
]

log = logging.getLogger(__name__)

router = APIRouter(prefix="/v1/streams", tags=["streams"])


@router.post("", status_code=201, responses=with_headers(201, ETAG | LOCATION) | errors(400, 409, 413, 503))
def register_stream(wanted: StreamCreate, context: Context, response: Response) -> StreamView:
    """Registers a stream; ingest takes it up within about a second."""
    stream_id = context.registrar.add(wanted)
    _log("registered", stream_id)
    response.headers["Location"] = f"{router.prefix}/{stream_id}"
    return _shown(context.registry.get(stream_id), response)


@router.get("", responses=errors(404, 503))
def list_streams(
    context: Context,
    selection: SelectionOf,
    state: StatesQuery = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Cursor = None,
) -> StreamPage:
    """Streams in the order of their ids.

    Filters are joined by and; of one that is given several times, any will do, of `tag` all must.
    """
    after = parts_of(cursor, 1)[0] if cursor else ""
    following = sorted(stream_id for stream_id in selection.ids(context.registry) if stream_id > after)
    if state:
        return _in_states(context, following, set(state), limit)
    page = following[:limit]
    return StreamPage(
        items=[StreamView.of(record) for record in context.registry.records(page)],
        next=cursor_of(page[-1]) if len(following) > limit else None,
    )


@router.get("/{stream_id}", responses=with_headers(200, ETAG) | errors(404, 503))
def show_stream(stream_id: StreamIdPath, context: Context, response: Response) -> StreamView:
    """One stream: what was asked for and where it stands."""
    return _shown(context.registry.get(stream_id), response)


@router.put(
    "/{stream_id}",
    responses=with_headers(200, ETAG | WHAT_CHANGED)
    | with_headers(201, ETAG | WHAT_CHANGED | LOCATION, model=StreamView, description="Registered")
    | errors(400, 409, 412, 413, 503),
)
def place_stream(
    stream_id: StreamIdPath,
    wanted: StreamPut,
    context: Context,
    preconditions: SeenOrNewOf,
    response: Response,
    dry_run: Annotated[bool, Query(description="check everything, answer the same, and change nothing")] = False,
) -> StreamView:
    """Registers a stream, or replaces all that is asked of it; what is left out is set to its default.

    The same again changes nothing. What is kept of the stream stays; `base_ms` stays where it is left out, and moves
    forward with a new source. A `source` as it is shown stays what it is. `If-None-Match: *` registers only.
    """
    placed = context.registrar.place(stream_id, wanted, preconditions, dry_run=dry_run)
    response.headers[CHANGED] = ", ".join(placed.changed)
    if not dry_run and (placed.is_new or placed.changed):
        _log("registered" if placed.is_new else "replaced", stream_id)
    if placed.is_new and not dry_run:
        response.status_code = 201
        response.headers["Location"] = f"{router.prefix}/{stream_id}"
    return _shown(placed.record, response)


@router.patch("/{stream_id}", responses=with_headers(200, ETAG) | errors(400, 404, 409, 412, 413, 503))
def change_stream(
    stream_id: StreamIdPath,
    wanted: StreamChange,
    context: Context,
    preconditions: SeenOf,
    response: Response,
) -> StreamView:
    """Changes what is given and keeps the rest; null sets a field back to its default.

    A new source goes on after the last frame of the old one: `base_ms` moves forward unless it is given. A model takes
    over with an empty memory once it is loaded; naming the model that is set takes up a new version of it.
    """
    changed = context.registrar.change(stream_id, wanted, preconditions)
    _log("changed", stream_id)
    return _shown(changed, response)


@router.post("/{stream_id}/pause", responses=with_headers(200, ETAG) | errors(404, 409, 412, 503))
def pause_stream(stream_id: StreamIdPath, context: Context, preconditions: SeenOf, response: Response) -> StreamView:
    """Has ingest let go of the source, within about a second; all that is kept of the stream stays."""
    paused = context.registrar.change(stream_id, StreamChange(paused=True), preconditions)
    _log("paused", stream_id)
    return _shown(paused, response)


@router.post("/{stream_id}/resume", responses=with_headers(200, ETAG) | errors(404, 409, 412, 503))
def resume_stream(stream_id: StreamIdPath, context: Context, preconditions: SeenOf, response: Response) -> StreamView:
    """Has ingest take the source up again; a file goes on where it was left.

    The memory is reset as after any other gap, where the pause was longer than `reset_after_seconds`.
    """
    resumed = context.registrar.change(stream_id, StreamChange(paused=False), preconditions)
    _log("resumed", stream_id)
    return _shown(resumed, response)


@router.delete("/{stream_id}", status_code=204, responses=errors(404, 412, 503))
def remove_stream(stream_id: StreamIdPath, context: Context, preconditions: SeenOf) -> None:
    """Removes a stream with everything that is kept of it: frames, scores, events."""
    preconditions.check(context.registry.get(stream_id).spec)
    context.registry.remove(stream_id)
    _log("removed", stream_id)


def _in_states(context: Context, following: Sequence[str], states: Collection[StreamState], limit: int) -> StreamPage:
    """A page of those that stand so, which only their records tell."""
    items: list[StreamView] = []
    for start in range(0, len(following), BATCH):
        batch = following[start : start + BATCH]
        items += [view for view in map(StreamView.of, context.registry.records(batch)) if view.state in states]
        if len(items) > limit:
            return StreamPage(items=items[:limit], next=cursor_of(items[limit - 1].id))
    return StreamPage(items=items, next=None)


def _shown(record: StreamRecord, response: Response) -> StreamView:
    response.headers["ETag"] = etag_of(record.spec)
    return StreamView.of(record)


def _log(what: str, stream_id: str) -> None:
    log.info("stream %s: %s", stream_id, what, extra={"stream_id": stream_id})
