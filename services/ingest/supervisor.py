"""Keeps one capture running for every registered stream."""

import logging
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from services.ingest.capture import Capture
from services.ingest.outlet import Workplace
from shared.errors import StoreUnavailable
from shared.leases import HEARTBEAT_SECONDS, beat, sign_off
from shared.streams import StreamSpec, StreamState

POLL_SECONDS: Final = 0.5
STOP_SECONDS: Final = 4.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Playing:
    """What a capture depends on: when any of it changes, the stream starts anew."""

    source: str
    fps: float
    pace: str
    loop: bool
    base_ms: int
    generation: int

    @classmethod
    def of(cls, spec: StreamSpec) -> "Playing":
        """The parts of a spec that ingest acts on."""
        return cls(spec.source, spec.fps, spec.pace, spec.loop, spec.base_ms, spec.generation)


@dataclass(frozen=True, slots=True)
class Running:
    """A capture and its thread."""

    playing: Playing
    capture: Capture
    thread: threading.Thread
    stop: threading.Event


class Supervisor:
    """Compares the registry with what runs, twice a second: starts, stops and restarts captures."""

    def __init__(self, place: Workplace, worker_id: str, stop: threading.Event) -> None:
        self._place = place
        self._worker_id = worker_id
        self._stop = stop
        self._running: dict[str, Running] = {}
        self._over: dict[str, Playing] = {}
        self._fenced = False
        self._beaten_at = -HEARTBEAT_SECONDS

    def run(self) -> int:
        """Works until `stop` is set (returns 0) or another ingest process has taken over (returns 1)."""
        store_away = False
        while not self._stop.is_set() and not self._fenced:
            try:
                self._tick()
                store_away = False
            except StoreUnavailable as err:
                if not store_away:
                    logger.warning("waiting for Redis: %s", err)
                store_away = True
            self._stop.wait(POLL_SECONDS)
        self._shut_down(store_away=store_away)
        return 1 if self._fenced else 0

    def _tick(self) -> None:
        if time.monotonic() - self._beaten_at >= HEARTBEAT_SECONDS:
            beat(self._place.client, "ingest", self._worker_id)
            self._beaten_at = time.monotonic()
        specs = self._place.registry.specs()
        self._reap(specs)
        for stream_id, running in self._running.items():
            if stream_id not in specs or Playing.of(specs[stream_id]) != running.playing:
                running.stop.set()
        self._start([spec for spec in specs.values() if self._is_due(spec)])

    def _reap(self, specs: dict[str, StreamSpec]) -> None:
        """Clears away captures that are over and what is known of streams that are gone."""
        for stream_id, running in list(self._running.items()):
            if running.thread.is_alive():
                continue
            del self._running[stream_id]
            self._fenced |= running.capture.fenced
            if not running.stop.is_set():
                self._over[stream_id] = running.playing
            if stream_id not in specs:
                self._place.metrics.forget(stream_id)
        for stream_id in self._over.keys() - specs.keys():
            del self._over[stream_id]
            self._place.metrics.forget(stream_id)

    def _is_due(self, spec: StreamSpec) -> bool:
        return spec.id not in self._running and self._over.get(spec.id) != Playing.of(spec)

    def _start(self, due: list[StreamSpec]) -> None:
        """Starts captures, but for files that were played to their end before this process began."""
        if not due:
            return
        for record in self._place.registry.records(spec.id for spec in due):
            spec, status = record.spec, record.status
            playing = Playing.of(spec)
            ended = status.state is StreamState.ENDED
            if ended and (status.generation, status.base_ms) == (spec.generation, spec.base_ms):
                self._over[spec.id] = playing
                continue
            stop = threading.Event()
            capture = Capture(spec, self._place, stop)
            thread = threading.Thread(target=capture.run, name=f"capture-{spec.id}", daemon=True)
            self._running[spec.id] = Running(playing, capture, thread, stop)
            thread.start()

    def _shut_down(self, *, store_away: bool) -> None:
        """Stops every capture and waits for them together, for a few seconds at most."""
        for running in self._running.values():
            running.stop.set()
        deadline = time.monotonic() + STOP_SECONDS
        for stream_id, running in self._running.items():
            running.thread.join(max(0.0, deadline - time.monotonic()))
            if running.thread.is_alive():
                logger.warning("stream %s: did not stop in time", stream_id)
        if self._fenced:
            logger.error("another ingest process has taken over; stopping")
        if not store_away:
            with suppress(StoreUnavailable):
                sign_off(self._place.client, "ingest", self._worker_id)
