"""Leases for tests: taken from whoever holds them, or kept as a worker keeps them."""

from collections.abc import Iterable
from typing import Any

import redis
from patience import eventually
from prometheus_client import CollectorRegistry

from shared.service.lease_metrics import LeaseMetrics
from shared.service.tenancy import Tenancy
from shared.store.keys import Role
from shared.store.layout.known import layout_of
from shared.store.leases import LEASE_SECONDS, MAX_LEASE_SECONDS, Lease, LeaseBook, worker_id

CALLS_FOR_LEASES = 60
"""in two seconds or so"""


def seize(client: redis.Redis, role: Role, partitions: Iterable[int] | None = None) -> dict[int, Lease]:
    """Makes the test the owner of partitions, whoever held them before."""
    layout = layout_of(client)
    wanted = list(layout.numbers if partitions is None else partitions)
    pipeline = client.pipeline(transaction=False)
    for partition in wanted:
        pipeline.delete(layout.keys(partition).lease(role))
    pipeline.execute()
    return {lease.partition: lease for lease in LeaseBook(client, role, "the-test", MAX_LEASE_SECONDS).take(wanted)}


def lease_of(client: redis.Redis, role: Role, stream_id: str) -> Lease:
    """A lease for one stream's partition."""
    [lease] = seize(client, role, [layout_of(client).of(stream_id)]).values()
    return lease


def tenancy(
    client: redis.Redis, role: Role, metrics: LeaseMetrics | None = None, ttl_seconds: float = LEASE_SECONDS
) -> Tenancy:
    """What keeps a worker's leases."""
    book = LeaseBook(client, role, worker_id(), ttl_seconds)
    return Tenancy(book, metrics or LeaseMetrics(CollectorRegistry()), ttl_seconds)


def calls_at_rest(client: redis.Redis, *commands: str) -> list[int]:
    """How often commands were called while a worker kept its leases for two seconds or so."""
    client.config_resetstat()

    def calls(name: str) -> int:
        told: Any = client.info("commandstats")
        return int(told.get(f"cmdstat_{name}", {"calls": 0})["calls"])

    eventually(lambda: calls("evalsha") >= CALLS_FOR_LEASES, "heartbeats and renewals")
    return [calls(command) for command in commands]
