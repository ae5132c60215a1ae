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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import redis

from shared.clock import steady_ms
from shared.keys import NUM_PARTITIONS, PARTITIONS, Role, workers_key
from shared.scripts import Script
from shared.store import translated

LEASE_SECONDS = 5.0
"""A worker silent for so long counts as dead, and what it owned is free."""
MAX_LEASE_SECONDS = 60
"""No lease lives longer, unless Redis's clock was set back meanwhile."""

OWNS = """
-- Whether a lease is its partition's newest. One that ran out stands until another is taken: a clock that is set
-- forward has all of them run out at once.
local function owns(lease_key, fence_key, lease)
  local held = redis.call('GET', lease_key)
  if held then return held == lease end
  return redis.call('GET', fence_key) == string.match(lease, '^%d+')
end
"""

BEAT = """
-- Notes that a worker lives, and forgets those that were given up, unless they were heard of since.
-- KEYS: 1 workers    ARGV: 1 worker id, then per worker given up: id, when it was heard of
-- Returns the time, then each worker and when it was heard of.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREM', KEYS[1], ARGV[1]) -- before what takes memory
redis.call('ZADD', KEYS[1], now, ARGV[1])
for i = 2, #ARGV, 2 do
  if redis.call('ZSCORE', KEYS[1], ARGV[i]) == ARGV[i + 1] then redis.call('ZREM', KEYS[1], ARGV[i]) end
end
return {now, redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')}
"""

HEARD = """
-- The time, then each worker and when it was heard of.
-- KEYS: 1 workers
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return {now, redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')}
"""

TAKE = """
-- Takes a partition that nobody else holds, under a new token. What is held for longer than can be was held before the
-- clock was set back: a common lease's time is left of it.
-- KEYS: 1 lease, 2 fence    ARGV: 1 worker id, 2 milliseconds to live, 3 the most that any lease has
local held = redis.call('GET', KEYS[1])
if held and string.match(held, '^%d+ (.*)$') ~= ARGV[1] then
  if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return false
end
redis.call('DEL', KEYS[1]) -- before what takes memory
local lease = redis.call('INCR', KEYS[2]) .. ' ' .. ARGV[1]
redis.call('SET', KEYS[1], lease, 'PX', ARGV[2])
return lease
"""

RENEW = """
-- Prolongs a lease that still stands.
-- KEYS: 1 lease, 2 fence    ARGV: 1 the lease, 2 milliseconds to live
if not owns(KEYS[1], KEYS[2], ARGV[1]) then return 0 end
if redis.call('PEXPIRE', KEYS[1], ARGV[2]) == 0 then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return 1
"""

RELEASE = """
-- Gives a lease back, if it still stands; its token is worth nothing any more.
-- KEYS: 1 lease, 2 fence    ARGV: 1 the lease
if not owns(KEYS[1], KEYS[2], ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1])
return redis.call('INCR', KEYS[2])
"""


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
        self._beat, self._heard, self._take, self._renew, self._release = (
            Script(client, body) for body in (BEAT, HEARD, TAKE, OWNS + RENEW, OWNS + RELEASE)
        )

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
        calls = [(PARTITIONS[partition].ownership(self.role), arguments) for partition in wanted]
        with translated():
            replies = self._take.many(calls)
        return [Lease.parse(p, stored) for p, stored in zip(wanted, replies, strict=True) if stored is not None]

    def renew(self, leases: Sequence[Lease]) -> list[Lease]:
        """Prolongs the leases; returns those that stand no more."""
        calls = [(PARTITIONS[lease.partition].ownership(self.role), [str(lease), self._ttl_ms]) for lease in leases]
        with translated():
            replies = self._renew.many(calls)
        return [lease for lease, stands in zip(leases, replies, strict=True) if not stands]

    def release(self, leases: Sequence[Lease]) -> None:
        """Gives leases back, so that others need not wait until they run out."""
        with translated():
            self._release.many([(PARTITIONS[each.partition].ownership(self.role), [str(each)]) for each in leases])


def _heard_of(reply: Any) -> tuple[int, dict[str, int]]:  # noqa: ANN401  (what a script returns)
    """The time, and each worker's last heartbeat."""
    now_ms, found = reply
    return now_ms, {worker.decode(): int(at_ms) for worker, at_ms in zip(found[::2], found[1::2], strict=True)}


def worker_id() -> str:
    """An id for this process that no other has, or had."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


def living_workers(client: redis.Redis, role: Role, ttl_seconds: float) -> list[LivingWorker]:
    """The workers of a role heard of within that time, by id, and what each owns. Raises StoreUnavailable."""
    with translated():
        now_ms, heard = _heard_of(Script(client, HEARD)([workers_key(role)], []))
        pipeline = client.pipeline(transaction=False)
        for keys in PARTITIONS:
            pipeline.get(keys.lease(role))
        stored = pipeline.execute()
    leases = [Lease.parse(number, held) for number, held in zip(range(NUM_PARTITIONS), stored, strict=True) if held]
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
