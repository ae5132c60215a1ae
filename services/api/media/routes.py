"""Pictures and clips of events, as files that browsers and players may ask for in parts."""

import logging
import re
from collections.abc import AsyncIterator
from email.utils import formatdate
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from services.api.context import ApiContext, Context
from services.api.media.places.place import CLIP, MediaFacts, MediaPlace, MediaUnavailable, kind_of, picture_name
from services.api.media.records import Kind
from services.api.openapi.docs import Responses, errors
from services.api.protocol.errors import ApiError, ErrorDetail, error_response
from services.api.protocol.parameters import EventIdPath, IsHead

CACHING = "private, no-cache"
"""A picture may give way to a better one, and all of it may go: so it is asked for again, by its ETag."""
RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
PART_BYTES: Final = 512 * 1024
"""What is held of a file for each who is shown it, and what a bucket is asked for at a time."""
NOBODY = "no recorder has heard of the event"

log = logging.getLogger(__name__)
router = APIRouter(prefix="/v1/events/{event_id}", tags=["events"])

KindPath = Annotated[
    Kind, Path(description="before: at the clip's start; opening: the event's first frame; peak: of its highest score")
]


def _file(kind: str) -> Responses:
    return {
        200: {"description": "The file", "content": {kind: {}}},
        206: {"description": "The part that `Range` asks for", "content": {kind: {}}},
        304: {"description": "The caller has it"},
        **errors(404, 416, 503),
    }


class PartedFile(StreamingResponse):
    """A file that ends early where its place goes away: the caller sees that, and may ask for the rest."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        try:
            await super().__call__(scope, receive, send)
        except MediaUnavailable as err:
            log.warning("a file was not shown to its end: %s", err)


@router.get("/pictures/{kind}.jpg", response_class=Response, responses=_file("image/jpeg"))
async def show_picture(
    event_id: EventIdPath, kind: KindPath, context: Context, request: Request, is_head: IsHead
) -> Response:
    """A picture of the event, as it travelled. Where there is none, the error says why."""
    facts = await _facts(context, event_id, picture_name(kind), f"picture {kind!r}")
    return await _answer(context.event_files, event_id, picture_name(kind), facts, request, is_head=is_head)


@router.get("/clip.mp4", response_class=Response, responses=_file("video/mp4"))
async def show_clip(event_id: EventIdPath, context: Context, request: Request, is_head: IsHead) -> Response:
    """The clip around the event's opening: H.264, each frame at its time of capture."""
    facts = await _facts(context, event_id, CLIP, "clip")
    return await _answer(context.event_files, event_id, CLIP, facts, request, is_head=is_head)


async def _facts(context: ApiContext, event_id: str, name: str, what: str) -> MediaFacts:
    try:
        return await context.event_files.facts(event_id, name)
    except FileNotFoundError:
        why = await run_in_threadpool(_why_not, context, event_id, what)
        raise ApiError(404, "media_missing", f"event {event_id!r}: {why}") from None


async def _answer(
    place: MediaPlace, event_id: str, name: str, facts: MediaFacts, request: Request, *, is_head: bool
) -> Response:
    headers = {"ETag": facts.etag, "Cache-Control": CACHING}
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if known & {"*", facts.etag}:
        return Response(status_code=304, headers=headers)
    asked = _asked_part(request, facts)
    first, end = asked or (0, facts.num_bytes)
    if first >= end and asked:
        detail = ErrorDetail(
            code="no_such_range", message=f"range: the file has {facts.num_bytes} bytes", field="range"
        )
        return error_response(416, detail, headers={"Content-Range": f"bytes */{facts.num_bytes}"})
    headers |= {"Accept-Ranges": "bytes", "Content-Length": str(end - first)}
    headers["Last-Modified"] = formatdate(facts.modified_at, usegmt=True)
    if asked:
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{facts.num_bytes}"
    is_empty = is_head or first == end
    begun = b"" if is_empty else await place.part(event_id, name, facts.etag, first, min(end, first + PART_BYTES))

    async def parts() -> AsyncIterator[bytes]:
        yield begun
        for at in range(first + PART_BYTES, 0 if is_empty else end, PART_BYTES):
            yield await place.part(event_id, name, facts.etag, at, min(end, at + PART_BYTES))

    return PartedFile(parts(), 206 if asked else 200, headers, kind_of(name))


def _asked_part(request: Request, facts: MediaFacts) -> tuple[int, int] | None:
    """The first byte that is asked for and the one after the last; None for all of them.

    A range that is none, or several, or of another version of the file, is none.
    """
    found = RANGE.fullmatch(request.headers.get("range", ""))
    first, last = found.groups() if found else ("", "")
    if not (first or last) or (first and last and int(first) > int(last)):
        return None
    if request.headers.get("if-range", facts.etag) != facts.etag:
        return None
    if not first:
        return max(0, facts.num_bytes - int(last)), facts.num_bytes
    return int(first), min(facts.num_bytes, int(last) + 1 if last else facts.num_bytes)


def _why_not(context: ApiContext, event_id: str, what: str) -> str:
    record = context.media.get([event_id]).get(event_id)
    if record is not None:
        return record.missing(what)
    context.desk.get(event_id)
    return NOBODY
