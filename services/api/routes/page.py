"""The web page, from the files that lie in `page/`: everybody may have them, and they ask the api as any client does."""

from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

OWN: Final = Path(__file__).resolve().parents[1] / "page"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FRESH: Final = {"Cache-Control": "no-cache"}
"""Asked for again each time, and answered by a 304 where nothing has changed: no page of two versions."""

router = APIRouter(include_in_schema=False)


@router.get("/")
def show_page() -> FileResponse:
    """The page."""
    return FileResponse(OWN / "index.html", headers={"Content-Security-Policy": POLICY} | FRESH)


class PageFiles(StaticFiles):
    """What the page is made of."""

    def __init__(self) -> None:
        super().__init__(directory=OWN)

    def file_response(self, *given: Any, **named: Any) -> Response:  # noqa: ANN401  (as the class above has it)
        """A file, or that it has not changed."""
        response = super().file_response(*given, **named)
        response.headers.update(FRESH)
        return response
