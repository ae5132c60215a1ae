"""Streams: register, list, show, change, remove."""

import logging
from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.api.context import Context
from services.api.protocol.docs import errors
from services.api.protocol.paging import cursor_of, parts_of
from services.api.protocol.parameters import Cursor, StreamIdPath
from services.api.schemas.streams import StreamChange, StreamCreate, StreamPage, StreamView
from services.api.security.access import CallerOf
from services.api.security.audit import ChangesOf
from services.api.security.sight import check_groups, visible

log = logging.getLogger(__name__)

router = APIRouter(prefix="/v1/streams", tags=["streams"])


@router.post("", status_code=201, responses=errors(400, 409, 413, 422, 503))
def register_stream(
    wanted: StreamCreate, context: Context, caller: CallerOf, changes: ChangesOf, response: Response
) -> StreamView:
    """Registers a stream; ingest takes it up within about a second."""
    check_groups(caller, wanted.groups or ())
    stream_id = context.registrar.add(wanted)
    _log("registered", stream_id)
    response.headers["Location"] = f"{context.settings.api_root_path}{router.prefix}/{stream_id}"
    registered = context.registry.get(stream_id)
    changes.note(None, registered.spec)
    return StreamView.of(registered)


@router.get("", responses=errors(422, 503))
def list_streams(
    context: Context, caller: CallerOf, limit: Annotated[int, Query(ge=1, le=1000)] = 100, cursor: Cursor = None
) -> StreamPage:
    """Streams in the order of their ids."""
    after = parts_of(cursor, 1)[0] if cursor else ""
    following = sorted(stream_id for stream_id in visible(caller, context.registry) if stream_id > after)
    page = following[:limit]
    return StreamPage(
        items=[StreamView.of(record) for record in context.registry.records(page)],
        next=cursor_of(page[-1]) if len(following) > limit else None,
    )


@router.get("/{stream_id}", responses=errors(404, 422, 503))
def show_stream(stream_id: StreamIdPath, context: Context) -> StreamView:
    """One stream: what was asked for and where it stands."""
    return StreamView.of(context.registry.get(stream_id))


@router.patch("/{stream_id}", responses=errors(400, 404, 409, 413, 422, 503))
def change_stream(
    stream_id: StreamIdPath, wanted: StreamChange, context: Context, caller: CallerOf, changes: ChangesOf
) -> StreamView:
    """Changes what is given and keeps the rest; null sets a field back to its default.

    A new source goes on after the last frame of the old one: `base_ms` moves forward unless it is given. A model takes
    over with an empty memory once it is loaded; naming the model that is set takes up a new version of it.
    """
    before = context.registry.get(stream_id).spec
    if "groups" in wanted.model_fields_set:
        check_groups(caller, wanted.groups or (), before.groups)
    changed = context.registrar.change(stream_id, wanted)
    changes.note(before, changed.spec)
    _log("changed", stream_id)
    return StreamView.of(changed)


@router.post("/{stream_id}/forget", responses=errors(404, 409, 422, 503))
def forget_stream(stream_id: StreamIdPath, context: Context) -> StreamView:
    """Empties the stream's memory: the view as it is becomes the usual one. Open events close (`forgotten`)."""
    forgetful = context.registrar.forget(stream_id)
    _log("forgets", stream_id)
    return StreamView.of(forgetful)


@router.delete("/{stream_id}", status_code=204, responses=errors(404, 422, 503))
def remove_stream(stream_id: StreamIdPath, context: Context, changes: ChangesOf) -> None:
    """Removes a stream with everything that is kept of it: frames, scores, events."""
    before = context.registry.get(stream_id).spec
    context.registry.remove(stream_id)
    changes.note(before, None)
    _log("removed", stream_id)


def _log(what: str, stream_id: str) -> None:
    log.info("stream %s: %s", stream_id, what, extra={"stream_id": stream_id})
