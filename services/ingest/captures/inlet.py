"""Where a stream's pictures come in: a reader, started anew for each opening of the source."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import redis

from services.ingest.captures.account import Account
from services.ingest.captures.clock import HostClock
from services.ingest.captures.playback import FileWatch, GivenUp
from services.ingest.captures.publisher import FullStore
from services.ingest.frame_traces import FrameTraces
from services.ingest.metrics import IngestMetrics
from services.ingest.own_redis import OwnRedis
from services.ingest.readers.reader import ReadJob
from services.ingest.readers.reading import Reading, reading
from services.ingest.settings import IngestSettings
from services.ingest.sources.decoding.hardware import SOFTWARE
from services.ingest.sources.decoding.tally import Tally
from services.ingest.sources.options import MAX_FILE_THREADS, ReadOptions, stall_seconds_at
from services.ingest.sources.video import VideoInfo
from shared.errors import SourceAbsent, SourceFailed
from shared.sources import Source
from shared.store.registry import Registry
from shared.streams import StreamSpec
from shared.waiting import Stopped
from shared.words.redaction import shown_source
from shared.words.sealing import Vault

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
    own_redis: OwnRedis
    vault: Vault = field(default_factory=Vault)
    full: FullStore = field(default_factory=FullStore)
    host_clock: HostClock = field(default_factory=HostClock)
    traces: FrameTraces | None = None
    turns: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MAX_FAST_FILES))


class Inlet:
    """Opens one stream's source, as often as it is asked to."""

    def __init__(
        self, spec: StreamSpec, source: Source, account: Account, place: Workplace, stop: threading.Event
    ) -> None:
        self._spec = spec
        self._source = source
        self._place = place
        self._stop = stop
        self._is_fast = source.is_file and spec.pace == "fast"
        self._options = self._options_of(spec)
        self._watch = FileWatch(source.location, stop) if source.is_file else None
        self._account = account
        self._is_retry = False
        self._whose = place.vault.fingerprint(source.location)

    def _options_of(self, spec: StreamSpec) -> ReadOptions:
        settings = self._place.settings
        return ReadOptions(
            num_threads=min(MAX_FILE_THREADS, os.cpu_count() or 1) if self._is_fast else 1,
            short_side=spec.transport_short_side or settings.transport_short_side,
            stall_seconds=spec.stall_seconds or stall_seconds_at(spec.fps, settings.stall_seconds),
            rtsp_transport=spec.rtsp_transport,
            skip=spec.skip,
            hwaccel=settings.hwaccel,
            measures=settings.measures,
        )

    @contextmanager
    def opened(
        self,
        first_point: int,
        patience: float,
        observe: Callable[[Tally], None],
        changed: Callable[[VideoInfo], None],
        waiting: Callable[[str], None],
    ) -> Iterator[Reading]:
        """The source, open, without the frames before a point of the grid; what goes wrong with it is a SourceFailed.

        It may be silent for `patience` times as long as usual, unless the stream says for how long.

        `observe` hears all counts, `changed` that the picture has another size, `waiting` why none comes. Only so many
        files are read at once as fast as it goes; the others wait their turn here.
        """
        stall_seconds = self._options.stall_seconds * (1 if self._spec.stall_seconds else patience)
        forbidden = self._place.own_redis.addresses()
        options = replace(self._options, forbidden=forbidden, stall_seconds=stall_seconds)
        quality = self._place.settings.jpeg_quality
        job = ReadJob(
            self._source, self._spec.fps, first_point, options, quality, self._after, self._is_retry, self._is_fast
        )
        self._is_retry = True

        def checked(info: VideoInfo) -> None:
            changed(info)
            self._check_decoder(info)

        with self._named():
            with self._turn():
                if self._watch:
                    self._watch.look()
                with reading(job, self._stop, observe, checked, waiting, self._marked) as source:
                    self._is_retry = False
                    self._place.metrics.connected(self._spec.id)
                    self._check_decoder(source.info)
                    yield source
            if self._watch and not self._spec.loop and self._watch.goes_on():
                raise SourceAbsent("it is still being written")

    @property
    def given_up(self) -> GivenUp | None:
        """The file that gave nothing, if it is one."""
        return self._watch.given_up if self._watch else None

    @property
    def _after(self) -> str | None:
        """The mark of what was read of this very source, by whatever process."""
        whose, _, mark = (self._account.mark or "").partition(" ")
        return mark if mark and whose == self._whose else None

    def _marked(self, mark: str) -> None:
        """What a reader has read of the source; the next one goes on after that."""
        self._account.mark = f"{self._whose} {mark}"

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Failures say whose they are."""
        try:
            yield
        except SourceFailed as err:
            judged = self._watch.judged(err) if self._watch and type(err) is SourceFailed else err
            raise type(judged)(f"source {shown_source(self._source.location)}: {judged}") from err

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._is_fast:
            yield
            return
        while not self._place.turns.acquire(timeout=TURN_SECONDS):
            if self._stop.is_set():
                raise Stopped
        try:
            yield
        finally:
            self._place.turns.release()

    def _check_decoder(self, info: VideoInfo) -> None:
        """Hardware that was asked for and does not decode is worth a warning, and no more: software does as well."""
        wanted, stream_id = self._options.hwaccel, self._spec.id
        if (wanted != "none") and info.decoder == SOFTWARE:
            self._place.metrics.fell_back(stream_id)
            said = "stream %s: hwaccel %s does not decode it here; software does"
            logger.warning(said, stream_id, wanted, extra={"stream_id": stream_id})
