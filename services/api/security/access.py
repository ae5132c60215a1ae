"""The gate that every request passes: who asks is told, and whether they may, before anything of it is read."""

from typing import Annotated, Final

from fastapi import Depends
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from services.api.protocol.errors import ApiError, answer_to
from services.api.protocol.later import LaterResponse
from services.api.security.doorkeeper import Doorkeeper
from services.api.security.keys import Caller
from services.api.security.policy import Rule, asked, rule_for
from services.api.security.revocations import Revocations
from shared.errors import AfterimageError, StoreUnavailable, StreamUnknown

CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}
EVENTS: Final = "text/event-stream"
REFUSED_SOCKET: Final = 3000
"""What a WebSocket is closed with, by the registry of its codes: unauthorized."""


class Access:
    """Lets a request pass to the app with its Caller, or answers it: 401, 403, or 404 for a stream of other groups."""

    def __init__(self, app: ASGIApp, doorkeeper: Doorkeeper, revocations: Revocations) -> None:
        self._app = app
        self._doorkeeper = doorkeeper
        self._revocations = revocations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        rule = rule_for(*asked(scope))
        if rule.role is None:
            await self._app(scope, receive, send)
            return
        try:
            caller = await self._doorkeeper.caller(scope)
            scope.setdefault("state", {})["caller"] = caller
            await self._check(rule, caller)
        except (ApiError, StoreUnavailable, StreamUnknown) as err:
            await answer(err, scope, receive, send)
            return
        await self._revocations.run(self._app, caller, scope, receive, send)

    async def _check(self, rule: Rule, caller: Caller) -> None:
        assert rule.role is not None  # noqa: S101  (public ones do not come here)
        if not caller.may(rule.role):
            raise ApiError(403, "role_too_low", f"this needs the role {rule.role}; the key's is {caller.role}")
        if not caller.groups:
            return
        if not rule.for_groups:
            raise ApiError(403, "not_for_groups", "this is for keys of all streams; yours is for some groups")
        if rule.stream_id is not None:
            groups = await self._doorkeeper.groups_of(rule.stream_id)
            if groups is not None and not caller.sees(groups):
                raise StreamUnknown(f"no stream has the id {rule.stream_id!r}")


async def answer(error: AfterimageError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers a connection that is not let through."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": REFUSED_SOCKET, "reason": str(error)[:100]})
        return
    if isinstance(error, StoreUnavailable) and EVENTS in Headers(scope=scope).get("accept", ""):
        await LaterResponse(str(error))(scope, receive, send)
        return
    response = answer_to(error)
    if response.status_code == 401:
        response.headers.update(CHALLENGE)
    await response(scope, receive, send)


def _caller_of(connection: HTTPConnection) -> Caller:
    caller: Caller = connection.state.caller
    return caller


CallerOf = Annotated[Caller, Depends(_caller_of)]
