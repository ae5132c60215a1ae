"""Where this system's own Redis answers, so that no source may lead there."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import redis
from redis.cluster import RedisCluster
from redis.sentinel import Sentinel, SentinelConnectionPool
from redis.utils import str_if_bytes

from shared.errors import StoreUnavailable
from shared.store.client import translated

REFRESH_SECONDS: Final = 10.0
MAX_SERVERS: Final = 4096
"""A cluster has at most a thousand nodes or so; each may go by a name beside its address."""

logger = logging.getLogger(__name__)


class OwnRedis:
    """Knows the servers that the settings name, and those that they lead to: all nodes of a cluster, or the master
    behind sentinels with its replicas and the other sentinels.

    The cluster or a sentinel is asked when somebody wants to know, every ten seconds at most; where none answers, what
    was known before still holds. Threads may share it.
    """

    def __init__(
        self, client: redis.Redis, named: tuple[str, ...], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._named = named
        self._clock = clock
        self._found: tuple[str, ...] = ()
        self._due: float | None = None
        self._asking = threading.Lock()

    def addresses(self) -> tuple[str, ...]:
        """Each server as `host:port`. Only the first to ask waits for the answer, and those beside it."""
        never_asked = self._due is None
        if (never_asked or self._clock() >= (self._due or 0.0)) and self._asking.acquire(blocking=never_asked):
            try:
                if self._due is None or self._clock() >= self._due:
                    self._ask()
                    self._due = self._clock() + REFRESH_SECONDS
            finally:
                self._asking.release()
        return self._named + self._found

    def _ask(self) -> None:
        try:
            with translated():
                found = dict.fromkeys(self._led_to())
        except StoreUnavailable as err:
            logger.debug("where Redis answers: %s", err)
        else:
            self._found = tuple(address for address in found if address not in self._named)[:MAX_SERVERS]

    def _led_to(self) -> Iterator[str]:
        client: Any = self._client
        if isinstance(client, RedisCluster):
            yield from _nodes(client.cluster_nodes())
        elif isinstance(client.connection_pool, SentinelConnectionPool):
            yield from _behind(client.connection_pool.sentinel_manager, client.connection_pool.service_name)


def _nodes(nodes: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Of CLUSTER NODES: masters with slots and without, replicas, and those that are away; by address and by name."""
    for address, node in nodes.items():
        host, _, port = address.rpartition(":")
        yield from (f"{each}:{port}" for each in (host, node["hostname"]) if each)


def _behind(sentinels: Sentinel, name: str) -> Iterator[str]:
    """What the first sentinel says that knows the master; raises the last one's error where none does."""
    failure: Exception = StoreUnavailable(f"no sentinel knows {name!r}")
    asked: list[Any] = sentinels.sentinels
    for sentinel in asked:
        try:
            master = sentinel.sentinel_get_master_addr_by_name(name)
            others = [*sentinel.sentinel_slaves(name), *sentinel.sentinel_sentinels(name)]
        except (redis.RedisError, OSError) as err:
            failure = err
            continue
        if master:
            yield f"{str_if_bytes(master[0])}:{master[1]}"
            yield from (f"{other['ip']}:{other['port']}" for other in others)
            return
    raise failure
