"""The live feed: one task per process reads every partition's feed and hands each entry to all who listen.

The reader asks all partitions in one command, ten times a second, and only while somebody listens. Each
listener keeps its own Position, so where its catching up and the reader overlap, nothing is given twice.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import redis.asyncio

from services.api.followers.entries import FeedEntry, parse_entry
from services.api.live.gap import Extent, Gap, put_right
from services.api.live.position import Position
from services.api.metrics.requests import ApiMetrics
from services.api.protocol.door import Door
from shared.entries import EntryId
from shared.errors import AfterimageError, StoreUnavailable
from shared.store.client import streams_in, translated
from shared.store.keys import FIRST_COUNT
from shared.store.layout.known import layout_of_async

POLL_SECONDS = 0.1
MAX_BACKOFF_SECONDS = 2.0
PAGE_ENTRIES = 64
NO_KEY = "no such key"
JOIN_SECONDS = 2.0
READS_PENDING = 2

Answer = TypeVar("Answer")

log = logging.getLogger(__name__)


class FeedFull(AfterimageError):
    """There is no place for one more listener; the message says why."""


class Listener:
    """One client's place in the feed and the bounded queue of what the reader has for it.

    A full queue closes the listener: the client is too slow, and can come back with its position.
    """

    def __init__(self, position: Position | None, holder: str) -> None:
        """A place of this holder: after the position, or, without one, from the moment it is placed."""
        self.position = position or Position()
        self.holder = holder
        self.start: Position | None = None
        """where the reader was when it began to feed this listener; None before"""
        self.gap: Gap | None = None
        """what lies before the position and cannot be given"""
        self.closed = False
        self.is_new = position is None
        self.most_pending = READS_PENDING * FIRST_COUNT * PAGE_ENTRIES
        self._pending: deque[FeedEntry] = deque()
        self._changed = asyncio.Event()

    def offer(self, entries: Sequence[FeedEntry]) -> bool:
        """Queues entries, or closes the listener where they do not fit; returns whether they did."""
        if len(self._pending) + len(entries) > self.most_pending:
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

    def __init__(self, client: redis.asyncio.Redis, metrics: ApiMetrics, door: Door) -> None:
        self._client = client
        self._metrics = metrics
        self._door = door
        self._position = Position()
        self._joined: set[Listener] = set()
        self._listeners: set[Listener] = set()
        """those of them that have their place: the reader feeds them"""
        self._somebody_listens = asyncio.Event()
        self._joining = asyncio.Lock()
        self.closed = False

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

    async def join(self, position: Position | None, holder: str) -> Listener:
        """A new listener after the position, or from now on; while Redis is away, from when it is back.

        Raises FeedFull where there is no place for this holder, or the api is stopping. Whoever joins must leave.
        """
        reason = "the api is stopping" if self.closed else self._door.enter(holder)
        if reason:
            raise FeedFull(f"the live feed takes no more listeners: {reason}")
        self._metrics.live_clients.set(self._door.total)
        listener = Listener(position, holder)
        self._joined.add(listener)
        try:
            with suppress(StoreUnavailable, TimeoutError):
                async with asyncio.timeout(JOIN_SECONDS):
                    await self._place(listener)
        except BaseException:
            self.leave(listener)
            raise
        return listener

    def leave(self, listener: Listener) -> None:
        """Forgets a listener."""
        self._door.leave(listener.holder)
        self._metrics.live_clients.set(self._door.total)
        self._joined.discard(listener)
        self._listeners.discard(listener)
        if not self._listeners:
            self._somebody_listens.clear()

    async def follow(self, listener: Listener, idle_seconds: float) -> AsyncGenerator[FeedEntry | None]:
        """Each entry after the listener's position, which moves along with it; None whenever nothing came for a while.

        Ends when the listener is closed. The first is None, once the listener has its place.
        """
        await self._patiently(lambda: self._place(listener))
        yield None
        while listener.start and not listener.position.covers(listener.start):
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
        self.closed = True
        for listener in self._joined:
            listener.close()

    def _hand_out(self, entries: Sequence[FeedEntry]) -> None:
        for entry in entries:
            self._position.advance(entry.partition, entry.entry_id)
        for listener in self._listeners:
            if not listener.closed and not listener.offer(entries):
                self._metrics.live_clients_slow.inc()

    async def _place(self, listener: Listener) -> None:
        """Has the reader feed the listener from here on; raises StoreUnavailable, and it can be asked for again."""
        async with self._joining:
            if listener.start or listener.closed:
                return
            layout = await layout_of_async(self._client)
            listener.most_pending = READS_PENDING * layout.count * PAGE_ENTRIES
            if not self._listeners:
                self._position = await self._newest()
            if listener.is_new:
                listener.position = self._position.copy()
            else:
                listener.gap = put_right(listener.position, await self._extents(), layout)
            listener.start = self._position.copy()
            self._listeners.add(listener)
            self._somebody_listens.set()

    async def _read(self, position: Position) -> list[FeedEntry]:
        """The next entries of all partitions, roughly in the order of their times; waits while Redis is away."""
        return await self._patiently(lambda: self._ask(position))

    async def _patiently(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """What Redis answers, however long it is away."""
        backoff_seconds = POLL_SECONDS
        while True:
            try:
                return await ask()
            except StoreUnavailable as err:
                if backoff_seconds == POLL_SECONDS:
                    log.warning("the live feed waits: %s", err)
            await asyncio.sleep(backoff_seconds * random.uniform(0.5, 1.0))
            backoff_seconds = min(2 * backoff_seconds, MAX_BACKOFF_SECONDS)

    async def _ask(self, position: Position) -> list[FeedEntry]:
        layout = await layout_of_async(self._client)
        feeds: dict[Any, Any] = {keys.feed: str(position.of(keys.partition)) for keys in layout.all}
        with translated():
            reply = await self._client.xread(feeds, count=PAGE_ENTRIES)
        partitions = {keys.feed.encode(): keys.partition for keys in layout.all}
        found = [
            parse_entry(partitions[feed], entry_id, fields)
            for feed, entries in streams_in([reply])
            for entry_id, fields in entries
        ]
        return sorted(found, key=lambda entry: entry.entry_id)

    async def _extents(self) -> dict[int, Extent]:
        """What is kept of each partition's feed."""
        pipeline, layout = self._client.pipeline(transaction=False), await layout_of_async(self._client)
        for keys in layout.all:
            pipeline.xinfo_stream(keys.feed)
        with translated():
            replies = await pipeline.execute(raise_on_error=False)
            for reply in replies:
                if isinstance(reply, Exception) and NO_KEY not in str(reply):
                    raise reply
        return {
            keys.partition: Extent() if isinstance(reply, Exception) else Extent.parse(reply)
            for keys, reply in zip(layout.all, replies, strict=True)
        }

    async def _newest(self) -> Position:
        """Where every partition's feed ends now."""
        pipeline, layout = self._client.pipeline(transaction=False), await layout_of_async(self._client)
        for keys in layout.all:
            pipeline.xrevrange(keys.feed, count=1)
        with translated():
            replies = await pipeline.execute()
        ends = zip(layout.all, replies, strict=True)
        return Position({keys.partition: EntryId.parse(reply[0][0]) for keys, reply in ends if reply}, layout.moves)


def _advance(position: Position, entries: Sequence[FeedEntry]) -> Iterator[FeedEntry]:
    """Those of the entries that the position has not passed; it moves on to each before it is given."""
    for entry in entries:
        if not position.has_passed(entry.partition, entry.entry_id):
            position.advance(entry.partition, entry.entry_id)
            yield entry
