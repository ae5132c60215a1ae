"""Keeps one capture running for every registered stream."""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

from services.ingest.captures.capture import Capture
from services.ingest.captures.intake import Workplace
from shared.errors import StoreUnavailable
from shared.keys import partition_of
from shared.leases import Lease
from shared.streams import StreamSpec, StreamState
from shared.tenancy import Tenancy

POLL_SECONDS: Final = 0.25
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
    rtsp_transport: str
    skip: str

    @classmethod
    def of(cls, spec: StreamSpec) -> "Playing":
        """The parts of a spec that ingest acts on."""
        return cls(**spec.model_dump(include={part.name for part in fields(cls)}))


@dataclass(frozen=True, slots=True)
class Running:
    """A capture and its thread."""

    playing: Playing
    lease: Lease
    capture: Capture
    thread: threading.Thread
    stop: threading.Event


class Supervisor:
    """Compares the registry with what runs: starts, stops and restarts captures of the partitions it holds."""

    def __init__(self, place: Workplace, tenancy: Tenancy, stop: threading.Event) -> None:
        self._place = place
        self._tenancy = tenancy
        self._stop = stop
        self._running: dict[str, Running] = {}
        self._over: dict[str, Playing] = {}

    def run(self) -> None:
        """Works until `stop` is set, under leases that it takes and gives back."""
        with self._tenancy:
            self._supervise()
            self._shut_down()

    def _supervise(self) -> None:
        store_away = False
        while not self._stop.is_set():
            try:
                self._tick()
                store_away = False
            except StoreUnavailable as err:
                if not store_away:
                    logger.warning("waiting for Redis: %s", err)
                store_away = True
            self._stop.wait(POLL_SECONDS)

    def _tick(self) -> None:
        held = self._tenancy.held()
        specs = self._place.registry.specs(held)
        self._reap(specs)
        for stream_id, running in self._running.items():
            is_held = held.get(running.lease.partition) == running.lease
            if not is_held or stream_id not in specs or Playing.of(specs[stream_id]) != running.playing:
                running.stop.set()
        self._hand_back()
        self._start([spec for spec in specs.values() if self._is_due(spec)], held)

    def _hand_back(self) -> None:
        """Frees the partitions that fall to other workers, once their captures have ended."""
        busy = {running.lease for running in self._running.values()}
        self._tenancy.give_back([lease for lease in self._tenancy.leaving().values() if lease not in busy])

    def _reap(self, specs: dict[str, StreamSpec]) -> None:
        """Clears away captures that are over and what is known of streams that are gone."""
        for stream_id, running in list(self._running.items()):
            if running.thread.is_alive():
                continue
            del self._running[stream_id]
            if running.capture.fenced:
                self._tenancy.lost(running.lease)
            elif not running.stop.is_set():
                self._over[stream_id] = running.playing
            if stream_id not in specs:
                self._place.metrics.forget(stream_id)
        for stream_id in self._over.keys() - specs.keys():
            del self._over[stream_id]
            self._place.metrics.forget(stream_id)

    def _is_due(self, spec: StreamSpec) -> bool:
        return spec.id not in self._running and self._over.get(spec.id) != Playing.of(spec)

    def _start(self, due: list[StreamSpec], held: Mapping[int, Lease]) -> None:
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
            stop, lease = threading.Event(), held[partition_of(spec.id)]
            capture = Capture(spec, self._place, lease, stop)
            thread = threading.Thread(target=capture.run, name=f"capture-{spec.id}", daemon=True)
            self._running[spec.id] = Running(playing, lease, capture, thread, stop)
            self._place.metrics.add(spec.id)
            thread.start()

    def _shut_down(self) -> None:
        """Stops every capture and waits for them together, for a few seconds at most."""
        for running in self._running.values():
            running.stop.set()
        deadline = time.monotonic() + STOP_SECONDS
        for stream_id, running in self._running.items():
            running.thread.join(max(0.0, deadline - time.monotonic()))
            if running.thread.is_alive():
                logger.warning("stream %s: did not stop in time", stream_id, extra={"stream_id": stream_id})
