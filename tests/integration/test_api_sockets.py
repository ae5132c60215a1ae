"""WebSockets pass the same gate: by key or session, of no other page, and no longer than what opened them."""

import asyncio
from collections.abc import Callable
from typing import Any

import redis
from starlette.types import Message, Receive, Scope, Send

from services.api.protocol.visitors import Visitors
from services.api.security.access import REFUSED_SOCKET, Access
from services.api.security.doorkeeper import Doorkeeper
from services.api.security.keyring import Keyring
from services.api.security.revocations import ENDED_SOCKET, Revocations
from services.api.settings import ApiSettings
from shared.store.client import connect_async


async def echo(_scope: Scope, receive: Receive, send: Send) -> None:
    """A route that goes on for ever."""
    await receive()
    await send({"type": "websocket.accept"})
    await asyncio.Event().wait()


async def talk(
    redis_url: str, headers: dict[str, str], then: Callable[[], None] = lambda: None, path: str = "/v1/live"
) -> list[Message]:
    """What a client is sent that connects; `then` happens once it is let in."""
    doorkeeper = Doorkeeper(connect_async(redis_url), None, 60)
    gate = Visitors(Access(echo, doorkeeper, Revocations(doorkeeper)), ApiSettings())
    scope: dict[str, Any] = {"type": "websocket", "path": path, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2)}
    scope["headers"] = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"] == "websocket.accept":
            then()

    try:
        async with asyncio.timeout(30):
            await gate(scope, receive, send)
    finally:
        await doorkeeper.close()
    return sent


def test_a_socket_is_refused_or_ends_with_its_key(redis_url: str, redis_client: redis.Redis) -> None:
    ring = Keyring(redis_client, None)
    ring.create("a", "admin")
    key, _ = ring.create("v", "viewer")
    south, _ = ring.create("s", "viewer", ("south",))
    mine = {"Authorization": f"Bearer {key.text}"}
    refused: list[dict[str, str]] = [{}, {"Authorization": f"Bearer {key.text[:-1]}"}]
    refused += [{**mine, "Origin": "https://x.example"}, {**mine, "Host": "x.example"}]
    asked = [("/v1/live", headers) for headers in refused]
    asked += [("/v1/targets", {"Authorization": f"Bearer {south.text}"})]  # of all streams
    for path, headers in asked:
        (said,) = asyncio.run(talk(redis_url, headers, path=path))
        assert (said["type"], said["code"]) == ("websocket.close", REFUSED_SOCKET), headers
        assert key.text[30:] not in said["reason"]
    own_page = {**mine, "Host": "localhost", "Origin": "http://localhost"}
    told = asyncio.run(talk(redis_url, own_page, lambda: revoke(ring, key.id)))
    assert [each["type"] for each in told] == ["websocket.accept", "websocket.close"]
    assert told[1]["code"] == ENDED_SOCKET
    redis_client.flushall()  # others need no key


def revoke(ring: Keyring, key_id: str) -> None:
    ring.revoke(key_id)
