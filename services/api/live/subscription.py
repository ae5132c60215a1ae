"""The live feed as server-sent events over HTTP.

Every message carries an `id`: the position right after it, which a client hands back as `Last-Event-ID` to go on
without loss or repetition. The first message and the heartbeats carry an id alone, which browsers remember without
waking anybody, so even a client that never saw an event resumes where it was.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass

from fastapi.sse import format_sse_event
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from services.api.followers.entries import FeedEntry
from services.api.live.feed import Listener, LiveFeed
from services.api.metrics.requests import ApiMetrics
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


class LiveResponse(StreamingResponse):
    """Streams a listener's events until the client goes, is too slow, or the api stops; then leaves the feed."""

    media_type = "text/event-stream"

    def __init__(self, feed: LiveFeed, listener: Listener, wanted: Wanted, metrics: ApiMetrics) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(_messages(feed, listener, wanted), headers=headers)
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


async def _messages(feed: LiveFeed, listener: Listener, wanted: Wanted) -> AsyncGenerator[bytes]:
    yield format_sse_event(retry=RETRY_MS, id=str(listener.position), comment="following")
    sent_at = time.monotonic()
    with suppress(StoreUnavailable):  # it ends: the client comes again, and goes on after what it was given
        async with aclosing(feed.follow(listener, HEARTBEAT_SECONDS)) as entries:
            async for entry in entries:
                if entry is not None and await wanted.matches(entry):
                    yield format_sse_event(event=entry.kind, data_str=entry.event, id=str(listener.position))
                elif time.monotonic() - sent_at >= HEARTBEAT_SECONDS:
                    yield format_sse_event(comment="heartbeat", id=str(listener.position))
                else:
                    continue
                sent_at = time.monotonic()
