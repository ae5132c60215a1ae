"""The web page, from the files in `page/`: everybody may have them, and they ask the api as any client does."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.staticfiles import StaticFiles

OWN: Final = Path(__file__).resolve().parents[1] / "page"
FILES: Final = StaticFiles(directory=OWN)
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FRESH: Final = {"Cache-Control": "no-cache"}
"""Asked for again each time, and answered by a 304 where nothing has changed: no page of two versions."""

router = APIRouter(include_in_schema=False)


@router.get("/")
async def show_page(request: Request) -> Response:
    """The page."""
    response = await FILES.get_response("index.html", request.scope)
    response.headers.update({"Content-Security-Policy": POLICY} | FRESH)
    return response


@router.get("/page/{path:path}")
async def show_part(path: str, request: Request) -> Response:
    """What the page is made of."""
    response = await FILES.get_response(path, request.scope)
    response.headers.update(FRESH)
    return response
