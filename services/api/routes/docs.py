"""The documentation to try things in: Swagger UI, from files that lie here; no server of others is asked."""

from importlib.metadata import distribution
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from fastapi.responses import FileResponse

from services.api.protocol.errors import ApiError

OWN: Final = Path(__file__).resolve().parents[1] / "docs"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
NAMES: Final = ("favicon.png", "init.js", "swagger-ui-bundle.js", "swagger-ui.css")

router = APIRouter(prefix="/docs", include_in_schema=False)


@router.get("")
def show_docs() -> FileResponse:
    """The page."""
    return FileResponse(OWN / "index.html", headers={"Content-Security-Policy": POLICY})


@router.get("/{name}")
def show_file(name: str) -> FileResponse:
    """What the page is made of."""
    if name not in NAMES:
        raise ApiError(404, "not_found", "the documentation has no such file")
    own = OWN / name
    return FileResponse(own if own.exists() else _packaged() / name, headers={"Cache-Control": "max-age=86400"})


def _packaged() -> Path:
    """Swagger UI's own files, as the package fastapi-offline brings them along."""
    return Path(str(distribution("fastapi-offline").locate_file("fastapi_offline/static")))
