"""Which partitions a worker process works on: it takes what falls to it, renews it, and hands back what does not."""

import hashlib
import logging
import threading
import time
from collections.abc import Collection, Iterable, Sequence
from typing import Protocol, Self

from shared.errors import StoreUnavailable
from shared.service.settings import ServiceSettings
from shared.store.client import connect
from shared.store.keys import Role
from shared.store.layout.known import check_layout
from shared.store.leases import Lease, LeaseBook

TICK_SECONDS = 0.1
BEATS_PER_LIFE = 8
RENEWALS_PER_LIFE = 4
TIMEOUTS_PER_LIFE = 3
"""So a renewal may hang twice on connections that are dead, and the third is in time."""

log = logging.getLogger(__name__)


class Observer(Protocol):
    """Hears how the leases change."""

    def owned(self, num_partitions: int) -> None:
        """So many partitions are this worker's now."""

    def damaged(self, num_partitions: int) -> None:
        """So many partitions that fall to this worker cannot be taken: their keys are damaged."""

    def moved(self, way: str, num_partitions: int) -> None:
        """Partitions were `taken`, `handed_back` or `lost`."""


class Tenancy:
    """One role's leases of this process, kept by a thread of its own between `with` and its end.

    Whoever works on partitions looks at `held` whenever `version` has changed, stops what is no longer there, and says
    `give_back` once nothing more will be written under a lease that is `leaving`. Correctness rests on the fence alone:
    what is said here may be out of date, and a write under a lost lease is refused.
    """

    def __init__(self, book: LeaseBook, observer: Observer, ttl_seconds: float) -> None:
        self._book = book
        self._observer = observer
        self._ttl_seconds = ttl_seconds
        self._renew_every = ttl_seconds / RENEWALS_PER_LIFE
        self._lock = threading.Lock()
        self._held: dict[int, Lease] = {}
        self._leaving: dict[int, Lease] = {}
        self._beat_every = ttl_seconds / BEATS_PER_LIFE
        self._renewed_at = self._beaten_at = -ttl_seconds
        self._away = False
        self._damaged: dict[int, str] = {}
        self._share: frozenset[int] = frozenset()
        self._share_among: tuple[frozenset[str], int] | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases")
        self.version = 0
        """Goes up with every change of `held` or `leaving`."""

    def __enter__(self) -> Self:
        """Begins to beat."""
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        """Gives everything back and signs off, if Redis is there; nothing may be written under the leases any more."""
        self._closing.set()
        self._thread.join()
        with self._lock:
            leases = [*self._held.values(), *self._leaving.values()]
            self._held, self._leaving = {}, {}
        if self._away:
            return
        try:
            self._book.sign_off()
            self._book.release(leases)
        except StoreUnavailable as err:
            log.warning("leases are not given back and will run out: %s", err)

    @property
    def is_heard(self) -> bool:
        """Whether Redis has heard of this worker within the lease time."""
        return time.monotonic() - self._beaten_at <= self._ttl_seconds

    def held(self) -> dict[int, Lease]:
        """Partition → lease, to work on."""
        with self._lock:
            return dict(self._held)

    def leaving(self) -> dict[int, Lease]:
        """Partition → lease, to be given back as soon as what was begun is written."""
        with self._lock:
            return dict(self._leaving)

    def give_back(self, leases: Sequence[Lease]) -> None:
        """Frees partitions for their next owners; raises StoreUnavailable, and may be repeated then."""
        if leases:
            self._book.release(leases)
            self._drop(leases, "handed_back")

    def lost(self, lease: Lease) -> None:
        """A write under the lease was refused: it is another worker's partition, or soon will be."""
        self._drop([lease], "lost")

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._tick()
                self._away = False
            except StoreUnavailable as err:
                if not self._away:
                    log.warning("waiting for Redis: %s", err)
                self._away = True
            except Exception:  # a thread's top: without it every lease would run out
                log.exception("leases")
            self._closing.wait(TICK_SECONDS)

    def _tick(self) -> None:
        living = self._living()
        if time.monotonic() - self._renewed_at >= self._renew_every or self._away:
            began = time.monotonic()
            self._drop(self._book.renew([*self.held().values(), *self.leaving().values()]), "lost")
            self._renewed_at = began
        mine = self._mine(living)
        self._sort(mine)
        taken = self._book.take(sorted(mine - self.held().keys()))
        if taken:
            self._change(held=taken, way="taken")
        self._name(self._book.damaged)

    def _mine(self, living: Collection[str]) -> frozenset[int]:
        """What falls to this worker: worked out only when others come or go, as that takes a hash for each of them and
        each partition."""
        living, count = frozenset(living), self._book.num_partitions
        if self._share_among != (living, count):
            self._share, self._share_among = share_of(self._book.worker_id, living, count), (living, count)
        return self._share

    def _name(self, damaged: dict[int, str]) -> None:
        """Partitions whose own keys are damaged stand still; each is named once."""
        if damaged == self._damaged:
            return
        for partition, what in damaged.items():
            if self._damaged.get(partition) != what:
                log.error("partition %d: stands still: %s", partition, what)
        self._damaged = damaged
        self._observer.damaged(len(damaged))

    def _living(self) -> list[str]:
        """Who lives, this worker among them: it beats now and then, and looks more often than that."""
        now = time.monotonic()
        if now - self._beaten_at < self._beat_every and not self._away:
            return self._book.living()
        living = self._book.beat()
        self._beaten_at = now
        return living

    def _sort(self, mine: Iterable[int]) -> None:
        """What falls to others now is leaving; what falls to this worker again stays."""
        wanted = set(mine)
        with self._lock:
            owned = {**self._held, **self._leaving}
            held = {partition: lease for partition, lease in owned.items() if partition in wanted}
            if held.keys() != self._held.keys():
                self._held = held
                self._leaving = {partition: lease for partition, lease in owned.items() if partition not in wanted}
                self.version += 1

    def _change(self, held: Iterable[Lease], way: str) -> None:
        new = {lease.partition: lease for lease in held}
        with self._lock:
            self._held.update(new)
            self.version += 1
        self._tell(way, len(new))

    def _drop(self, leases: Iterable[Lease], way: str) -> None:
        num_dropped = 0
        with self._lock:
            for lease in leases:
                for known in (self._held, self._leaving):
                    if known.get(lease.partition) == lease:
                        del known[lease.partition]
                        num_dropped += 1
            self.version += bool(num_dropped)
        if num_dropped:
            self._tell(way, num_dropped)

    def _tell(self, way: str, num_partitions: int) -> None:
        with self._lock:
            num_owned = len(self._held) + len(self._leaving)
        self._observer.moved(way, num_partitions)
        self._observer.owned(num_owned)
        log.info("partitions %s: %d, owned: %d", way.replace("_", " "), num_partitions, num_owned)


def tenancy_of(settings: ServiceSettings, role: Role, worker_id: str, observer: Observer) -> Tenancy:
    """A worker's tenancy, over connections of its own: they give up in time for its leases to be renewed over others.

    Raises SettingsInvalid, also where the store has another number of partitions than was asked for.
    """
    ttl_seconds = settings.lease_seconds
    url, timeout_seconds = settings.redis_url.get_secret_value(), ttl_seconds / TIMEOUTS_PER_LIFE
    client = connect(url, timeout_seconds, retries=0, name=role, partitions=settings.partitions)
    check_layout(client)
    return Tenancy(LeaseBook(client, role, worker_id, ttl_seconds), observer, ttl_seconds)


def assign(workers: Collection[str], num_partitions: int) -> dict[int, str]:
    """Partition → worker id for every partition; empty where there is no worker.

    The same answer in every worker, from the list of the living alone: rendezvous hashing (Thaler and Ravishankar,
    1998) with a cap. Partitions go to the workers that score highest for them, best pairs first, and a worker that has
    its share gets no more. Loads differ by one at most, and few partitions move when a worker comes or goes.
    """
    if not workers:
        return {}
    loads = dict.fromkeys(workers, 0)
    share, num_larger = divmod(num_partitions, len(loads))
    pairs = [(_score(worker, partition), worker, partition) for worker in loads for partition in range(num_partitions)]
    pairs.sort(reverse=True)
    owners: dict[int, str] = {}
    for _, worker, partition in pairs:
        if partition in owners or loads[worker] > share or (loads[worker] == share and num_larger == 0):
            continue
        if loads[worker] == share:
            num_larger -= 1
        owners[partition] = worker
        loads[worker] += 1
    return owners


def share_of(worker: str, workers: Collection[str], num_partitions: int) -> frozenset[int]:
    """The partitions that fall to a worker."""
    return frozenset(partition for partition, owner in assign(workers, num_partitions).items() if owner == worker)


def _score(worker: str, partition: int) -> bytes:
    return hashlib.blake2b(f"{partition}:{worker}".encode(), digest_size=8).digest()
