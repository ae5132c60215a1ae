"""Who owns a partition for a role, for how long, and the fencing token that proves it.

A lease is a key with a time to live that its owner renews. Taking one draws the next number of the partition's own
counter, so every lease differs from all before it; whoever writes under a lease sends it along, and the script that
writes refuses any but the current one (fencing: Kleppmann, "How to do distributed locking", 2016). Times are Redis's
own: the workers' clocks need not agree. Redis's may be set, too: then leases run out early or late, but one that nobody
has taken yet still stands, and who lives is told by steady clocks.
"""

import math
import os
import secrets
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Self

import redis

from shared.clock import steady_ms
from shared.store.client import translated
from shared.store.errors import Damaged
from shared.store.keys import Role, workers_key
from shared.store.layout.known import layout_of
from shared.store.scripts import WRONG, Script, lua

LEASE_SECONDS = 5.0
"""A worker silent for so long counts as dead, and what it owned is free."""
MAX_LEASE_SECONDS = 60
"""No lease lives longer, unless Redis's clock was set back meanwhile."""

OWNS: Final = lua("owns")
BEAT: Final = lua("lease_beat")
HEARD: Final = lua("lease_heard")
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


class RollCall:
    """Who lives, by when each was last heard of, told by the listener's steady clock: Redis's own may be set.

    Only of those that it has never listened to before does it believe what Redis's clock says. Pure policy; all times
    are in ms.
    """

    def __init__(self, ttl_ms: int) -> None:
        self._ttl_ms = ttl_ms
        self._listened_ms: float | None = None
        self._heard: dict[str, tuple[int, float]] = {}
        """Worker → Redis's time of its last heartbeat, and when that was by the steady clock."""

    def listen(self, redis_ms: int, heard: Mapping[str, int], steady_ms: float) -> list[str]:
        """The living among those that were heard of at these times by Redis's clock, which shows `redis_ms` now."""
        self._heard = {
            worker: known
            if (known := self._heard.get(worker)) and known[0] == at_ms
            else (at_ms, self._since(redis_ms - at_ms, steady_ms))
            for worker, at_ms in heard.items()
        }
        self._listened_ms = steady_ms
        return [worker for worker, (_, since_ms) in self._heard.items() if steady_ms - since_ms <= self._ttl_ms]

    def silent(self) -> dict[str, int]:
        """The others, as of the last time, and Redis's time of their last heartbeat."""
        now_ms = self._listened_ms or 0.0
        return {worker: at_ms for worker, (at_ms, since_ms) in self._heard.items() if now_ms - since_ms > self._ttl_ms}

    def _since(self, ago_ms: int, steady_ms: float) -> float:
        """When a heartbeat was that is new here: surely after the last listening."""
        if self._listened_ms is None:
            return steady_ms - ago_ms if ago_ms >= 0 else -math.inf  # before the clock was set back, and none since
        return min(steady_ms, max(self._listened_ms, steady_ms - ago_ms))


class LeaseBook:
    """One role's leases in Redis. Every method raises StoreUnavailable; each may be repeated after that."""

    def __init__(self, client: redis.Redis, role: Role, worker_id: str, ttl_seconds: float = LEASE_SECONDS) -> None:
        self._client = client
        self.role, self.worker_id = role, worker_id
        self._ttl_ms = round(ttl_seconds * 1000)
        self._roll_call = RollCall(self._ttl_ms)
        self.damaged: dict[int, str] = {}
        """What is wrong with the keys of partitions that could not be taken for that the last time."""
        self._beat, self._heard, self._take, self._renew, self._release = (
            Script(client, body) for body in (BEAT, HEARD, WRONG + TAKE, OWNS + RENEW, OWNS + RELEASE)
        )

    @property
    def num_partitions(self) -> int:
        """How many there are to be owned."""
        return layout_of(self._client).count

    def beat(self) -> list[str]:
        """Says that this worker lives; returns the ids of all of the role that live."""
        silent = [part for worker in self._roll_call.silent().items() for part in worker]
        return self._living(self._beat, [self.worker_id, *silent])

    def living(self) -> list[str]:
        """The ids of all of the role that live."""
        return self._living(self._heard, [])

    def _living(self, script: Script, arguments: list[Any]) -> list[str]:
        asked_ms = steady_ms()
        with translated():
            reply = script([workers_key(self.role)], arguments)
        return self._roll_call.listen(*_heard_of(reply), asked_ms)

    def sign_off(self) -> None:
        """Takes this worker off the list of the living."""
        with translated():
            self._client.zrem(workers_key(self.role), self.worker_id)

    def take(self, partitions: Iterable[int]) -> list[Lease]:
        """Takes those of the partitions that nobody else holds, each under a new token."""
        wanted = list(partitions)
        arguments = [self.worker_id, self._ttl_ms, MAX_LEASE_SECONDS * 1000]
        layout = layout_of(self._client)
        calls = [(layout.keys(partition).ownership(self.role), arguments) for partition in wanted]
        with translated():
            replies = dict(zip(wanted, self._take.many(calls), strict=True))
        self.damaged = {each: reply.what for each, reply in replies.items() if isinstance(reply, Damaged)}
        return [Lease.parse(each, reply) for each, reply in replies.items() if isinstance(reply, bytes)]

    def renew(self, leases: Sequence[Lease]) -> list[Lease]:
        """Prolongs the leases; returns those that stand no more."""
        layout = layout_of(self._client)
        calls = [(layout.keys(lease.partition).ownership(self.role), [str(lease), self._ttl_ms]) for lease in leases]
        with translated():
            replies = self._renew.many(calls)
        return [lease for lease, stands in zip(leases, replies, strict=True) if stands != 1]

    def release(self, leases: Sequence[Lease]) -> None:
        """Gives leases back, so that others need not wait until they run out."""
        layout = layout_of(self._client)
        with translated():
            self._release.many([(layout.keys(each.partition).ownership(self.role), [str(each)]) for each in leases])


def _heard_of(reply: Any) -> tuple[int, dict[str, int]]:  # noqa: ANN401  (what a script returns)
    """The time, and each worker's last heartbeat."""
    now_ms, found = reply
    return now_ms, {worker.decode(): int(at_ms) for worker, at_ms in zip(found[::2], found[1::2], strict=True)}


def _readable(stored: Iterable[Any]) -> Iterator[Lease]:
    """The leases among what lies where they belong, by partition."""
    for partition, held in enumerate(stored):
        if isinstance(held, bytes):
            with suppress(ValueError):
                yield Lease.parse(partition, held)


def worker_id() -> str:
    """An id for this process that no other has, or had."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


def living_workers(client: redis.Redis, role: Role, ttl_seconds: float) -> list[LivingWorker]:
    """The workers of a role heard of within that time, by id, and what each owns. Raises StoreUnavailable."""
    with translated():
        now_ms, heard = _heard_of(Script(client, HEARD)([workers_key(role)], []))
        stored: Any = client.mget([keys.lease(role) for keys in layout_of(client).all])
    leases = list(_readable(stored))
    return sorted(
        (
            LivingWorker(
                id=worker,
                role=role,
                silent_seconds=(now_ms - at_ms) / 1000,
                partitions=tuple(lease.partition for lease in leases if lease.worker_id == worker),
            )
            for worker, at_ms in heard.items()
            if 0 <= now_ms - at_ms <= ttl_seconds * 1000
        ),
        key=lambda view: view.id,
    )
