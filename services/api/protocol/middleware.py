"""What every request passes on its way in: the prefix that a proxy shows the api under, an id that its answer and its
log lines carry, and a bound on its body.
"""

import asyncio
import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.protocol.errors import CODES, ErrorDetail, error_response
from shared.service.logs import request_id

HEADER = "X-Request-ID"
HEAD_ONLY = "is_head"
"""in the state of a request whose answer's body nobody gets"""
ALLOWED = re.compile(r"[A-Za-z0-9._-]{1,64}")
BODY_SECONDS = 10.0
MAX_BODY_BYTES = 64 * 1024
TOO_LARGE = f"the body is larger than {MAX_BODY_BYTES} bytes"
TOO_LARGE_ERROR = ErrorDetail(code=CODES[413], message=TOO_LARGE)
TOO_LATE = f"the body did not arrive within {BODY_SECONDS:g} s"


class Prefix:
    """Has routes found below a prefix as well as without it: some proxies take it away, some do not."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection. The prefix without a slash leads to the page, whose links are relative."""
        if scope["type"] == "http" and self._prefix and scope["path"] == self._prefix:
            query = scope["query_string"].decode("latin-1")
            await RedirectResponse(f"{self._prefix}/{query and '?'}{query}", 307)(scope, receive, send)
            return
        scope["root_path"] = self._prefix
        await self._app(scope, receive, send)


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


class BodyLimit:
    """Refuses bodies that are too large with 413, by their declared length or as soon as they exceed it; late ones with
    408."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
            response = error_response(413, TOO_LARGE_ERROR, headers={"Connection": "close"})
            await response(scope, receive, send)
            return
        received, is_whole = 0, False
        due_at = asyncio.get_running_loop().time() + BODY_SECONDS

        async def receive_bounded() -> Message:
            nonlocal received, is_whole
            try:
                async with asyncio.timeout_at(None if is_whole else due_at):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, TOO_LATE, {"Connection": "close"}) from None
            is_whole = not message.get("more_body", False)
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                raise HTTPException(413, TOO_LARGE, {"Connection": "close"})
            return message

        await self._app(scope, receive_bounded, send)


class Head:
    """Answers HEAD as GET would be answered, without the body; routes need not know."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        scope["method"], scope["state"] = "GET", {**scope.get("state", {}), HEAD_ONLY: True}

        async def send_head(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app(scope, receive, send_head)
