"""Who owns a partition for a role, for how long, and the fencing token that proves it.

A lease is a key with a time to live that its owner renews. Taking one draws the next number of the partition's own
counter, so every lease differs from all before it; whoever writes under a lease sends it along, and the script that
writes refuses any but the current one (fencing: Kleppmann, "How to do distributed locking", 2016). Times are Redis's
own: the workers' clocks need not agree.
"""

import os
import secrets
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import redis

from shared.store.client import translated
from shared.store.keys import NUM_PARTITIONS, PARTITIONS, Role, workers_key
from shared.store.scripts import Script, lua

LEASE_SECONDS = 5.0
"""A worker silent for so long counts as dead, and what it owned is free."""

BEAT: Final = lua("lease_beat")
LIVING: Final = lua("lease_living")
TAKE: Final = lua("lease_take")
RENEW: Final = lua("lease_renew")
RELEASE: Final = lua("lease_release")


@dataclass(frozen=True, slots=True)
class Lease:
    """A partition under a fencing token; `str` is what Redis holds and what fenced scripts compare."""

    partition: int
    token: int
    worker_id: str

    @classmethod
    def parse(cls, partition: int, stored: bytes) -> Self:
        """A lease as Redis holds it."""
        token, _, worker_id = stored.decode().partition(" ")
        return cls(partition, int(token), worker_id)

    def __str__(self) -> str:
        return f"{self.token} {self.worker_id}"


@dataclass(frozen=True, slots=True)
class LivingWorker:
    """A worker as others see it."""

    id: str
    role: Role
    silent_seconds: float
    """since its last heartbeat"""
    partitions: tuple[int, ...]


class LeaseBook:
    """One role's leases in Redis. Every method raises StoreUnavailable; each may be repeated after that."""

    def __init__(self, client: redis.Redis, role: Role, worker_id: str, ttl_seconds: float = LEASE_SECONDS) -> None:
        self._client = client
        self.role, self.worker_id = role, worker_id
        self._ttl_ms = round(ttl_seconds * 1000)
        self._beat, self._living, self._take, self._renew, self._release = (
            Script(client, body) for body in (BEAT, LIVING, TAKE, RENEW, RELEASE)
        )

    def beat(self) -> list[str]:
        """Says that this worker lives; returns the ids of all of the role that live."""
        with translated():
            living: Any = self._beat(keys=[workers_key(self.role)], args=[self.worker_id, self._ttl_ms])
        return [worker.decode() for worker in living]

    def living(self) -> list[str]:
        """The ids of all of the role that live."""
        with translated():
            found: Any = self._living(keys=[workers_key(self.role)], args=[self._ttl_ms])
        return [worker.decode() for worker in found[::2]]

    def sign_off(self) -> None:
        """Takes this worker off the list of the living."""
        with translated():
            self._client.zrem(workers_key(self.role), self.worker_id)

    def take(self, partitions: Iterable[int]) -> list[Lease]:
        """Takes those of the partitions that nobody else holds, each under a new token."""
        wanted = list(partitions)
        arguments = [self.worker_id, self._ttl_ms]
        calls = [([PARTITIONS[p].lease(self.role), PARTITIONS[p].fence(self.role)], arguments) for p in wanted]
        with translated():
            replies = self._take.many(calls)
        return [Lease.parse(p, stored) for p, stored in zip(wanted, replies, strict=True) if stored is not None]

    def renew(self, leases: Sequence[Lease]) -> list[Lease]:
        """Prolongs the leases; returns those that stand no more."""
        calls = [([PARTITIONS[lease.partition].lease(self.role)], [str(lease), self._ttl_ms]) for lease in leases]
        with translated():
            replies = self._renew.many(calls)
        return [lease for lease, stands in zip(leases, replies, strict=True) if not stands]

    def release(self, leases: Sequence[Lease]) -> None:
        """Gives leases back, so that others need not wait until they run out."""
        with translated():
            self._release.many([([PARTITIONS[each.partition].lease(self.role)], [str(each)]) for each in leases])


def worker_id() -> str:
    """An id for this process that no other has, or had."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


def living_workers(client: redis.Redis, role: Role, ttl_seconds: float) -> list[LivingWorker]:
    """The workers of a role heard of within that time, by id, and what each owns. Raises StoreUnavailable."""
    with translated():
        found: Any = Script(client, LIVING)(keys=[workers_key(role)], args=[round(ttl_seconds * 1000)])
        pipeline = client.pipeline(transaction=False)
        for keys in PARTITIONS:
            pipeline.get(keys.lease(role))
        stored = pipeline.execute()
    leases = [Lease.parse(number, held) for number, held in zip(range(NUM_PARTITIONS), stored, strict=True) if held]
    return sorted(
        (
            LivingWorker(
                id=worker.decode(),
                role=role,
                silent_seconds=int(silent_ms) / 1000,
                partitions=tuple(lease.partition for lease in leases if lease.worker_id == worker.decode()),
            )
            for worker, silent_ms in zip(found[::2], found[1::2], strict=True)
        ),
        key=lambda view: view.id,
    )
