"""Ends answers that go on for long (the live feed, a live view) once their caller's key or session has ended."""

import asyncio
import logging
from contextlib import suppress
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.security.doorkeeper import Doorkeeper
from services.api.security.keys import Caller
from shared.errors import StoreUnavailable

LOOK_SECONDS: Final = 1.0
ENDED_SOCKET: Final = 1008

log = logging.getLogger(__name__)


class Revocations:
    """Looks at a key, and its session, again every second while something that they opened goes on."""

    def __init__(self, doorkeeper: Doorkeeper) -> None:
        self._doorkeeper = doorkeeper

    async def run(self, app: ASGIApp, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the app on one connection."""
        if caller.key_id is None:
            await app(scope, receive, send)
            return
        answer = _Answer(send)
        try:
            async with asyncio.timeout(None) as limit:
                guard = asyncio.create_task(self._guard(scope, caller, limit))
                try:
                    await app(scope, receive, answer.send)
                finally:
                    guard.cancel()
        except TimeoutError:
            if not limit.expired():
                raise
            log.info("key %s: what it still received is ended", caller.key_id)
            await answer.end(is_socket=scope["type"] == "websocket")

    async def _guard(self, scope: Scope, caller: Caller, limit: asyncio.Timeout) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with suppress(StoreUnavailable):
                if not await self._doorkeeper.still_opens(scope, caller):
                    limit.reschedule(asyncio.get_running_loop().time())
                    return


class _Answer:
    """What was sent of an answer."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_open = False

    async def send(self, message: Message) -> None:
        """Passes a message on."""
        if message["type"] == "http.response.start":
            self._is_open = True
        elif message["type"] == "http.response.body":
            self._is_open = bool(message.get("more_body"))
        await self._send(message)

    async def end(self, *, is_socket: bool) -> None:
        """Ends it in order, whatever is missing."""
        if is_socket:
            await self._send({"type": "websocket.close", "code": ENDED_SOCKET, "reason": "key_revoked"})
        elif self._is_open:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
