"""Where a stream's frames go: JPEG, queue and status, the same for files and cameras."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import redis

from services.ingest.captures.publisher import FastPublisher, LivePublisher, Publisher, QueueEnd
from services.ingest.captures.status import StatusReporter
from services.ingest.metrics import IngestMetrics
from services.ingest.readers.messages import Picture
from services.ingest.readers.reader import ReadJob
from services.ingest.readers.reading import Reading, reading
from services.ingest.settings import IngestSettings
from services.ingest.sources.decoding.hardware import SOFTWARE
from services.ingest.sources.decoding.tally import Tally
from services.ingest.sources.options import MAX_FILE_THREADS, ReadOptions
from services.ingest.sources.video import VideoInfo
from shared.errors import SourceCrashed, SourceFailed
from shared.frame_queue import FrameWriter, NewFrame
from shared.leases import Lease
from shared.redaction import redact
from shared.registry import Registry
from shared.sources import Source
from shared.streams import Progress, StreamSpec
from shared.waiting import Stopped

MAX_FAST_FILES: Final = 16
TURN_SECONDS: Final = 0.25

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Workplace:
    """What all streams of this process share."""

    client: redis.Redis
    registry: Registry
    metrics: IngestMetrics
    settings: IngestSettings
    turns: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MAX_FAST_FILES))


class Outlet:
    """Takes one stream's sampled frames. `last_ms` is the time of the newest frame ever published, 0 if none was."""

    def __init__(
        self,
        spec: StreamSpec,
        source: Source,
        status: StatusReporter,
        place: Workplace,
        lease: Lease,
        stop: threading.Event,
    ) -> None:
        self.status = status
        self._stream_id = spec.id
        self._stop = stop
        self._place = place
        self._fast = source.is_file and spec.pace == "fast"
        self._job = ReadJob(source, spec.fps, 0, self._options(spec), place.settings.jpeg_quality)
        pace = "fast" if self._fast else "live"
        self._writer = FrameWriter(place.client, spec.id, spec.generation, pace, lease)
        self._queue = queue = QueueEnd(spec.id, self._writer, place.metrics)
        self._publisher: Publisher = FastPublisher(queue, stop) if self._fast else LivePublisher(queue, stop)
        self._num_received = 0
        self.last_ms = 0

    def _options(self, spec: StreamSpec) -> ReadOptions:
        settings = self._place.settings
        return ReadOptions(
            num_threads=min(MAX_FILE_THREADS, os.cpu_count() or 1) if self._fast else 1,
            short_side=settings.transport_short_side,
            stall_seconds=settings.stall_seconds,
            rtsp_transport=spec.rtsp_transport,
            skip=spec.skip,
            hwaccel=settings.hwaccel,
            forbidden=settings.forbidden,
        )

    def resume(self, progress: Progress) -> None:
        """Finds out where an earlier process left off; raises StoreUnavailable."""
        newest = self._writer.last_entry_id() or progress.cursor
        self.last_ms = max(_time_of(newest), _time_of(progress.cursor))

    @contextmanager
    def opened(self) -> Iterator[Reading]:
        """The source, open, as a new epoch; what goes wrong with it is a SourceFailed that names it.

        Only so many files are read at once as fast as it goes; the others wait their turn here.
        """
        metrics, stream_id = self._place.metrics, self._stream_id
        with self._turn():
            try:
                with reading(self._job, self._stop, self._counted, self._changed) as source:
                    metrics.connected(stream_id)
                    self.status.connected(source.info)
                    self._check_decoder(source.info)
                    yield source
            except SourceFailed as err:
                metrics.failed(stream_id, crashed=isinstance(err, SourceCrashed))
                raise type(err)(f"source {redact(self._job.source.location)}: {err}") from err

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._fast:
            yield
            return
        while not self._place.turns.acquire(timeout=TURN_SECONDS):
            if self._stop.is_set():
                raise Stopped
        try:
            yield
        finally:
            self._place.turns.release()

    def skip_to(self, first_point: int) -> None:
        """Has the next opening leave out the frames before a point of the grid."""
        self._job = replace(self._job, first_point=first_point)

    def send(self, picture: Picture, captured_at_ms: int, due_at_ms: int) -> None:
        """Publishes a picture under its time."""
        media_seconds, epoch = picture.point / self._job.fps, self.status.current.epoch
        self._publisher.publish(NewFrame(captured_at_ms, due_at_ms, epoch, media_seconds, picture.jpeg))
        self.last_ms = captured_at_ms
        self.status.flowing(captured_at_ms)

    def _counted(self, tally: Tally) -> None:
        """While Redis is away this thread waits for it, and what the reader drops meanwhile is Redis' doing."""
        self._num_received += tally.decoded - tally.skipped - tally.dropped
        self._place.metrics.counted(
            self._stream_id, tally, "store_unavailable" if self._publisher.store_is_away else "busy"
        )

    def _changed(self, info: VideoInfo) -> None:
        self.status.resized(info)
        self._check_decoder(info)

    def _check_decoder(self, info: VideoInfo) -> None:
        """Hardware that was asked for and does not decode is worth a warning, and no more: software does as well."""
        wanted = self._job.options.hwaccel
        if (wanted != "none") and info.decoder == SOFTWARE:
            self._place.metrics.fell_back(self._stream_id)
            logger.warning(
                "stream %s: hwaccel %s does not decode it here; software does",
                self._stream_id,
                wanted,
                extra={"stream_id": self._stream_id},
            )

    def close(self) -> None:
        """Counts as dropped what was received and will not be published."""
        if num_left := self._num_received - self._queue.num_settled:
            self._queue.drop("stopped", num_left)

    def finish(self) -> None:
        """Marks the end of the source, unless nothing was ever published."""
        if self.last_ms:
            self._publisher.finish(self.last_ms)


def _time_of(entry_id: str) -> int:
    return int(entry_id.partition("-")[0])
