"""An id for every request, by which its answer and its log lines are found."""

import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.service.logs import request_id

HEADER = "X-Request-ID"
ALLOWED = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestId:
    """Takes the caller's X-Request-ID where it is plain, else makes one, and answers with it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        number = given if ALLOWED.fullmatch(given) else secrets.token_hex(8)
        request_id.set(number)  # each request has a task, so a context, of its own

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = number
            await send(message)

        await self._app(scope, receive, send_with_id)
