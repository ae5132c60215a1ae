"""Keeps one capture running for every registered stream."""

import logging
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Final

from services.ingest.captures.account import Account
from services.ingest.captures.capture import Capture
from services.ingest.captures.clock import outlook
from services.ingest.captures.inlet import Workplace
from services.ingest.captures.offline import OfflineWatch
from services.ingest.captures.playback import Lookout
from shared.clock import now_ms, steady_ms, wall_offset_ms
from shared.errors import Fenced, StoreUnavailable
from shared.life.outages import tell_outages
from shared.records import SPEC, StreamRecord, problem_of
from shared.service.tenancy import Tenancy
from shared.store.leases import Lease
from shared.store.registry import Registry, RegistryListing
from shared.streams import StreamSpec, StreamState

POLL_SECONDS: Final = 0.25
BUSY_POLL_SECONDS: Final = 0.05
UNREADABLE_SECONDS: Final = 5.0
STOP_SECONDS: Final = 4.0
MAX_AT_ONCE: Final = 50
"""How many streams begin, and how many removed ones end, at once: thousands together would hold up whoever comes next,
and the leases' renewal."""

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
    stall_seconds: float | None
    paused: bool
    transport_short_side: int | None

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


class SetAside:
    """Streams whose record this version cannot read: each is named once in the log, and looked at now and then."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._problems: dict[str, str] = {}
        self._rests_until: dict[str, float] = {}

    def is_resting(self, stream_id: str) -> bool:
        """Whether the stream need not be looked at again yet."""
        return time.monotonic() < self._rests_until.get(stream_id, 0.0)

    def note(self, stream_id: str, problem: str) -> bool:
        """The stream's record has this problem; returns whether that is new."""
        self._rests_until[stream_id] = time.monotonic() + UNREADABLE_SECONDS
        if self._problems.get(stream_id) == problem:
            return False
        self._problems[stream_id] = problem
        logger.warning("stream %s: is left be: %s", stream_id, problem, extra={"stream_id": stream_id})
        return True

    def forget(self, stream_id: str) -> None:
        """The stream's record can be read, or is gone."""
        self._problems.pop(stream_id, None)
        self._rests_until.pop(stream_id, None)

    def look_at(self, listing: RegistryListing, held: Mapping[int, Lease]) -> None:
        """Notes the streams whose spec is unreadable, and forgets those that are gone."""
        due = [stream_id for stream_id in listing.unreadable if not self.is_resting(stream_id)]
        records = {record.spec.id: record for record in self._registry.records(due)} if due else {}
        for stream_id in due:
            is_new = self.note(stream_id, problem_of(listing.unreadable[stream_id]))
            if is_new and stream_id in records:
                self._tell(records[stream_id], held.get(self._registry.partition_of(stream_id)))
        known = (listing.unreadable, listing.specs)
        for stream_id in [each for each in self._problems if not any(each in ids for ids in known)]:
            self.forget(stream_id)

    def _tell(self, record: StreamRecord, lease: Lease | None) -> None:
        """Stores the reason for an api that can read the spec, unless there is more that must not be overwritten."""
        is_over = record.status.state is StreamState.ENDED
        if lease is None or is_over or any(not part.startswith(SPEC) for part in record.unreadable):
            return
        news = {"state": StreamState.FAILED, "reason": record.problem, "generation": record.spec.generation}
        status = record.status.model_copy(update={**news, "next_attempt_at_ms": None, "updated_at_ms": now_ms()})
        with suppress(Fenced):
            self._registry.set_status(record.spec.id, status, lease)


class Supervisor:
    """Compares the registry with what runs: starts, stops and restarts captures of the partitions it holds."""

    def __init__(self, place: Workplace, tenancy: Tenancy, stop: threading.Event) -> None:
        self._place = place
        self._tenancy = tenancy
        self._stop = stop
        self._listing = place.registry.listing()
        self._unsettled: dict[str, None] = {}
        """Streams that may have to be started or stopped, in the order in which that was heard of."""
        self._running: dict[str, Running] = {}
        self._over: dict[str, Playing] = {}
        self._aside = SetAside(place.registry)
        self._lookout = Lookout()
        self._offline = OfflineWatch()
        self._untold: dict[str, tuple[int, Account]] = {}

    def run(self) -> None:
        """Works until `stop` is set, under leases that it takes and gives back."""
        threading.Thread(target=self._lookout.run, args=(self._stop,), name="lookout", daemon=True).start()
        with self._tenancy:
            self._supervise()
            self._shut_down()

    def _supervise(self) -> None:
        store_away, defect = False, ""
        while not self._stop.is_set():
            has_more = False
            try:
                has_more = self._tick()
                store_away = False
            except StoreUnavailable as err:
                if not store_away:
                    logger.warning("waiting for Redis: %s", err)
                store_away = True
            except Exception as err:  # a loop's top: what runs goes on
                if (said := repr(err)) != defect:
                    logger.exception("internal error")
                defect = said
            self._stop.wait(BUSY_POLL_SECONDS if has_more else POLL_SECONDS)

    def _tick(self) -> bool:
        """One look at everything; whether there is more to do than is done at once."""
        self._look_at_clock()
        held = self._tenancy.held()
        listing = self._listing
        changed = listing.look(held)
        self._unsettled |= dict.fromkeys(changed)
        specs = listing.specs
        self._reap(specs)
        for stream_id in changed & self._running.keys() & specs.keys():
            self._count_apart(specs[stream_id])
        removed, num_ending = [], 0
        for stream_id, running in self._running.items():
            is_held = held.get(running.lease.partition) == running.lease
            if running.stop.is_set():
                num_ending += running.capture.is_removed
            elif is_held and stream_id not in specs and stream_id not in listing.unreadable:
                removed.append(running)
            elif not is_held or self._is_another(specs.get(stream_id), running):
                running.stop.set()
        self._hand_back()
        waiting = [each for each in self._unsettled if each in specs and not self._is_settled(specs[each])]
        self._unsettled = dict.fromkeys(waiting)
        due = [specs[stream_id] for stream_id in waiting if not self._aside.is_resting(stream_id)]
        self._start(due[:MAX_AT_ONCE], held)
        for running in removed[: max(0, MAX_AT_ONCE - num_ending)]:
            running.capture.is_removed = True
            running.stop.set()
        self._aside.look_at(listing, held)
        self._tell_offline(specs, held)
        return len(due) > MAX_AT_ONCE or bool(removed)

    def _look_at_clock(self) -> None:
        if step_ms := self._place.host_clock.step_ms(wall_offset_ms(), steady_ms()):
            self._place.metrics.clock_stepped(step_ms)
            way = "back" if step_ms < 0 else "forward"
            said = "this host's clock was set %s by %.1f s: frames keep their distances%s"
            logger.warning(said, way, abs(step_ms) / 1000, outlook(-step_ms))

    def _hand_back(self) -> None:
        """Frees the partitions that fall to other workers, once their captures have ended."""
        busy = {running.lease for running in self._running.values()}
        self._tenancy.give_back([lease for lease in self._tenancy.leaving().values() if lease not in busy])

    def _tell_offline(self, specs: Mapping[str, StreamSpec], held: Mapping[int, Lease]) -> None:
        """Opens and closes the events of cameras' being away, as many as are told at once."""
        running = ((stream_id, each.capture.standing) for stream_id, each in self._running.items())
        standings = {stream_id: standing for stream_id, standing in running if standing}
        news = self._offline.look(standings, specs, time.monotonic())[:MAX_AT_ONCE]
        owned = [(each, held.get(self._place.registry.partition_of(each.spec.id))) for each in news]
        if leases := [(each, lease) for each, lease in owned if lease]:
            self._offline.told(tell_outages(self._place.client, leases))

    def _reap(self, specs: dict[str, StreamSpec]) -> None:
        """Clears away captures that are over and what is known of streams that are gone."""
        for stream_id, running in list(self._running.items()):
            if running.thread.is_alive():
                continue
            del self._running[stream_id]
            self._unsettled[stream_id] = None
            if running.capture.fenced:  # what it could not store any more is not lost with it
                self._tenancy.lost(running.lease)
                self._untold[stream_id] = running.playing.generation, running.capture.account
            elif not running.stop.is_set():
                self._set_over(stream_id, running.playing)
                if running.capture.given_up:
                    self._lookout.note(stream_id, running.capture.given_up, time.monotonic())
            if stream_id in specs:
                self._place.metrics.rest(stream_id)
            else:
                self._place.metrics.forget(stream_id)
        self._place.metrics.sweep()
        for stream_id in self._lookout.take():
            self._over.pop(stream_id, None)
            self._unsettled[stream_id] = None
        for stream_id in [each for each in self._untold if each not in specs]:
            del self._untold[stream_id]
        for stream_id in [each for each in self._over if each not in specs]:
            del self._over[stream_id]
            self._lookout.forget(stream_id)
            self._place.metrics.forget(stream_id)

    def _set_over(self, stream_id: str, playing: Playing) -> None:
        self._over[stream_id] = playing
        self._offline.over(stream_id)

    def _is_settled(self, spec: StreamSpec) -> bool:
        """Whether the stream is captured, or was until it was over."""
        over = self._over.get(spec.id)
        return spec.id in self._running or (over is not None and over == Playing.of(spec))

    def _is_another(self, spec: StreamSpec | None, running: Running) -> bool:
        """Whether the capture is not what the user wants now."""
        return spec is None or (spec.id in self._unsettled and Playing.of(spec) != running.playing)

    def _start(self, due: list[StreamSpec], held: Mapping[int, Lease]) -> None:
        """Starts captures, but for files that were played to their end before this process began."""
        if not due:
            return
        num_started = 0
        for record in self._place.registry.records(spec.id for spec in due):
            spec, status = record.spec, record.status
            if record.problem:
                self._aside.note(spec.id, record.problem)
                continue
            self._aside.forget(spec.id)
            playing = Playing.of(spec)
            ended = status.state is StreamState.ENDED
            if ended and (status.generation, status.base_ms) == (spec.generation, spec.base_ms):
                self._set_over(spec.id, playing)
                continue
            stop, lease = threading.Event(), held[self._place.registry.partition_of(spec.id)]
            generation, untold = self._untold.pop(spec.id, (0, None))
            capture = Capture(spec, self._place, lease, stop, untold if generation == spec.generation else None)
            thread = threading.Thread(target=capture.run, name=f"capture-{spec.id}", daemon=True)
            self._count_apart(spec)
            try:
                thread.start()
            except RuntimeError as err:
                self._place.metrics.forget(spec.id)
                logger.warning("waiting with %d streams: %s", len(due) - num_started, err)
                return
            num_started += 1
            self._running[spec.id] = Running(playing, lease, capture, thread, stop)

    def _count_apart(self, spec: StreamSpec) -> None:
        """Begins the stream's own series, unless there is nothing to count."""
        if not spec.paused:
            self._place.metrics.add(spec.id, spec.groups)

    def _shut_down(self) -> None:
        """Stops every capture and waits for them together, for a few seconds at most."""
        for running in self._running.values():
            running.stop.set()
        deadline = time.monotonic() + STOP_SECONDS
        for stream_id, running in self._running.items():
            running.thread.join(max(0.0, deadline - time.monotonic()))
            if running.thread.is_alive():
                logger.warning("stream %s: did not stop in time", stream_id, extra={"stream_id": stream_id})
