"""One stream's life, from taking it up until it ends, fails or must stop.

A frame's way: its reader, `times`, the publisher, the queue. What is told of it stands beside: account and status.
"""

import logging
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from services.ingest.captures.account import Account
from services.ingest.captures.attempts import Attempts
from services.ingest.captures.clock import CameraTimes, outlook
from services.ingest.captures.inlet import Inlet, Workplace
from services.ingest.captures.offline import Standing
from services.ingest.captures.playback import FileTimes, GivenUp
from services.ingest.captures.publisher import FastPublisher, LivePublisher, Publisher, QueueEnd
from services.ingest.captures.status import StatusReporter
from services.ingest.metrics import IngestMetrics
from services.ingest.readers.messages import Picture
from services.ingest.readers.starting import REASONS, lost
from services.ingest.sources.decoding.tally import Tally
from shared.clock import now_ms, steady_ms
from shared.entries import EntryId, Frame
from shared.errors import Fenced, ReaderLost, SourceChanged, SourceFailed, SourceRefused, StreamUnknown
from shared.sources import Source, parse_source
from shared.store.frame_queue import FrameWriter
from shared.store.leases import Lease
from shared.streams import Progress, StreamSpec, StreamState, StreamStatus
from shared.waiting import Stopped, pause, until_stored

BREATH_SECONDS: Final = 1.0
DEFECT_SECONDS: Final = 30.0

logger = logging.getLogger(__name__)


class Capture:
    """Runs one stream on a thread of its own; `run` never raises.

    `fenced` says afterwards that another worker owns the stream's partition. `is_removed` is said before it is stopped:
    nobody is left to be told, and thousands at once would hold up whoever comes next.
    """

    def __init__(
        self,
        spec: StreamSpec,
        place: Workplace,
        lease: Lease,
        stop: threading.Event,
        earlier: Account | None = None,
    ) -> None:
        self._spec = spec
        self._place = place
        self._lease = lease
        self._stop = stop
        self.account = Account(spec.id, num_lost=earlier.num_lost if earlier else 0)
        self._status = StatusReporter(
            self.account,
            StreamStatus(generation=spec.generation, base_ms=spec.base_ms),
            partial(place.registry.set_status, lease=lease),
            place.metrics,
            stop,
        )
        self._is_camera: bool | None = None
        self._defect: Exception | None = None
        self.fenced = False
        self.given_up: GivenUp | None = None
        self.is_removed = False

    @property
    def standing(self) -> Standing | None:
        """How the stream stands, once its source is known; for other threads."""
        is_camera, state = self._is_camera, self._status.current.state
        return None if is_camera is None else Standing.of(self.account, state, is_camera=is_camera)

    def run(self) -> None:
        """Captures the stream until it is over, whatever goes wrong."""
        while True:
            try:
                self._live()
            except Exception as err:  # a thread's top: what escapes an attempt's own handling
                about = {"stream_id": self._spec.id}
                is_known = repr(err) == repr(self._defect)
                level = logging.DEBUG if is_known else logging.ERROR
                logger.log(level, "stream %s: internal error", self._spec.id, exc_info=err, extra=about)
                self._defect = err
                self._place.metrics.failed(self._spec.id, err)
            else:
                return
            self._stop.wait(BREATH_SECONDS)

    def _live(self) -> None:
        try:
            if self._defect:
                self._status.retries(StreamState.FAILED, said_of(self._defect), DEFECT_SECONDS)
                pause(self._stop, DEFECT_SECONDS)
            self._capture()
        except Stopped:
            with suppress(StreamUnknown, Fenced):
                if not self.is_removed:
                    self._status.stopped()
        except StreamUnknown:
            logger.info("stream %s: removed", self._spec.id, extra={"stream_id": self._spec.id})
        except Fenced:
            self.fenced = True

    def _capture(self) -> None:
        record = until_stored(partial(self._place.registry.get, self._spec.id), self._stop)
        if record.status.generation == self._spec.generation:
            status, account = record.status, self.account
            account.epoch = max(account.epoch, status.epoch)
            account.num_lost = max(account.num_lost, status.frames_dropped)
            account.mark = account.mark or status.mark
            self._status.resume(status)
        self.account.last_ms = until_stored(partial(self._last_ms, record.progress), self._stop)
        if self._follows_another_recording(record.status):
            self._end_former()
            if self.account.last_ms >= self._spec.base_ms:
                self._begin_after(self.account.last_ms)
                return
        if self._spec.paused:
            self._status.change(StreamState.PAUSED)
            return
        self._status.change(StreamState.CONNECTING)
        try:
            source = parse_source(self._spec.source, self._place.settings.media_root)
        except SourceRefused as err:
            self._status.change(StreamState.FAILED, str(err))
            return
        self._is_camera = not source.is_file
        passage = self._passage(source)
        if passage.run() is StreamState.FAILED:
            self.given_up = passage.inlet.given_up

    def _last_ms(self, progress: Progress) -> int:
        """Time of the newest frame that an earlier process published; raises StoreUnavailable."""
        newest = self._writer("fast").last_entry_id() or progress.cursor
        return max(EntryId.parse(newest).ms, EntryId.parse(progress.cursor).ms)

    def _writer(self, pace: str) -> FrameWriter:
        spec = self._spec
        return FrameWriter(self._place.client, spec.id, spec.generation, pace, self._lease)

    def _end_former(self) -> None:
        """Marks the end of the former source in the queue, before the status tells of the next one.

        Its events end, its memory goes: who is killed in between must leave that to whoever comes.
        """
        if self.account.last_ms:
            queue = QueueEnd(self.account, self._writer("fast"), self._place.metrics, self._place.full)
            marker = Frame.end(self.account.last_ms, "source_changed")
            until_stored(partial(queue.put, [marker]), self._stop)

    def _passage(self, source: Source) -> "Passage":
        """What the frames go through, after those of an earlier process."""
        spec, place, account, stop = self._spec, self._place, self.account, self._stop
        is_fast = source.is_file and spec.pace == "fast"
        writer = self._writer("fast" if is_fast else "live")
        ahead_ms = account.last_ms - now_ms()
        if not source.is_file and place.host_clock.is_news(ahead_ms, steady_ms()):
            said = "stream %s: its last frame lies %.1f s ahead of this host's clock: so may others'%s"
            logger.warning(said, spec.id, ahead_ms / 1000, outlook(ahead_ms), extra={"stream_id": spec.id})
        queue = QueueEnd(account, writer, place.metrics, place.full, place.traces)
        times = FileTimes(spec, account, stop) if source.is_file else CameraTimes(spec, account)
        if isinstance(times, CameraTimes):
            place.metrics.tell_ahead(spec.id, times.ahead_seconds)
        publisher = FastPublisher(queue, stop, self._status.held_up) if is_fast else LivePublisher(queue, stop)
        return Passage(
            spec=spec,
            inlet=Inlet(spec, source, account, place, stop),
            times=times,
            publisher=publisher,
            account=account,
            status=self._status,
            metrics=place.metrics,
            stop=stop,
            attempts=Attempts(is_file=source.is_file, ends=source.is_file and spec.pace == "fast" and not spec.loop),
        )

    def _follows_another_recording(self, status: StreamStatus) -> bool:
        return status.generation == self._spec.generation and status.base_ms not in (0, self._spec.base_ms)

    def _begin_after(self, last_ms: int) -> None:
        """Moves the base past frames that the former source published after the change; then all starts anew."""
        registry, is_moved = self._place.registry, False
        while not is_moved:
            seen = until_stored(partial(registry.get, self._spec.id), self._stop).spec
            if (seen.generation, seen.base_ms) != (self._spec.generation, self._spec.base_ms):
                return
            moved = seen.model_copy(update={"base_ms": last_ms + 1})
            is_moved = until_stored(partial(registry.replace, seen, moved), self._stop)


@dataclass(frozen=True, slots=True)
class Passage:
    """What a stream's frames go through from the reader to the queue, and what stands beside it."""

    spec: StreamSpec
    inlet: Inlet
    times: FileTimes | CameraTimes
    publisher: Publisher
    account: Account
    status: StatusReporter
    metrics: IngestMetrics
    stop: threading.Event
    attempts: Attempts

    def run(self) -> StreamState:
        """Has frames pass until the source has ended or failed for good; raises StreamUnknown, Fenced or Stopped."""
        try:
            state, reason = self._until_over()
            self.account.mark = None  # who plays it again begins at its beginning
            if self.account.last_ms:
                self.publisher.finish(self.account.last_ms)
            self.status.change(state, reason)
            return state
        finally:
            if num_left := self.account.num_open:
                self.metrics.dropped(self.spec.id, "stopped", num_left)
                if isinstance(self.times, FileTimes):  # they are read again
                    self.account.num_settled += num_left
                else:
                    self.account.dropped(num_left)

    def _until_over(self) -> tuple[StreamState, str | None]:
        """Attempt after attempt; how it ended, and why."""
        while True:
            try:
                remark = self._attempt()
            except (Stopped, StreamUnknown, Fenced):
                raise
            except Exception as err:  # noqa: BLE001 (told in the status and the log: no error ends a camera)
                failure = machine_trouble(err)
                if isinstance(failure, SourceChanged) and self.attempts.goes_on():
                    continue
                is_defect = not isinstance(failure, SourceFailed)
                reason = said_of(failure) if is_defect else str(failure)
                self.metrics.failed(self.spec.id, failure)
                retry = self.attempts.failed(failure, time.monotonic())
                if retry.seconds is None:
                    return retry.state, reason
                self.status.retries(retry.state, reason, retry.seconds, failure if is_defect else None)
                pause(self.stop, retry.seconds)
            else:
                return StreamState.ENDED, remark

    def _attempt(self) -> str | None:
        """One go at the source: a recording to its end, or for ever where it is looped; a camera until it fails.

        What is odd about the end.
        """
        first_point = self.times.begin()
        while True:
            told = self._counted, self.status.resized, self.status.waiting
            with self.inlet.opened(first_point, self.attempts.patience, *told) as source:
                self.account.opened()
                self.status.connected(source.info, self.account.epoch)
                for picture in source.pictures():
                    self.attempts.live(time.monotonic())
                    captured_at_ms, due_at_ms = self.times.of(picture)
                    self._send(picture, captured_at_ms, due_at_ms)
                if isinstance(self.times, CameraTimes) and not source.info.is_recording:
                    raise SourceFailed("the camera ended the stream")
                self.account.mark = None  # a further pass begins at its beginning
            if not self.spec.loop:
                return source.remark
            first_point = self.times.begin_pass()

    def _send(self, picture: Picture, captured_at_ms: int, due_at_ms: int) -> None:
        media_seconds = picture.point / self.spec.fps
        times = captured_at_ms, due_at_ms, self.account.epoch, media_seconds
        frame = Frame(*times, picture.jpeg, picture.damaged, picture.figures)
        self.publisher.publish(frame)
        self.account.last_ms = captured_at_ms
        self.status.flowing(captured_at_ms, self.publisher.reason)

    def _counted(self, tally: Tally) -> None:
        """While Redis is away this thread waits for it, and what the reader drops meanwhile is Redis' doing."""
        self.account.received(tally)
        self.metrics.counted(self.spec.id, tally, "store_unavailable" if self.publisher.store_is_away else "busy")


def machine_trouble(err: Exception) -> Exception:
    """The error, as ReaderLost where the machine, and no source and no defect, lacks something."""
    if isinstance(err, MemoryError):
        return ReaderLost("out of memory")
    return lost(err) if isinstance(err, OSError) and err.errno in REASONS else err


def said_of(defect: Exception) -> str:
    """All that is shown of a defect: what it says may hold anything."""
    return f"internal error: {type(defect).__name__}"
