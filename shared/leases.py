"""Who owns a partition for a role, and the fencing token that proves it.

Today the newest worker of a role takes every partition it asks for: its token is the highest, so every write of an
older owner is refused from that moment (Kleppmann, "How to do distributed locking", 2016).
"""

from collections.abc import Iterable
from typing import Any

import redis

from shared.clock import now_ms
from shared.keys import PARTITIONS, Role, workers_key
from shared.store import translated

HEARTBEAT_SECONDS = 1.0
DEAD_AFTER_SECONDS = 5.0

TAKE = """
-- Draws the next fencing token of a partition and makes its holder the owner.
-- KEYS: 1 lease, 2 fence
local token = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], token)
return token
"""


def take_leases(client: redis.Redis, role: Role, partitions: Iterable[int]) -> dict[int, int]:
    """Takes the partitions for a role; returns partition → fencing token. Raises StoreUnavailable."""
    script = client.register_script(TAKE)
    with translated():
        return {
            partition: script(keys=[PARTITIONS[partition].lease(role), PARTITIONS[partition].fence(role)])
            for partition in partitions
        }


def beat(client: redis.Redis, role: Role, worker_id: str) -> None:
    """Says that a worker is alive, and forgets those that have been silent for long. Raises StoreUnavailable."""
    key, now = workers_key(role), now_ms()
    with translated():
        pipeline = client.pipeline(transaction=False)
        pipeline.zadd(key, {worker_id: now})
        pipeline.zremrangebyscore(key, "-inf", now - 100 * int(DEAD_AFTER_SECONDS * 1000))
        pipeline.execute()


def sign_off(client: redis.Redis, role: Role, worker_id: str) -> None:
    """Takes a worker off the list of the living. Raises StoreUnavailable."""
    with translated():
        client.zrem(workers_key(role), worker_id)


def living_workers(client: redis.Redis, role: Role) -> list[str]:
    """Ids of the workers heard of lately. Raises StoreUnavailable."""
    with translated():
        alive: list[Any] = client.zrangebyscore(workers_key(role), now_ms() - int(DEAD_AFTER_SECONDS * 1000), "+inf")
    return [worker.decode() for worker in alive]
