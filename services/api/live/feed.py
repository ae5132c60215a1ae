"""The live feed: one task per process reads every partition's feed and hands each entry to all who listen.

The reader asks all partitions in one pipelined round trip, ten times a second, and only while somebody listens. Each
listener keeps its own Position, so where its catching up and the reader overlap, nothing is given twice.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import suppress

import redis.asyncio

from services.api.followers.entries import FeedEntry, parse_entry
from services.api.live.position import Position
from services.api.metrics.requests import ApiMetrics
from services.api.protocol.errors import ApiError
from shared.entries import EntryId
from shared.errors import StoreUnavailable
from shared.store.client import translated
from shared.store.keys import NUM_PARTITIONS, PARTITIONS

POLL_SECONDS = 0.1
MAX_BACKOFF_SECONDS = 2.0
PAGE_ENTRIES = 64
MAX_LISTENERS = 256
MAX_PENDING = 2 * NUM_PARTITIONS * PAGE_ENTRIES

log = logging.getLogger(__name__)


class Listener:
    """One client's place in the feed and the bounded queue of what the reader has for it.

    A full queue closes the listener: the client is too slow, and can come back with its position.
    """

    def __init__(self, position: Position, start: Position) -> None:
        self.position = position
        self.start = start
        self.closed = False
        self._pending: deque[FeedEntry] = deque()
        self._changed = asyncio.Event()

    def offer(self, entries: Sequence[FeedEntry]) -> bool:
        """Queues entries, or closes the listener where they do not fit; returns whether they did."""
        if len(self._pending) + len(entries) > MAX_PENDING:
            self.close()
            return False
        self._pending.extend(entries)
        self._changed.set()
        return True

    def close(self) -> None:
        """Ends the listening at the next opportunity."""
        self.closed = True
        self._changed.set()

    async def take(self, timeout_seconds: float) -> list[FeedEntry]:
        """What is queued, as soon as there is something; nothing after the timeout or when closed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._changed.wait()
        self._changed.clear()
        taken = list(self._pending)
        self._pending.clear()
        return taken


class LiveFeed:
    """Feeds listeners from Redis; while Redis is away they wait, and then miss nothing that is still kept."""

    def __init__(self, client: redis.asyncio.Redis, metrics: ApiMetrics) -> None:
        self._client = client
        self._metrics = metrics
        self._position = Position()
        self._listeners: set[Listener] = set()
        self._somebody_listens = asyncio.Event()
        self._joining = asyncio.Lock()
        self._closed = False

    async def run(self) -> None:
        """Reads until it is cancelled."""
        while True:
            await self._somebody_listens.wait()
            try:
                entries = await self._read(self._position)
                self._hand_out(entries)
            except Exception:
                log.exception("the live feed's reader goes on after a defect")
                await asyncio.sleep(MAX_BACKOFF_SECONDS)
            else:
                await asyncio.sleep(0 if len(entries) >= PAGE_ENTRIES else POLL_SECONDS)

    async def join(self, position: Position | None) -> Listener:
        """A new listener after the position, or from now on; raises StoreUnavailable, and ApiError when there are too
        many or the api is stopping. Whoever joins must leave.
        """
        async with self._joining:
            if self._closed or len(self._listeners) >= MAX_LISTENERS:
                reason = "the api is stopping" if self._closed else f"there are {MAX_LISTENERS} already"
                raise ApiError(503, "feed_full", f"the live feed takes no more listeners: {reason}")
            if not self._listeners:
                self._position = await self._newest()
            listener = Listener(position or self._position.copy(), self._position.copy())
            self._listeners.add(listener)
            self._somebody_listens.set()
        self._metrics.live_clients.set(len(self._listeners))
        return listener

    def leave(self, listener: Listener) -> None:
        """Forgets a listener."""
        self._listeners.discard(listener)
        self._metrics.live_clients.set(len(self._listeners))
        if not self._listeners:
            self._somebody_listens.clear()

    async def follow(self, listener: Listener, idle_seconds: float) -> AsyncGenerator[FeedEntry | None]:
        """Each entry after the listener's position, which moves along with it; None whenever nothing came for a while.

        Ends when the listener is closed.
        """
        while not listener.position.covers(listener.start):
            missed = await self._read(listener.position)
            for entry in _advance(listener.position, missed):
                yield entry
            if listener.closed or not missed:
                break
        while not listener.closed:
            taken = await listener.take(idle_seconds)
            for entry in _advance(listener.position, taken):
                yield entry
            if not taken:
                yield None

    async def close(self) -> None:
        """Ends all listening and the connection to Redis."""
        self.stop()
        await self._client.aclose()

    def stop(self) -> None:
        """Ends all listening; nobody can join any more."""
        self._closed = True
        for listener in self._listeners:
            listener.close()

    def _hand_out(self, entries: Sequence[FeedEntry]) -> None:
        for entry in entries:
            self._position.advance(entry.partition, entry.entry_id)
        for listener in self._listeners:
            if not listener.closed and not listener.offer(entries):
                self._metrics.live_clients_slow.inc()

    async def _read(self, position: Position) -> list[FeedEntry]:
        """The next entries of all partitions, roughly in the order of their times; waits while Redis is away."""
        backoff_seconds = POLL_SECONDS
        while True:
            try:
                return await self._ask(position)
            except StoreUnavailable as err:
                if backoff_seconds == POLL_SECONDS:
                    log.warning("the live feed waits: %s", err)
            await asyncio.sleep(backoff_seconds * random.uniform(0.5, 1.0))
            backoff_seconds = min(2 * backoff_seconds, MAX_BACKOFF_SECONDS)

    async def _ask(self, position: Position) -> list[FeedEntry]:
        pipeline = self._client.pipeline(transaction=False)
        for keys in PARTITIONS:
            ms, number = position.of(keys.partition)
            pipeline.xrange(keys.feed, min=f"({ms}-{number}", count=PAGE_ENTRIES)
        with translated():
            replies = await pipeline.execute()
        found = [
            parse_entry(keys.partition, entry_id, fields)
            for keys, reply in zip(PARTITIONS, replies, strict=True)
            for entry_id, fields in reply
        ]
        return sorted(found, key=lambda entry: entry.entry_id)

    async def _newest(self) -> Position:
        """Where every partition's feed ends now."""
        pipeline = self._client.pipeline(transaction=False)
        for keys in PARTITIONS:
            pipeline.xrevrange(keys.feed, count=1)
        with translated():
            replies = await pipeline.execute()
        ends = zip(PARTITIONS, replies, strict=True)
        return Position({keys.partition: EntryId.parse(reply[0][0]) for keys, reply in ends if reply})


def _advance(position: Position, entries: Sequence[FeedEntry]) -> Iterator[FeedEntry]:
    """Those of the entries that the position has not passed; it moves on to each before it is given."""
    for entry in entries:
        if not position.has_passed(entry.partition, entry.entry_id):
            position.advance(entry.partition, entry.entry_id)
            yield entry
