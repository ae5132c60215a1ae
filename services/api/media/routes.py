"""Pictures and clips of events, as files that browsers and players may ask for in parts."""

import re
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import FileResponse, Response

from services.api.context import ApiContext, Context
from services.api.media.folder import CLIP, picture_name
from services.api.media.records import Kind
from services.api.protocol.docs import Responses, errors
from services.api.protocol.errors import ApiError, ErrorDetail, error_response
from services.api.protocol.parameters import EventIdPath

CACHING = "private, no-cache"
"""A picture may give way to a better one, and all of it may go: so it is asked for again, by its ETag."""
RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
NOBODY = "no recorder has heard of the event"

router = APIRouter(prefix="/v1/events/{event_id}", tags=["events"])

KindPath = Annotated[
    Kind, Path(description="before: at the clip's start; opening: the event's first frame; peak: of its highest score")
]


def _file(kind: str) -> Responses:
    return {
        200: {"description": "The file", "content": {kind: {}}},
        206: {"description": "The part that `Range` asks for", "content": {kind: {}}},
        304: {"description": "The caller has it"},
        **errors(404, 416, 422, 503),
    }


@router.get("/pictures/{kind}.jpg", response_class=Response, responses=_file("image/jpeg"))
def show_picture(event_id: EventIdPath, kind: KindPath, context: Context, request: Request) -> Response:
    """A picture of the event, as it travelled. Where there is none, the error says why."""
    return _answer(context, event_id, picture_name(kind), f"picture {kind!r}", request)


@router.get("/clip.mp4", response_class=Response, responses=_file("video/mp4"))
def show_clip(event_id: EventIdPath, context: Context, request: Request) -> Response:
    """The clip around the event's opening: H.264, each frame at its time of capture."""
    return _answer(context, event_id, CLIP, "clip", request)


def _answer(context: ApiContext, event_id: str, name: str, what: str, request: Request) -> Response:
    path = context.event_files.file(event_id, name)
    try:
        told = path.stat()
    except FileNotFoundError:
        raise ApiError(404, "media_missing", f"event {event_id!r}: {_why_not(context, event_id, what)}") from None
    response = FileResponse(path, stat_result=told, headers={"Cache-Control": CACHING})
    etag = response.headers["etag"]
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if known & {"*", etag}:
        return Response(status_code=304, headers={"ETag": etag, "Cache-Control": CACHING})
    return _beyond(request, told.st_size) or response


def _beyond(request: Request, size: int) -> Response | None:
    """The answer to one who asks for a part that is not there; forgets a range that is none, or several."""
    found = RANGE.fullmatch(request.headers.get("range", ""))
    first, last = found.groups() if found else ("", "")
    if not (first or last) or (first and last and int(first) > int(last)):
        request.scope["headers"] = [each for each in request.scope["headers"] if each[0] != b"range"]
        return None
    if int(first or 0) < size and (first or int(last) > 0):
        return None
    detail = ErrorDetail(code="no_such_range", message=f"range: the file has {size} bytes", field="range")
    return error_response(416, detail, {"Content-Range": f"bytes */{size}"})


def _why_not(context: ApiContext, event_id: str, what: str) -> str:
    record = context.media.get([event_id]).get(event_id)
    if record is not None:
        return record.missing(what)
    context.desk.get(event_id)
    return NOBODY
