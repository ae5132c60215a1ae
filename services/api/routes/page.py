"""The web page, from the files in `page/`: everybody may have them, and they ask the api as any client does.

They are sent as they lie there, but for comments and indentation, and compressed once, not at every request.
"""

import gzip
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.datastructures import Headers
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

OWN: Final = Path(__file__).resolve().parents[1] / "page"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FRESH: Final = {"Cache-Control": "no-cache"}
"""Asked for again each time, and answered by a 304 where nothing has changed: no page of two versions."""
LEFT_OUT: Final = re.compile(r"(?ms)^\s*/\*.*?\*/\s*\n\s*| /\* [^*\n]* \*/$|^\s+")
"""Comments that begin a line or end one, and what stands before a line's first word."""
SLIMMED: Final = {".css", ".html", ".js"}
MIN_PACKED_BYTES: Final = 200
MAX_FILES: Final = 1_000

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file as it is sent."""

    content: bytes
    packed: bytes | None
    """By gzip; None where it is not worth it."""
    media_type: str
    etag: str
    """The same whether it is packed or not, so it is sent as a weak one."""


@lru_cache(MAX_FILES)
def part_of(path: Path, _changed_ns: int) -> PageFile:
    """The file at `path`, read anew when the time of its last change is another."""
    content = path.read_bytes()
    if path.suffix in SLIMMED and path.parent.name != "vendor":  # theirs stay as their hashes say
        content = LEFT_OUT.sub("", content.decode()).encode()
    packed = gzip.compress(content, mtime=0) if len(content) >= MIN_PACKED_BYTES else None
    media_type = guess_type(path.name)[0] or "text/plain"
    return PageFile(content, packed, media_type, f'"{sha256(content).hexdigest()[:32]}"')


class PageFiles(StaticFiles):
    """Finds files as its parent does, and sends them as `part_of` has them."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """The whole of a file, or 304 where the browser has it."""
        part, asked = part_of(Path(full_path), stat_result.st_mtime_ns), Headers(scope=scope)
        headers = FRESH | {"ETag": f"W/{part.etag}", "Vary": "Accept-Encoding"}
        if self.is_not_modified(Headers({"etag": part.etag}), asked):
            return NotModifiedResponse(Headers(headers))
        if part.packed is None or "gzip" not in asked.get("Accept-Encoding", ""):
            return Response(part.content, status_code, headers, part.media_type)
        return Response(part.packed, status_code, headers | {"Content-Encoding": "gzip"}, part.media_type)


FILES: Final = PageFiles(directory=OWN)


@router.get("/")
async def show_page(request: Request) -> Response:
    """The page."""
    response = await FILES.get_response("index.html", request.scope)
    response.headers["Content-Security-Policy"] = POLICY
    return response


@router.get("/page/{path:path}")
async def show_part(path: str, request: Request) -> Response:
    """What the page is made of."""
    return await FILES.get_response(path, request.scope)
