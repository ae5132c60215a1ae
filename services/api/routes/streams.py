"""Streams: try, register, replace, list, show, change, pause, remove."""

import logging
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.api.context import ApiContext, Context
from services.api.kept.selection import SelectionOf
from services.api.openapi.docs import errors, with_headers
from services.api.protocol.paging import cursor_of, parts_of
from services.api.protocol.parameters import Cursor, StreamIdPath, TextQuery
from services.api.protocol.preconditions import Preconditions, SeenOf, SeenOrNewOf, etag_of
from services.api.schemas.probes import ProbeCreate, ProbeView
from services.api.schemas.streams import (
    GroupList,
    GroupView,
    StreamChange,
    StreamCreate,
    StreamPage,
    StreamPut,
    StreamView,
)
from services.api.security.access import CallerOf
from services.api.security.audit import Changes, ChangesOf
from services.api.security.sight import check_groups
from shared.errors import StreamUnknown
from shared.records import StreamRecord
from shared.streams import StreamSpec, StreamState

CHANGED = "X-Changed"
ETAG = {"ETag": "version of what is asked of the stream, for `If-Match`; where it stands is no part of it"}
WHAT_CHANGED = {CHANGED: "names of the fields that are others than before, joined by commas"}
LOCATION = {"Location": "path of the stream"}
StatesQuery = Annotated[
    list[StreamState] | None, Query(alias="state", max_length=len(StreamState), description="in one of these states")
]

log = logging.getLogger(__name__)

router = APIRouter(prefix="/v1/streams", tags=["streams"])
groups = APIRouter(prefix="/v1/groups", tags=["streams"])


@router.post("/probe", responses=errors(400, 413, 429, 503))
async def probe_source(wanted: ProbeCreate, context: Context) -> ProbeView:
    """Has an ingest worker open a source, and says what it is, with its first picture, or why it gives none.

    That a source does not work is an answer like any other: 200 with `ok` false and the reason. One that gives no
    picture within 15 s does not work; where others are tried first, the answer takes up to 35 s.
    """
    return await context.prober.probe(wanted)


@router.post("", status_code=201, responses=with_headers(201, ETAG | LOCATION) | errors(400, 409, 413, 503))
def register_stream(
    wanted: StreamCreate, context: Context, caller: CallerOf, changes: ChangesOf, response: Response
) -> StreamView:
    """Registers a stream; ingest takes it up within about a second."""
    check_groups(caller, wanted.groups or ())
    stream_id = context.registrar.add(wanted)
    _log("registered", stream_id)
    response.headers["Location"] = _location(context, stream_id)
    registered = context.registry.get(stream_id)
    changes.note(None, registered.spec)
    return _shown(registered, response)


@router.get("", responses=errors(404, 503))
def list_streams(
    context: Context,
    caller: CallerOf,
    selection: SelectionOf,
    state: StatesQuery = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Cursor = None,
) -> StreamPage:
    """Streams in the order of their ids.

    Filters are joined by and; of one that is given several times, any will do, of `tag` all must.
    """
    after = parts_of(cursor, 1)[0] if cursor else ""
    following = sorted(each for each in selection.ids(caller, context.registry, context.known) if each > after)
    if state:
        return _in_states(context, following, set(state), limit)
    page = following[:limit]
    return StreamPage(
        items=[StreamView.of(record) for record in context.registry.records(page)],
        next=cursor_of(page[-1]) if len(following) > limit else None,
    )


@groups.get("", responses=errors(503))
def list_groups(
    context: Context, caller: CallerOf, text: TextQuery = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> GroupList:
    """The groups of the streams that the caller sees, the first of them by name."""
    known = context.known.all()
    ids = context.known.in_groups(caller.groups) if caller.groups else known
    counts = Counter(name for stream_id in ids if stream_id in known for name in known[stream_id].groups)
    names = sorted(name for name in counts if text is None or text.casefold() in name.casefold())
    return GroupList(items=[GroupView(name=name, num_streams=counts[name]) for name in names[:limit]])


@router.get("/{stream_id}", responses=with_headers(200, ETAG) | errors(404, 503))
def show_stream(stream_id: StreamIdPath, context: Context, response: Response) -> StreamView:
    """One stream: what was asked for and where it stands."""
    return _shown(context.registry.get(stream_id), response)


@router.put(
    "/{stream_id}",
    responses=with_headers(200, ETAG | WHAT_CHANGED)
    | with_headers(201, ETAG | WHAT_CHANGED | LOCATION, model=StreamView, description="Registered")
    | errors(400, 404, 409, 412, 413, 503),
)
def place_stream(
    stream_id: StreamIdPath,
    wanted: StreamPut,
    context: Context,
    caller: CallerOf,
    changes: ChangesOf,
    preconditions: SeenOrNewOf,
    response: Response,
    dry_run: Annotated[bool, Query(description="check everything, answer the same, and change nothing")] = False,
) -> StreamView:
    """Registers a stream, or replaces all that is asked of it; what is left out is set to its default.

    The same again changes nothing. What is kept of the stream stays; `base_ms` stays where it is left out, and moves
    forward with a new source. A `source` as it is shown stays what it is. `If-None-Match: *` registers only.
    """

    def check(seen: StreamSpec | None) -> None:
        if seen and not caller.sees(seen.groups):
            raise StreamUnknown(f"no stream has the id {stream_id!r}")
        check_groups(caller, wanted.groups or (), seen.groups if seen else ())
        preconditions.check(seen)

    placed = context.registrar.place(stream_id, wanted, check, dry_run=dry_run)
    response.headers[CHANGED] = ", ".join(placed.changed)
    is_new = placed.before is None
    if not dry_run and (is_new or placed.changed):
        changes.note(placed.before, placed.record.spec)
        _log("registered" if is_new else "replaced", stream_id)
    if is_new and not dry_run:
        response.status_code = 201
        response.headers["Location"] = _location(context, stream_id)
    return _shown(placed.record, response)


@router.patch("/{stream_id}", responses=with_headers(200, ETAG) | errors(400, 404, 409, 412, 413, 503))
def change_stream(
    stream_id: StreamIdPath,
    wanted: StreamChange,
    context: Context,
    caller: CallerOf,
    changes: ChangesOf,
    preconditions: SeenOf,
    response: Response,
) -> StreamView:
    """Changes what is given and keeps the rest; null sets a field back to its default.

    A new source goes on after the last frame of the old one: `base_ms` moves forward unless it is given. A model takes
    over with an empty memory once it is loaded; naming the model that is set takes up a new version of it.
    """

    def check(seen: StreamSpec) -> None:
        if "groups" in wanted.model_fields_set:
            check_groups(caller, wanted.groups or (), seen.groups)
        preconditions.check(seen)

    changed = context.registrar.change(stream_id, wanted, check)
    changes.note(changed.before, changed.record.spec)
    _log("changed", stream_id)
    return _shown(changed.record, response)


@router.post("/{stream_id}/pause", responses=with_headers(200, ETAG) | errors(404, 409, 412, 503))
def pause_stream(
    stream_id: StreamIdPath, context: Context, changes: ChangesOf, preconditions: SeenOf, response: Response
) -> StreamView:
    """Has ingest let go of the source, within about a second; all that is kept of the stream stays."""
    paused = _set_paused(context, stream_id, preconditions, changes, paused=True)
    _log("paused", stream_id)
    return _shown(paused, response)


@router.post("/{stream_id}/resume", responses=with_headers(200, ETAG) | errors(404, 409, 412, 503))
def resume_stream(
    stream_id: StreamIdPath, context: Context, changes: ChangesOf, preconditions: SeenOf, response: Response
) -> StreamView:
    """Has ingest take the source up again; a file goes on where it was left.

    The memory is reset as after any other gap, where the pause was longer than `reset_after_seconds`.
    """
    resumed = _set_paused(context, stream_id, preconditions, changes, paused=False)
    _log("resumed", stream_id)
    return _shown(resumed, response)


@router.post("/{stream_id}/forget", responses=with_headers(200, ETAG) | errors(404, 409, 503))
def forget_stream(stream_id: StreamIdPath, context: Context, response: Response) -> StreamView:
    """Empties the stream's memory: the view as it is becomes the usual one. Open events close (`forgotten`)."""
    forgetful = context.registrar.forget(stream_id)
    _log("forgets", stream_id)
    return _shown(forgetful, response)


@router.delete("/{stream_id}", status_code=204, responses=errors(404, 412, 503))
def remove_stream(stream_id: StreamIdPath, context: Context, changes: ChangesOf, preconditions: SeenOf) -> None:
    """Removes a stream with everything that is kept of it: frames, scores, events."""
    before = context.registry.remove(stream_id, preconditions.check)
    context.reviews.forget_stream(stream_id)
    changes.note(before, None)
    _log("removed", stream_id)


def _in_states(
    context: ApiContext, following: Sequence[str], states: Collection[StreamState], limit: int
) -> StreamPage:
    """A page of those that stand so; who does no more once it is read is left out."""
    standing = {each.id for each in context.standings.all() if each.state in states}
    left = [stream_id for stream_id in following if stream_id in standing]
    items: list[StreamView] = []
    while left and len(items) <= limit:
        batch, left = left[: limit + 1], left[limit + 1 :]
        items += [view for view in map(StreamView.of, context.registry.records(batch)) if view.state in states]
    return StreamPage(items=items[:limit], next=cursor_of(items[limit - 1].id) if len(items) > limit else None)


def _set_paused(
    context: ApiContext, stream_id: str, preconditions: Preconditions, changes: Changes, *, paused: bool
) -> StreamRecord:
    placed = context.registrar.change(stream_id, StreamChange(paused=paused), preconditions.check)
    changes.note(placed.before, placed.record.spec)
    return placed.record


def _location(context: ApiContext, stream_id: str) -> str:
    return f"{context.settings.api_root_path}{router.prefix}/{stream_id}"


def _shown(record: StreamRecord, response: Response) -> StreamView:
    response.headers["ETag"] = etag_of(record.spec)
    return StreamView.of(record)


def _log(what: str, stream_id: str) -> None:
    log.info("stream %s: %s", stream_id, what, extra={"stream_id": stream_id})
