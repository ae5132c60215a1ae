"""Sends what lies in the outboxes: in order for each target and stream, all of them side by side.

A letter is taken out of the outbox after its receiver has taken it. So a crash, a lease that is lost or a Redis that is
away may have it sent again, under the same message id, and never lets one be missed.
"""

import asyncio
import logging
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, Protocol, TypeVar

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client import Counter as CountMetric

from services.api.delivery.channels.webhooks import DeliveryFailed, TargetGone
from services.api.delivery.failing import Failing, Lane
from services.api.delivery.outbox import ENDS, MAX_WAITING, Letter, Outbox
from services.api.delivery.targets import Target, TargetBook, TargetLocked, TargetRefused, TargetUnknown
from shared.entries import EntryId
from shared.errors import StoreUnavailable
from shared.store.leases import Lease
from shared.tracing.spans import Tracer, under_way
from shared.waiting import Backoff

POLL_SECONDS: Final = 0.1
AT_ONCE: Final = 8
"""Letters under way to one target: one that hangs holds up no other."""
DEAD_AFTER_SECONDS: Final = 86_400.0
LONGEST_WAIT_SECONDS: Final = 900.0
LONGEST_LOOK_SECONDS: Final = 60.0
CROWDED: Final = MAX_WAITING * 3 // 4
"""So many letters that wait in a partition: what fails then is dead at once, lest the feed wait for one receiver."""

log = logging.getLogger(__name__)
T = TypeVar("T")


class Post(Protocol):
    """Takes a letter to a target."""

    async def send(self, target: Target, letter: Letter) -> None:
        """Raises DeliveryFailed."""


class DeliveryMetrics:
    """What came of the letters."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.sent = CountMetric("afterimage_delivery_letters_total", "Letters that receivers took.", registry=registry)
        self.failed = CountMetric("afterimage_delivery_failures_total", "Attempts that failed.", registry=registry)
        self.dead = CountMetric(
            "afterimage_delivery_dead_letters_total", "Letters given up, to be replayed by hand.", registry=registry
        )
        self.gone = CountMetric(
            "afterimage_delivery_gone_total", "Targets switched off as their receivers asked.", registry=registry
        )
        self.waiting = Gauge("afterimage_delivery_waiting", "Letters in the outboxes.", registry=registry)
        self.lag = Gauge("afterimage_delivery_lag_seconds", "Age of the oldest letter that waits.", registry=registry)


class Sender:
    """Sends the letters of the partitions that it is told of, on an event loop of its own thread."""

    def __init__(
        self, outbox: Outbox, book: TargetBook, post: Post, metrics: DeliveryMetrics, tracer: Tracer | None = None
    ) -> None:
        self._outbox, self._book, self._post, self._metrics = outbox, book, post, metrics
        self._tracer = tracer
        self._lock = threading.Lock()
        self._leases: dict[int, Lease] = {}
        self._read: dict[int, EntryId] = {}
        self._lanes: dict[Lane, deque[Letter]] = {}
        self._tasks: dict[Lane, asyncio.Task[None]] = {}
        self._at_once: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))
        self._switching = asyncio.Lock()
        self._changed: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._waiting: Counter[int] = Counter()
        self._targets: dict[str, Target] = {}
        self._failing = Failing()
        self._loop: asyncio.AbstractEventLoop | None = None

    def take_over(self, lease: Lease) -> None:
        """Begins with what waits in a partition; from any thread."""
        with self._lock:
            self._leases[lease.partition] = lease

    def leave(self, lease: Lease) -> None:
        """Stops in a partition: when this returns, nothing more is sent of it. From another thread than the loop's."""
        with self._lock:
            if self._leases.get(lease.partition) == lease:
                del self._leases[lease.partition]
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._stop(lease.partition), self._loop).result()

    async def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set."""
        self._loop = asyncio.get_running_loop()
        is_away = False
        while not stop.is_set():
            try:
                await self._look()
                is_away = False
            except StoreUnavailable as err:
                if not is_away:
                    log.warning("waiting for Redis: %s", err)
                is_away = True
            except Exception:
                log.exception("delivery goes on after a defect")
            await asyncio.sleep(POLL_SECONDS)

    async def _look(self) -> None:
        with self._lock:
            leases = dict(self._leases)
        after = {partition: self._read.get(partition, EntryId(0, 0)) for partition in leases}
        letters = await asyncio.to_thread(self._outbox.read, after)
        self._know(await asyncio.to_thread(self._book.current))  # afterwards: it knows whom each letter is for
        for letter in letters:
            with self._lock:
                is_ours = self._leases.get(letter.partition) == leases[letter.partition]
            if is_ours:
                self._read[letter.partition] = letter.entry_id
                self._queue(leases[letter.partition], letter)
        now_ms = await asyncio.to_thread(self._book.now_ms)
        oldest_ms = min((letters[0].entry_id.ms for letters in self._lanes.values() if letters), default=now_ms)
        self._metrics.lag.set(max(0, now_ms - oldest_ms) / 1000)
        self._metrics.waiting.set(self._waiting.total())
        await asyncio.to_thread(self._book.tell_troubles, self._failing.reasons())  # last: a full Redis refuses it

    def _know(self, targets: dict[str, Target]) -> None:
        former, self._targets = self._targets, targets
        for name in former.keys() | targets.keys() if targets is not former else ():
            if former.get(name) != targets.get(name) and (waiting := self._changed.pop(name, None)):
                waiting.set()

    def _queue(self, lease: Lease, letter: Letter) -> None:
        lane = letter.partition, letter.target_id, letter.stream_id
        self._waiting[letter.partition] += 1
        self._lanes.setdefault(lane, deque()).append(letter)
        if lane not in self._tasks:
            self._tasks[lane] = asyncio.create_task(self._work(lane, lease))

    async def _stop(self, partition: int) -> None:
        tasks = [task for lane, task in self._tasks.items() if lane[0] == partition]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks = {lane: task for lane, task in self._tasks.items() if lane[0] != partition}
        for lane in [lane for lane in self._lanes if lane[0] == partition]:
            del self._lanes[lane]
            self._failing.drop(lane)
        self._read.pop(partition, None)
        self._waiting.pop(partition, None)

    async def _work(self, lane: Lane, lease: Lease) -> None:
        """Sends a lane's letters, one after the other, until it is empty."""
        letters, backoff = self._lanes[lane], Backoff(LONGEST_WAIT_SECONDS)
        while letters:
            target = self._targets.get(letters[0].target_id)
            with under_way(letters[0].traceparent):
                why = await self._attempt(target, letters[0], backoff) if target else ""
            if why is None:
                continue
            backoff.reset()
            if not await self._stored(partial(self._outbox.take, lease, letters[0], why)):
                return  # another's partition: `leave` will follow
            letters.popleft()
            self._waiting[lease.partition] -= 1
        del self._lanes[lane], self._tasks[lane]
        self._failing.drop(lane)

    async def _attempt(self, target: Target, letter: Letter, backoff: Backoff) -> str | None:
        """Why a letter is dead, "" where it is done; None, after a pause, where it is to be looked at again."""
        if not target.enabled and target.gone is None:
            await asyncio.sleep(POLL_SECONDS)
            return None
        is_early = letter.due_at_ms and letter.kind not in ENDS
        if is_early and target.enabled and not await self._is_due(letter):
            return None
        if letter.due_at_ms and await self._stored(partial(self._outbox.is_void, letter)):
            return ""
        if target.gone is not None:
            return self._dead(target, letter, target.gone)
        return await self._try(target, letter, backoff)

    async def _is_due(self, letter: Letter) -> bool:
        """Waits for a moment where it is not."""
        wait_ms = letter.due_at_ms - await self._stored(self._book.now_ms)
        if wait_ms > 0:
            await asyncio.sleep(min(wait_ms / 1000, LONGEST_LOOK_SECONDS))
            return False
        return True

    async def _try(self, target: Target, letter: Letter, backoff: Backoff) -> str | None:
        """Sends a letter once: why it is dead, "" if it arrived; None, after a pause, if it is to be sent again."""
        try:
            async with self._at_once[target.id]:
                await self._send(target, letter)
        except TargetGone as err:
            return await self._switch_off(target, letter, str(err))
        except DeliveryFailed as err:
            failure = err
        else:
            self._failing.end((letter.partition, target.id, letter.stream_id))
            self._metrics.sent.inc()
            return ""
        self._failing.begin((letter.partition, target.id, letter.stream_id), str(failure))
        self._metrics.failed.inc()
        now_ms = await self._stored(self._book.now_ms)
        is_old = now_ms - letter.entry_id.ms > DEAD_AFTER_SECONDS * 1000
        if is_old or self._waiting[letter.partition] > CROWDED:
            return self._dead(target, letter, f"{failure} ({'for a day' if is_old else 'while too much waited'})")
        await self._pause(target, max(backoff.next_seconds(), failure.retry_after_seconds), backoff)
        return None

    async def _send(self, target: Target, letter: Letter) -> None:
        """Sends a letter; in a span where its event opened in one."""
        span = None
        if self._tracer and letter.traceparent:
            told = {"target": target.id, "target_kind": target.kind, "stream_id": letter.stream_id}
            span = self._tracer.begin("deliver", letter.traceparent, told=told)
        try:
            await self._post.send(target, letter)
        except DeliveryFailed as err:
            if span:
                span.end(fault=type(err).__name__)
            raise
        if span:
            span.end()

    async def _pause(self, target: Target, seconds: float, backoff: Backoff) -> None:
        """Waits so long, or until somebody changes the target, which may have mended it."""
        with suppress(TimeoutError):
            if self._targets.get(target.id) == target:
                async with asyncio.timeout(seconds):
                    await self._changed[target.id].wait()
            backoff.reset()

    def _dead(self, target: Target, letter: Letter, why: str) -> str:
        self._metrics.dead.inc()
        log.warning("target %s: a letter of stream %s is dead: %s", target.id, letter.stream_id, why)
        return why

    async def _switch_off(self, target: Target, letter: Letter, why: str) -> str | None:
        """Here at once, and for all as Redis has it: why the letter is dead; None where the target leads elsewhere."""
        self._metrics.failed.inc()
        try:
            async with self._switching:  # so that one alone finds it on
                before, after = await self._stored(partial(self._book.switch_off, target, why))
        except (TargetUnknown, TargetRefused, TargetLocked):  # removed, or under change: what comes next tells
            await asyncio.sleep(POLL_SECONDS)
            return None
        self._know({**self._targets, target.id: after})
        if before.enabled and not after.enabled:
            self._metrics.gone.inc()
            log.warning("target %s: is switched off: %s", target.id, why)
        return self._dead(target, letter, why) if after.gone else None

    async def _stored(self, action: Callable[[], T]) -> T:
        """The action's result, repeated while Redis is away."""
        backoff = Backoff(5.0)
        while True:
            try:
                return await asyncio.to_thread(action)
            except StoreUnavailable:
                await asyncio.sleep(backoff.next_seconds())
