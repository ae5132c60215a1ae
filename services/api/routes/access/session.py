"""Logging in with a browser: a key becomes a cookie."""

from fastapi import APIRouter, Request, Response

from services.api.context import Context
from services.api.protocol.docs import errors
from services.api.schemas.session import SessionCreate, SessionView
from services.api.security.access import CallerOf
from services.api.security.keys import Caller
from services.api.security.sessions import COOKIE

router = APIRouter(prefix="/v1/session", tags=["access"])
entrance = APIRouter(prefix="/v1/session", tags=["access"])
"""For those that have no session yet."""


@entrance.post("", status_code=201, responses=errors(400, 401, 403, 413, 422, 429, 503))
async def log_in(wanted: SessionCreate, context: Context, request: Request, response: Response) -> SessionView:
    """Trades a key for a cookie that scripts cannot read. Each write of the session carries `csrf_token` as
    `X-CSRF-Token`.

    Too many wrong keys from one address, or for one key: 429, with the seconds to wait.
    """
    doorkeeper = context.doorkeeper
    record = await doorkeeper.login(request.scope, wanted.key.get_secret_value())
    token, session = await doorkeeper.sessions.open(record.id)
    request.state.caller = caller = Caller.of(record, session)
    response.set_cookie(
        COOKIE,
        token,
        max_age=context.settings.api_session_seconds,
        path=context.settings.api_root_path or "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return SessionView.of(caller)


@router.get("", responses=errors(401, 503))
def show_session(caller: CallerOf) -> SessionView:
    """Who asks: by a session, by a key, or from this machine while there is no key."""
    return SessionView.of(caller)


@router.delete("", status_code=204, responses=errors(401, 403, 503))
async def log_out(context: Context, request: Request, response: Response) -> None:
    """Ends the session of the request's cookie."""
    await context.doorkeeper.sessions.close(request.headers)
    response.delete_cookie(COOKIE, path=context.settings.api_root_path or "/")
