"""Where a stream's frames go: JPEG, queue and status, the same for files and cameras."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import redis

from services.ingest.metrics import IngestMetrics
from services.ingest.publisher import FastPublisher, LivePublisher, Publisher, QueueEnd
from services.ingest.settings import IngestSettings
from services.ingest.source import SampledFrame, Video, open_video
from services.ingest.status import StatusReporter
from services.ingest.transport import encode_jpeg
from shared.errors import SourceFailed
from shared.frame_queue import FrameWriter, NewFrame
from shared.leases import Lease
from shared.redaction import redact
from shared.registry import Registry
from shared.sources import Source
from shared.streams import Progress, StreamSpec


@dataclass(frozen=True, slots=True)
class Workplace:
    """What all streams of this process share."""

    client: redis.Redis
    registry: Registry
    metrics: IngestMetrics
    settings: IngestSettings


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
        self._source = source
        self._place = place
        self._fast = source.is_file and spec.pace == "fast"
        pace = "fast" if self._fast else "live"
        self._writer = FrameWriter(place.client, spec.id, spec.generation, pace, lease)
        queue = QueueEnd(spec.id, self._writer, place.metrics)
        self._publisher: Publisher = FastPublisher(queue, stop) if self._fast else LivePublisher(queue, stop)
        self.last_ms = 0

    def resume(self, progress: Progress) -> None:
        """Finds out where an earlier process left off; raises StoreUnavailable."""
        newest = self._writer.last_entry_id() or progress.cursor
        self.last_ms = max(_time_of(newest), _time_of(progress.cursor))

    @contextmanager
    def opened(self) -> Iterator[Video]:
        """The source, open, as a new epoch; what goes wrong with it is a SourceFailed that names it."""
        location = self._source.location
        try:
            with open_video(
                location,
                is_file=self._source.is_file,
                fast=self._fast,
                short_side=self._place.settings.transport_short_side,
                observe=self._place.metrics.observe,
            ) as video:
                self._place.metrics.connected(self._stream_id)
                self.status.connected(video.info)
                yield video
        except SourceFailed as err:
            self._place.metrics.failed(self._stream_id)
            raise SourceFailed(f"source {redact(location)}: {err}") from err

    def send(self, frame: SampledFrame, captured_at_ms: int, due_at_ms: int, media_seconds: float) -> None:
        """Publishes a frame under its time."""
        metrics, settings = self._place.metrics, self._place.settings
        if frame.num_undecodable:
            metrics.dropped(self._stream_id, "undecodable", frame.num_undecodable)
        with metrics.timed("encode"):
            jpeg = encode_jpeg(frame.image, settings.jpeg_quality)
        epoch = self.status.current.epoch
        self._publisher.publish(NewFrame(captured_at_ms, due_at_ms, epoch, media_seconds, jpeg))
        self.last_ms = captured_at_ms
        self.status.flowing(captured_at_ms)

    def finish(self) -> None:
        """Marks the end of the source, unless nothing was ever published."""
        if self.last_ms:
            self._publisher.finish(self.last_ms)


def _time_of(entry_id: str) -> int:
    return int(entry_id.partition("-")[0])
