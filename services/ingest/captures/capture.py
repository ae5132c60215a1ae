"""One stream's life, from taking it up until it ends, fails or must stop."""

import logging
import threading
import time
from contextlib import suppress
from functools import partial

from services.ingest.captures.attempts import Attempts
from services.ingest.captures.camera import watch
from services.ingest.captures.outlet import Outlet, Workplace
from services.ingest.captures.playback import play
from services.ingest.captures.status import StatusReporter
from shared.errors import Fenced, SourceCrashed, SourceFailed, SourceRefused, StreamUnknown
from shared.leases import Lease
from shared.sources import check_file, parse_source
from shared.streams import StreamSpec, StreamState, StreamStatus
from shared.waiting import Stopped, pause, until_stored

logger = logging.getLogger(__name__)


class Capture:
    """Runs one stream on a thread of its own; `run` never raises.

    `fenced` says afterwards that another worker owns the stream's partition.
    """

    def __init__(self, spec: StreamSpec, place: Workplace, lease: Lease, stop: threading.Event) -> None:
        self._spec = spec
        self._lease = lease
        self._place = place
        self._stop = stop
        self._status = StatusReporter(
            spec.id,
            StreamStatus(generation=spec.generation, base_ms=spec.base_ms),
            partial(place.registry.set_status, lease=lease),
            place.metrics,
            stop,
        )
        self.fenced = False

    def run(self) -> None:
        """Captures the stream until it is over."""
        try:
            self._capture()
        except Stopped:
            with suppress(StreamUnknown, Fenced):
                self._status.stopped()
        except StreamUnknown:
            logger.info("stream %s: removed", self._spec.id, extra={"stream_id": self._spec.id})
        except Fenced:
            self.fenced = True
        except Exception as err:
            logger.exception("stream %s: internal error", self._spec.id, extra={"stream_id": self._spec.id})
            with suppress(StreamUnknown, Stopped, Fenced):
                self._status.change(StreamState.FAILED, f"internal error: {type(err).__name__}")

    def _capture(self) -> None:
        record = until_stored(partial(self._place.registry.get, self._spec.id), self._stop)
        self._status.resume(record.status)
        self._status.change(StreamState.CONNECTING)
        try:
            source = parse_source(self._spec.source, self._place.settings.media_root)
            check_file(source)
        except SourceRefused as err:
            self._status.change(StreamState.FAILED, str(err))
            return
        outlet = Outlet(self._spec, source, self._status, self._place, self._lease, self._stop)
        until_stored(partial(outlet.resume, record.progress), self._stop)
        if self._follows_another_recording(record.status):
            outlet.finish()  # its events end, its memory goes
            if outlet.last_ms >= self._spec.base_ms:
                self._begin_after(outlet.last_ms)
                return
        try:
            if source.is_file:
                self._play(outlet)
            else:
                watch(outlet, self._stop)
        finally:
            outlet.close()

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

    def _play(self, outlet: Outlet) -> None:
        """A file to its end; a failure on the way closes what was published just as well.

        What ended its reader is tried again: it may have been the machine.
        """
        attempts = Attempts()
        state, reason = StreamState.ENDED, None
        while True:
            attempts.live(time.monotonic())
            try:
                play(self._spec, outlet, self._stop)
                break
            except SourceFailed as err:
                retry = attempts.failed(err, time.monotonic())
                if retry.state is StreamState.FAILED or not isinstance(err, SourceCrashed):
                    state, reason = StreamState.FAILED, str(err)
                    break
                self._status.retries(retry.state, str(err), retry.seconds)
                pause(self._stop, retry.seconds)
        outlet.finish()
        self._status.change(state, reason)
