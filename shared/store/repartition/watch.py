"""Who may be at work on a store: while anybody is, it is not divided anew."""

import secrets
from collections.abc import Iterable, Iterator
from typing import Any, Final

import redis

from shared.errors import AfterimageError
from shared.store.client import NAME, translated
from shared.store.keys import ROLES, PartitionKeys, workers_key
from shared.store.leases import HEARD, LEASE_SECONDS
from shared.store.scripts import Script

OWN_NAME: Final = "repartition"
MAX_NAMED: Final = 10


class StoreInUse(AfterimageError):
    """Somebody is connected, or was until a moment ago; the message says who."""


def own_name() -> str:
    """A name for the connections of one run of the command, by which another sees it."""
    return f"{OWN_NAME}-{secrets.token_hex(4)}"


def check_nobody_works(client: redis.Redis, name: str, places: Iterable[PartitionKeys]) -> None:
    """Raises StoreInUse where a service is connected, or a lease or heartbeat lives. `name` is one's own."""
    with translated():
        found = [*_connected(client, f"{NAME}:{name}"), *_leases(client, places), *_heartbeats(client)]
    if found:
        more = f", and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
        raise StoreInUse(
            f"the store is in use: {', '.join(found[:MAX_NAMED])}{more}; stop all services, and run this again once "
            "their leases have run out"
        )


def _connected(client: redis.Redis, own: str) -> Iterator[str]:
    """Connections of ours to any server of the store. An earlier version's have no name."""
    rows = [row for node in _servers(client) for row in _client_list(client, node)]
    databases = {row["db"] for row in rows if row["name"] == own}
    for who in sorted(
        {(row["name"], row["addr"].rpartition(":")[0]) for row in rows if _is_other(row, own, databases)}
    ):
        yield f"{who[0]} is connected" + (f" from {who[1]}" if who[1].strip("/") else "")


def _is_other(row: dict[str, str], own: str, databases: set[str]) -> bool:
    return row["name"].startswith(f"{NAME}:") and row["name"] != own and row["db"] in databases


def _client_list(client: Any, node: Any) -> list[dict[str, str]]:  # noqa: ANN401  (a server's client, or a cluster's)
    rows: list[dict[str, str]] = client.client_list() if node is None else client.client_list(target_nodes=node)
    return rows


def _servers(client: Any) -> list[Any]:  # noqa: ANN401
    return client.get_primaries() if hasattr(client, "get_primaries") else [None]


def _leases(client: redis.Redis, places: Iterable[PartitionKeys]) -> Iterator[str]:
    pipeline, roles = client.pipeline(transaction=False), [(keys, role) for keys in places for role in ROLES]
    for keys, role in roles:
        pipeline.get(keys.lease(role))
    held: dict[str, int] = {}
    for (_, role), lease in zip(roles, pipeline.execute(raise_on_error=False), strict=True):
        if isinstance(lease, bytes):
            who = f"{role} worker {lease.partition(b' ')[2].decode(errors='replace')}"
            held[who] = held.get(who, 0) + 1
    for who, number in sorted(held.items()):
        yield f"{who} owns {number} partitions"


def _heartbeats(client: redis.Redis) -> Iterator[str]:
    for role in ROLES:
        now_ms, heard = Script(client, HEARD)([workers_key(role)], [])
        for worker, at_ms in zip(heard[::2], heard[1::2], strict=True):
            if now_ms - int(at_ms) <= LEASE_SECONDS * 1000:
                yield f"{role} worker {worker.decode(errors='replace')} was heard of a moment ago"
