"""Where ingest tries the sources that somebody asks about over REST."""

import logging
import threading
import time
from contextlib import suppress
from typing import Final, Self

from services.ingest.own_redis import OwnRedis
from services.ingest.readers.probe import probe
from services.ingest.settings import IngestSettings
from services.ingest.sources.options import ReadOptions
from shared.errors import SourceFailed, SourceRefused, StoreUnavailable
from shared.probes import PROBE_SECONDS, ProbeQueue, ProbeReport, ProbeRequest
from shared.sources import check_file, parse_source
from shared.waiting import Stopped
from shared.words.redaction import redact, shown_source

NUM_SEATS: Final = 4
POLL_SECONDS: Final = 0.5  # of each seat; together they look more often

logger = logging.getLogger(__name__)


class ProbeDesk:
    """Tries at most NUM_SEATS sources at a time, on threads that live from `with` to its end, which sets `stop`."""

    def __init__(
        self,
        queue: ProbeQueue,
        settings: IngestSettings,
        own_redis: OwnRedis,
        stop: threading.Event,
        limit_seconds: float = PROBE_SECONDS,
    ) -> None:
        self._queue = queue
        self._settings = settings
        self._own_redis = own_redis
        self._stop = stop
        self._limit_seconds = limit_seconds
        self._seats = [threading.Thread(target=self._serve, name=f"probe-{number}") for number in range(NUM_SEATS)]

    def __enter__(self) -> Self:
        """Begins to look for requests."""
        for seat in self._seats:
            seat.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        """Breaks off what is being tried."""
        self._stop.set()
        for seat in self._seats:
            seat.join()
        with suppress(StoreUnavailable):
            self._queue.leave()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                if taken := self._queue.take():
                    probe_id, request = taken
                    self._queue.answer(probe_id, self._tried(request))
            except StoreUnavailable as err:  # whoever asked is told by the api
                logger.debug("probe: %s", err)
            except Exception:  # a thread's top: without it the seat would stay empty
                logger.exception("probe: internal error")
            self._stop.wait(POLL_SECONDS)

    def _tried(self, request: ProbeRequest) -> ProbeReport:
        """What came of it, good or bad."""
        began, shown = time.monotonic(), shown_source(request.source)
        try:
            source = parse_source(request.source, self._settings.media_root)
            check_file(source)
            report = probe(source, self._options(request), self._stop, self._limit_seconds)
        except SourceRefused as err:  # nobody can say where the login in a mistyped URL ends
            reason, shown = redact(str(err)), "a refused source"
        except SourceFailed as err:
            reason = redact(str(err))
        except Stopped:
            reason = "the ingest worker that tried it was stopped: try again"
        else:
            logger.info("probe of %s: %s", shown, report.codec)
            return report
        logger.info("probe of %s: %s", shown, reason)
        return ProbeReport(took_seconds=round(time.monotonic() - began, 3), reason=reason)

    def _options(self, request: ProbeRequest) -> ReadOptions:
        return ReadOptions(
            short_side=self._settings.transport_short_side,
            stall_seconds=min(self._settings.stall_seconds, self._limit_seconds),
            rtsp_transport=request.rtsp_transport,
            forbidden=self._own_redis.addresses(),
        )
