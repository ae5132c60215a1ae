"""How frames get into the queue: a live source never waits, a fast one loses nothing."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from services.ingest.captures.account import Account
from services.ingest.frame_traces import FrameTraces
from services.ingest.metrics import DropReason, IngestMetrics
from shared.entries import Frame
from shared.errors import Fenced, StoreFull, StoreUnavailable, StreamUnknown
from shared.store.frame_queue import FrameWriter, Outcome
from shared.tracing.spans import StageSpan, under_way
from shared.waiting import LONGEST_FOR_STORE_SECONDS, Backoff, pause, until_stored

BATCH_FRAMES: Final = 8
BATCH_SECONDS: Final = 0.1
FULL_POLL_SECONDS: Final = 0.008
LONGEST_FULL_POLL_SECONDS: Final = 0.064
MAX_HELD_FRAMES: Final = 64
MAX_HELD_BYTES: Final = 8 << 20
QUIET_SECONDS: Final = 10.0
SLOW_SECONDS: Final = 1.0
"""What is dropped while Redis takes longer to answer is Redis' doing."""
FULL: Final = "Redis is full: frames are lost"
FULL_FOR_FILES: Final = "Redis is full: its frames wait"

logger = logging.getLogger(__name__)


class Publisher(Protocol):
    """Takes a stream's frames in order; raises StreamUnknown, Fenced or Stopped when it must not go on."""

    store_is_away: bool
    """whether Redis was away, or hung, when last it was tried"""

    @property
    def reason(self) -> str | None:
        """What to say of the frames, where Redis is too full for them."""

    def publish(self, frame: Frame) -> None:
        """Puts a frame into the queue, now or with the next ones."""

    def finish(self, last_frame_at_ms: int) -> None:
        """Puts what is held back and the end-of-source marker into the queue."""


class FullStore:
    """Says in the log that Redis is full, and when that is over: once each, for all streams of the process.

    Commits make room for a frame now and then even so: it is over when nothing was refused for 10 s.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refused_at: float | None = None

    def refused(self, now: float) -> None:
        """Redis refused frames for want of memory, at `now` on a clock that only runs forward, in seconds."""
        with self._lock:
            is_new, self._refused_at = self._refused_at is None, now
        if is_new:
            logger.warning("Redis is full: it refuses frames; those of cameras are lost, files wait")

    def took(self, now: float) -> None:
        """Redis took frames."""
        with self._lock:
            if self._refused_at is None or now - self._refused_at < QUIET_SECONDS:
                return
            self._refused_at = None
        logger.warning("Redis takes frames again")


class QueueEnd:
    """The writing end of a stream's queue, measured and with its refusals as errors."""

    def __init__(
        self,
        account: Account,
        writer: FrameWriter,
        metrics: IngestMetrics,
        full: FullStore,
        traces: FrameTraces | None = None,
    ) -> None:
        self._account = account
        self._traces = traces
        self._spans: dict[str, StageSpan] = {}
        """Of frames that are traced, and neither in the queue nor dropped yet."""
        self._full = full
        self._writer = writer
        self._metrics = metrics
        self.is_full = False
        """whether Redis refused what it was given last for want of room"""

    def take_up(self, frame: Frame) -> Frame:
        """The frame as it is to be put, or dropped, now or later: traced, if it is its turn."""
        span = self._traces.begin(self._account.stream_id, frame) if self._traces else None
        if span is None:
            return frame
        self._spans[span.traceparent] = span
        return frame._replace(traceparent=span.traceparent)

    def drop(self, reason: DropReason, frames: Sequence[Frame]) -> None:
        """Gives frames up."""
        self._account.dropped(len(frames))
        self._metrics.dropped(self._account.stream_id, reason, len(frames))
        self._end_spans(frames, reason)

    def put(self, frames: Sequence[Frame]) -> int:
        """How many of the frames are in the queue now; raises StreamUnknown, Fenced or StoreUnavailable."""
        if not self._spans:
            return self._put(frames)
        with under_way(next((frame.traceparent for frame in frames if frame.traceparent), None)):
            accepted = self._put(frames)
        self._end_spans(frames[:accepted])
        return accepted

    def _put(self, frames: Sequence[Frame]) -> int:
        stream_id = self._account.stream_id
        try:
            with self._metrics.timed("publish"):
                outcome, accepted = self._writer.publish(frames)
        except StoreFull:
            self.is_full = True
            self._full.refused(time.monotonic())
            raise
        self.is_full = False
        if outcome is Outcome.GONE:
            raise StreamUnknown(f"stream {stream_id!r} was removed or registered anew")
        if outcome is Outcome.FENCED:
            raise Fenced(f"stream {stream_id!r}: its partition is another worker's")
        if accepted:
            self._full.took(time.monotonic())
        num_frames = sum(frame.jpeg is not None for frame in frames[:accepted])
        self._account.num_settled += num_frames
        self._metrics.published(stream_id, num_frames)
        return accepted

    def _end_spans(self, frames: Sequence[Frame], fault: str | None = None) -> None:
        for frame in frames:
            if frame.traceparent and (span := self._spans.pop(frame.traceparent, None)):
                span.end(fault=fault)


class LivePublisher:
    """Publishes each frame at once. While Redis is away it holds the newest 64 frames, or 8 MiB of them, and drops
    older ones, counted."""

    def __init__(self, queue: QueueEnd, stop: threading.Event) -> None:
        self._queue = queue
        self._stop = stop
        self._held: deque[Frame] = deque()
        self._backoff = Backoff(LONGEST_FOR_STORE_SECONDS)
        self._retry_at = 0.0
        self.store_is_away = False

    @property
    def reason(self) -> str | None:
        """That frames are lost, from the first that was refused to the first that is taken."""
        return FULL if self._queue.is_full else None

    def publish(self, frame: Frame) -> None:
        """Publishes what was held and the frame; holds it where Redis is away."""
        self._held.append(self._queue.take_up(frame))
        while len(self._held) > MAX_HELD_FRAMES or sum(len(held.jpeg or b"") for held in self._held) > MAX_HELD_BYTES:
            self._queue.drop("store_unavailable", [self._held.popleft()])
        if time.monotonic() < self._retry_at:
            return
        began = time.monotonic()
        try:
            self._queue.put(list(self._held))
        except StoreUnavailable:
            self.store_is_away = True
            self._retry_at = time.monotonic() + self._backoff.next_seconds()
            return
        self._held.clear()
        self._backoff.reset()
        self.store_is_away = time.monotonic() - began > SLOW_SECONDS

    def finish(self, last_frame_at_ms: int) -> None:
        """Waits for Redis, then publishes what was held and the marker."""
        until_stored(partial(self._queue.put, [*self._held, Frame.end(last_frame_at_ms)]), self._stop)
        self._held.clear()


class FastPublisher:
    """Publishes in batches of up to 8 and waits while inference has enough in its queue: 8 ms, then longer.

    While Redis is away, or full, `waits` is told the reason now and then.
    """

    store_is_away = False  # it waits, and loses nothing

    def __init__(
        self, queue: QueueEnd, stop: threading.Event, waits: Callable[[str | None], None] = lambda _reason: None
    ) -> None:
        self._queue = queue
        self._stop = stop
        self._waits = waits
        self._batch: list[Frame] = []
        self._began = 0.0

    @property
    def reason(self) -> str | None:
        """That frames wait for room in Redis itself."""
        return FULL_FOR_FILES if self._queue.is_full else None

    def publish(self, frame: Frame) -> None:
        """Adds the frame to the batch; publishes a batch that is full or a tenth of a second old."""
        if not self._batch:
            self._began = time.monotonic()
        self._batch.append(self._queue.take_up(frame))
        if len(self._batch) >= BATCH_FRAMES or time.monotonic() - self._began >= BATCH_SECONDS:
            self._flush()

    def finish(self, last_frame_at_ms: int) -> None:
        """Publishes what is left and the marker."""
        self._batch.append(Frame.end(last_frame_at_ms))
        self._flush()

    def _flush(self) -> None:
        """Publishes the batch. Once the queue is full, single frames probe it, so that polls stay small."""
        num_tried, poll_seconds = len(self._batch), FULL_POLL_SECONDS
        while self._batch:
            put = partial(self._queue.put, self._batch[:num_tried])
            accepted = until_stored(put, self._stop, lambda: self._waits(self.reason))
            del self._batch[:accepted]
            if accepted == num_tried:
                num_tried, poll_seconds = len(self._batch), FULL_POLL_SECONDS
            else:
                num_tried = 1
                pause(self._stop, poll_seconds)
                poll_seconds = min(2 * poll_seconds, LONGEST_FULL_POLL_SECONDS)
