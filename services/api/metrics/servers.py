"""The Redis servers that hold everything, by what they say of themselves."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

import redis
from redis.cluster import RedisCluster
from redis.exceptions import ResponseError

from shared.entries import MAX_JPEG_BYTES
from shared.store.client import translated

ONE_SERVER: Final = "redis"
OK: Final = "ok"

Persistence = Literal["log", "snapshots", "nothing"]


@dataclass(frozen=True, slots=True)
class StoreServer:
    """A server: how full it is, and whether what it holds outlives it."""

    node: str
    version: str
    used_bytes: int
    limit_bytes: int | None
    policy: str
    persists: Persistence | None
    """None: it does not let itself be asked"""
    is_writing_well: bool


def servers_of(client: redis.Redis) -> list[StoreServer]:
    """Every server that takes writes. Raises StoreUnavailable."""
    with translated():
        return [_server(client, node, where) for node, where in _nodes(client)]


def memory_by_node(client: redis.Redis) -> Mapping[str, Mapping[str, Any]]:
    """What each server says of its memory. Raises what redis-py raises."""
    return {node: cast(Mapping[str, Any], client.info("memory", **where)) for node, where in _nodes(client)}


def full_nodes(client: redis.Redis) -> list[str]:
    """The Redis servers that take no more frames: the largest that there can be would not fit below `maxmemory`.

    What a command brings along counts, so a server refuses frames before the last byte is used. Raises
    StoreUnavailable.
    """
    with translated():
        found = memory_by_node(client)
    return [node for node, info in found.items() if _is_full(info["used_memory"], info["maxmemory"])]


def _nodes(client: redis.Redis) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of a cluster every master, of anything else the one server: its name, and how a command is sent there."""
    if isinstance(client, RedisCluster):
        yield from ((node.name, {"target_nodes": node}) for node in client.get_primaries())
    else:
        yield ONE_SERVER, {}


def _server(client: redis.Redis, node: str, where: dict[str, Any]) -> StoreServer:
    told: Any = client.info(**where)
    return StoreServer(
        node=node,
        version=str(told["redis_version"]),
        used_bytes=told["used_memory"],
        limit_bytes=told["maxmemory"] or None,
        policy=told["maxmemory_policy"],
        persists="log" if told["aof_enabled"] else _without_log(client, where),
        is_writing_well=OK == told["aof_last_write_status"] == told["rdb_last_bgsave_status"],
    )


def _without_log(client: redis.Redis, where: dict[str, Any]) -> Persistence | None:
    try:
        times: Any = client.config_get("save", **where)
    except ResponseError:  # somebody else's server
        return None
    return "snapshots" if times.get("save") else "nothing"


def _is_full(used_bytes: int, limit_bytes: int) -> bool:
    return bool(limit_bytes) and used_bytes > limit_bytes - min(MAX_JPEG_BYTES, limit_bytes // 64)
