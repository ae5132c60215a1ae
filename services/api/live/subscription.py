"""What a listener of the live feed is told, as server-sent events over HTTP or as messages of a WebSocket.

Every message carries the position right after it, which a client hands back to go on without loss or repetition. The
first message and the heartbeats carry a position alone (browsers remember the `id` of a server-sent event without
waking anybody), so even a client that never saw an event resumes where it was.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import asdict, dataclass

from fastapi.sse import format_sse_event
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from services.api.followers.entries import FeedEntry
from services.api.live.feed import Listener, LiveFeed
from services.api.metrics.requests import ApiMetrics
from services.api.protocol.later import SSE_HEADERS
from services.api.protocol.sockets import NOT_ALLOWED, RESTARTING, Farewell, converse
from services.api.security.sight import FeedSight
from shared.errors import StoreUnavailable

HEARTBEAT_SECONDS = 15.0
SEND_TIMEOUT_SECONDS = 10.0
RETRY_MS = 2000
KINDS = frozenset({"opened", "closed", "updated", "deleted"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the feed a client asked for; None means all."""

    stream_id: str | None
    label: str | None
    sight: FeedSight

    async def matches(self, entry: FeedEntry) -> bool:
        """Whether the client is to see the entry. Raises StoreUnavailable."""
        is_asked = self.stream_id in {None, entry.stream_id} and self.label in {None, entry.label}
        return entry.kind in KINDS and is_asked and await self.sight.sees(entry.stream_id)


@dataclass(frozen=True, slots=True)
class Told:
    """One message: its kind is that of an entry (`data` is the event's JSON), `gap`, or `position` without data."""

    kind: str
    position: str
    data: str = ""

    def as_sse(self) -> bytes:
        """The message as a server-sent event; a position alone is a comment with an id."""
        if self.kind == "position":
            return format_sse_event(comment="heartbeat", id=self.position)
        return format_sse_event(event=self.kind, data_str=self.data, id=self.position)

    def as_json(self) -> str:
        """`{"kind", "position", "data"?}`."""
        head = f'{{"kind":"{self.kind}","position":"{self.position}"'
        return f'{head},"data":{self.data}}}' if self.data else f"{head}}}"


async def told(feed: LiveFeed, listener: Listener, wanted: Wanted) -> AsyncGenerator[Told]:
    """What the client is told, its position first, then a gap before it if there is one; ends with the listening."""
    sent_at = float("-inf")
    with suppress(StoreUnavailable):  # it ends: the client comes again, and goes on after what it was given
        async with aclosing(feed.follow(listener, HEARTBEAT_SECONDS)) as entries:
            async for entry in entries:
                position = str(listener.position)
                if entry is not None and await wanted.matches(entry):
                    yield Told(entry.kind, position, entry.event)
                elif time.monotonic() - sent_at >= HEARTBEAT_SECONDS:
                    yield Told("position", position)
                else:
                    continue
                if listener.gap:
                    gap, listener.gap = listener.gap, None
                    yield Told("gap", position, json.dumps(asdict(gap)))
                sent_at = time.monotonic()


class LiveResponse(StreamingResponse):
    """Streams a listener's events until the client goes, is too slow, or the api stops; then leaves the feed."""

    media_type = "text/event-stream"

    def __init__(self, feed: LiveFeed, listener: Listener, wanted: Wanted, metrics: ApiMetrics) -> None:
        super().__init__(_sse(feed, listener, wanted), headers=SSE_HEADERS)
        self._feed = feed
        self._listener = listener
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles the connection."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._feed.leave(self._listener)

    async def stream_response(self, send: Send) -> None:
        """Sends the messages; a client that takes nothing for SEND_TIMEOUT_SECONDS is cut off."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                await send(message)

        try:
            await super().stream_response(send_in_time)
        except TimeoutError:
            self._metrics.live_clients_slow.inc()


async def _sse(feed: LiveFeed, listener: Listener, wanted: Wanted) -> AsyncGenerator[bytes]:
    is_first = True
    async with aclosing(told(feed, listener, wanted)) as messages:
        async for message in messages:
            if is_first:
                yield format_sse_event(retry=RETRY_MS, id=message.position, comment="following")
            else:
                yield message.as_sse()
            is_first = False


async def follow_on_socket(socket: WebSocket, feed: LiveFeed, listener: Listener, wanted: Wanted) -> None:
    """Tells a WebSocket what a listener is told, until either side ends it; what the client says is passed over."""

    async def tell() -> None:
        async with aclosing(told(feed, listener, wanted)) as messages:
            async for message in messages:
                await socket.send_text(message.as_json())
        raise Farewell(RESTARTING, "the api is stopping") if feed.closed else Farewell(NOT_ALLOWED, "too slow")

    try:
        await converse(socket, lambda _text: None, tell)
    finally:
        feed.leave(listener)
