"""A follower of the feed: reads each partition that it holds from its own cursor on, and hands the entries on in order.

The cursor moves only past what the handler is done with. So whoever takes over, after a crash anywhere, begins with
what was not done: every entry is handed on at least once, and in the order of its partition.
"""

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

from services.api.followers.cursors import BEFORE_ALL, Cursors, FeedEnds, GapWay, before
from services.api.followers.entries import FeedEntry
from shared.clock import now_ms
from shared.entries import EntryId
from shared.service.tenancy import Tenancy
from shared.store.errors import Damaged
from shared.store.leases import Lease
from shared.waiting import Stopped, until_stored

POLL_SECONDS: Final = 0.1
LOOK_SECONDS: Final = 5.0
"""So often it looks whether its cursors still lie within the feeds."""
PAGE_ENTRIES: Final = 64
"""So many entries of a partition are handed on and not done at most; what comes after them waits in the feed."""

log = logging.getLogger(__name__)


class Handler(Protocol):
    """Does something with each entry; called from one thread. All but `leave` may raise StoreUnavailable."""

    def take_over(self, lease: Lease) -> None:
        """The partition is this process's from now on: goes on with what another left."""

    def handle(self, lease: Lease, entries: Sequence[FeedEntry]) -> int:
        """How many of the entries, from the first one on, are done and need never be seen again.

        The others are offered again in a moment, together with those that follow: whoever needs time for one begins,
        returns, and says so later. An entry of another kind than it knows, or of none, is done.
        """

    def leave(self, lease: Lease) -> None:
        """The partition is another's: stops what was begun there. Nothing is written under the lease after it."""


class FollowerMetrics:
    """How far a follower is behind, and what it missed."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.entries = Counter("afterimage_follower_entries_total", "Entries of the feed done with.", registry=registry)
        self.lag = Gauge(
            "afterimage_follower_lag_seconds", "Age of the oldest entry of the feed not done with.", registry=registry
        )
        self.gaps = Counter(
            "afterimage_follower_gaps_total",
            "Cursors found outside the feed: behind it, where entries were lost, or ahead of it.",
            ["way"],
            registry=registry,
        )
        for way in ("behind", "ahead"):
            self.gaps.labels(way)


@dataclass(slots=True, eq=False)
class FeedPlace:
    """Where a follower is in one partition: after which entry it reads, and what was handed on and is not done."""

    lease: Lease
    read: EntryId
    under_way: list[FeedEntry] = field(default_factory=list)


class Follower:
    """Follows the feeds of the partitions that its tenancy holds, from `run` until `stop` is set."""

    def __init__(
        self, cursors: Cursors, tenancy: Tenancy, handler: Handler, metrics: FollowerMetrics, stop: threading.Event
    ) -> None:
        self._cursors = cursors
        self._tenancy = tenancy
        self._handler = handler
        self._metrics = metrics
        self._stop = stop
        self._places: dict[int, FeedPlace] = {}
        self._version = -1
        self._look_at = 0.0
        self._damaged: dict[int, str] = {}

    def run(self) -> None:
        """Works until stopped, under leases that it takes and gives back."""
        with self._tenancy:
            try:
                while not self._stop.is_set():
                    num_done = until_stored(self.poll, self._stop, on_failure=self._look_again)
                    self._stop.wait(0 if num_done else POLL_SECONDS)
            except Stopped:
                pass
            finally:
                self._leave(list(self._places.values()))

    def poll(self) -> int:
        """Reads, hands on, and moves the cursors once; how many entries are done. Raises StoreUnavailable."""
        self._follow_leases()
        if time.monotonic() >= self._look_at:
            self._look(self._places)
            self._look_at = time.monotonic() + LOOK_SECONDS
        room = {
            partition: (place.read, PAGE_ENTRIES - len(place.under_way))
            for partition, place in self._places.items()
            if len(place.under_way) < PAGE_ENTRIES
        }
        found = self._cursors.read(room)
        moved = self._look(found)
        for partition, entries in found.items():
            if partition not in moved:
                place = self._places[partition]
                place.under_way += entries
                place.read = entries[-1].entry_id
        return self._hand_on()

    def _look_again(self) -> None:
        self._look_at = 0.0

    def _follow_leases(self) -> None:
        if self._tenancy.version == self._version:
            return
        version, held = self._tenancy.version, self._tenancy.held()
        self._leave([place for place in self._places.values() if held.get(place.lease.partition) != place.lease])
        self._tenancy.give_back(list(self._tenancy.leaving().values()))
        self._take_over([lease for lease in held.values() if lease.partition not in self._places])
        if len(self._places) == len(held):
            self._version = version

    def _take_over(self, leases: Sequence[Lease]) -> None:
        found = self._cursors.ends(lease.partition for lease in leases)
        for lease in leases:
            ends = found[lease.partition]
            if isinstance(ends, FeedEnds):
                self._handler.take_over(lease)
                self._places[lease.partition] = FeedPlace(lease, ends.cursor)
        self._name(
            {lease.partition: each.what for lease in leases if isinstance(each := found[lease.partition], Damaged)}
        )
        self._look_at = 0.0

    def _name(self, damaged: dict[int, str]) -> None:
        """Partitions whose keys are damaged stand still; each is named once."""
        for partition, what in damaged.items():
            if self._damaged.get(partition) != what:
                log.error("partition %d: is not followed: %s", partition, what)
        self._damaged = damaged

    def _look(self, partitions: Iterable[int]) -> set[int]:
        """Tells of places that lie outside their feeds, and corrects them; returns which lay ahead."""
        wanted = list(partitions)
        found = self._cursors.ends(wanted) if wanted else {}
        gaps = {
            partition: (ends, way)
            for partition, ends in found.items()
            if isinstance(ends, FeedEnds) and (way := ends.gap(self._places[partition].read))
        }
        for partition, (ends, way) in gaps.items():
            self._correct(self._places[partition], ends, way)
        return {partition for partition, (_, way) in gaps.items() if way == "ahead"}

    def _correct(self, place: FeedPlace, ends: FeedEnds, way: GapWay) -> None:
        """Goes on with the oldest entry that there is: one that is ahead may meet entries again, but misses none."""
        right = before(ends.oldest) if ends.oldest and way == "behind" else BEFORE_ALL
        if way == "ahead":
            place.under_way.clear()
        if not place.under_way:
            self._lose(self._cursors.move({place.lease: right}, back=True))
        log.warning(
            "partition %d: gap: the cursor %s lies %s the feed, which goes from %s to %s; it is put to %s",
            place.lease.partition,
            place.read,
            way,
            ends.oldest,
            ends.newest,
            right,
            extra={"partition": place.lease.partition},
        )
        self._metrics.gaps.labels(way).inc()
        place.read = right

    def _hand_on(self) -> int:
        """Offers what was read; returns how many entries are done."""
        waiting = [place for place in self._places.values() if place.under_way]
        done = {place: count for place in waiting if (count := self._handler.handle(place.lease, place.under_way[:]))}
        if done:
            self._lose(
                self._cursors.move({each.lease: each.under_way[count - 1].entry_id for each, count in done.items()})
            )
        for place, count in done.items():
            del place.under_way[:count]
        num_done = sum(done.values())
        self._metrics.entries.inc(num_done)
        oldest_ms = min((place.under_way[0].entry_id.ms for place in waiting if place.under_way), default=None)
        self._metrics.lag.set(0 if oldest_ms is None else max(0, now_ms() - oldest_ms) / 1000)
        return num_done

    def _lose(self, leases: Iterable[Lease]) -> None:
        for lease in leases:
            self._tenancy.lost(lease)

    def _leave(self, places: Iterable[FeedPlace]) -> None:
        for place in places:
            self._handler.leave(place.lease)
            del self._places[place.lease.partition]
