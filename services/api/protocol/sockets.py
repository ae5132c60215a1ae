"""A WebSocket's conversation: both sides speak when they like, until either ends it, with a reason."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect

NO_TEXT: Final = 1003
NOT_ALLOWED: Final = 1008
RESTARTING: Final = 1012
NO_PLACE: Final = 1013
MAX_REASON_BYTES: Final = 123
"""What a close frame has room for."""


class Farewell(Exception):
    """Ends the conversation with a code (RFC 6455, 7.4) and a reason for people."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")


async def converse(socket: WebSocket, hear: Callable[[str], None], tell: Callable[[], Awaitable[None]]) -> None:
    """Accepts the socket and runs `tell`, and `hear` on each text that comes, until one ends or raises Farewell."""
    await socket.accept()
    farewells: list[Farewell] = []

    async def run(side: Callable[[], Awaitable[None]]) -> None:
        try:
            await side()
        except Farewell as farewell:
            farewells.append(farewell)
        except WebSocketDisconnect:
            pass
        sides.cancel_scope.cancel()

    async with anyio.create_task_group() as sides:
        sides.start_soon(run, lambda: _listen(socket, hear))
        sides.start_soon(run, tell)
    if farewells:
        await _part(socket, farewells[0])


async def turn_away(socket: WebSocket, farewell: Farewell) -> None:
    """Says why there is no conversation: a browser reads a reason only of a socket that was accepted."""
    with suppress(RuntimeError, WebSocketDisconnect):
        await socket.accept()
    await _part(socket, farewell)


async def _part(socket: WebSocket, farewell: Farewell) -> None:
    with suppress(RuntimeError, WebSocketDisconnect):
        await socket.close(farewell.code, farewell.reason)


async def _listen(socket: WebSocket, hear: Callable[[str], None]) -> None:
    while (message := await socket.receive())["type"] == "websocket.receive":
        text = message.get("text")
        if text is None:
            raise Farewell(NO_TEXT, "messages to the api are text")
        hear(text)
