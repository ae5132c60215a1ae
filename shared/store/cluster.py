"""Redis Cluster: redis-py's clients, put right where they would not outlive a cluster's troubles.

They forget the addresses they were given for those that the cluster names, which may all be others when it comes back;
they fail on a redirection to a node that has just joined; and within a pipeline they ask a server where a script's
keys are, and wait for a silent node once a command. This reaches into redis-py's own parts, so it is for one version of
it, and imported only where the URL is a cluster's.
"""

# ruff: noqa: ANN401  (the signatures are redis-py's)

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Self

from redis._parsers import CommandsParser
from redis.asyncio.cluster import ClusterNode as AsyncNode
from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster
from redis.cluster import PRIMARY, ClusterNode, ClusterPipeline, NodesManager, RedisCluster
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import TimeoutError as Silent

from shared.store.errors import translated

REDIS_PY: Final = "8.1"
"""What it was written for and tried with."""

Address = tuple[str, int]


class Cluster(RedisCluster):
    """A client that asks for the cluster's layout when it is first used, and again until it gets it.

    Until then whatever uses it raises StoreUnavailable.
    """

    def __init__(self, seeds: Sequence[Address], **options: Any) -> None:
        self._seeds, self._options = list(seeds), options
        self._opening, self._is_opening = threading.RLock(), False

    def __getattr__(self, name: str) -> Any:
        """Asked only for what is not there yet: redis-py's constructor sets it, and connects."""
        if name.startswith("__"):
            raise AttributeError(name)
        with self._opening:
            if name not in vars(self) and not self._is_opening:
                self._open()
            return object.__getattribute__(self, name)

    def _open(self) -> None:
        self._is_opening = True
        try:
            with translated():
                nodes = [ClusterNode(host, port) for host, port in self._seeds]  # type: ignore[no-untyped-call]
                super().__init__(startup_nodes=nodes, **self._options)
        finally:
            self._is_opening = False
        # redis-py makes its own and takes none from us.
        nodes_manager: Any = self.nodes_manager
        nodes_manager.__class__, nodes_manager.seeds = _Nodes, self._seeds
        self.commands_parser.__class__ = _Commands

    def pipeline(self, transaction: bool | None = None, shard_hint: str | None = None) -> ClusterPipeline:
        """A pipeline that gives up on a node at the first of its commands that cannot be repeated."""
        pipeline: ClusterPipeline = super().pipeline(transaction, shard_hint)  # type: ignore[no-untyped-call]
        pipeline.parent_execute_command = _Repeating(pipeline.parent_execute_command)
        return pipeline

    def mget(self, keys: Sequence[str]) -> Any:  # type: ignore[override]
        """The values of keys in any slots."""
        return self.mget_nonatomic(keys)

    def xread(self, streams: Mapping[str, str], count: int | None = None) -> Any:  # type: ignore[override]
        """The next entries of streams in any slots; nobody waits for them."""
        pipeline = self.pipeline()
        for key, entry_id in streams.items():
            pipeline.xrange(key, f"({entry_id}", count=count)
        return _having(streams, pipeline.execute())

    def close(self) -> None:
        """Closes the connections, if there are any."""
        if "_lock" in vars(self):
            super().close()


class AsyncCluster(AsyncRedisCluster):
    """The same for asyncio."""

    def __init__(self, seeds: Sequence[Address], **options: Any) -> None:
        super().__init__(startup_nodes=[AsyncNode(host, port, **options) for host, port in seeds], **options)
        self._seeds = list(seeds)

    async def initialize(self, *options: Any, **named: Any) -> Self:
        """Learns the cluster's layout, if it must."""
        if self._initialize:
            nodes = (AsyncNode(host, port, **self.nodes_manager.connection_kwargs) for host, port in self._seeds)
            self.nodes_manager.startup_nodes = {node.name: node for node in nodes} | self.nodes_manager.startup_nodes
        await super().initialize(*options, **named)
        return self

    async def xread(self, streams: Mapping[str, str], count: int | None = None) -> Any:  # type: ignore[override]
        """The next entries of streams in any slots; nobody waits for them."""
        pipeline = self.pipeline()
        for key, entry_id in streams.items():
            pipeline.xrange(key, f"({entry_id}", count=count)
        return _having(streams, await pipeline.execute())

    def get_node(
        self, host: str | None = None, port: int | None = None, node_name: str | None = None
    ) -> AsyncNode | None:
        """A node of the cluster, be it one that is not known yet."""
        node = super().get_node(host, port, node_name)
        if node or not node_name:
            return node
        host, _, named_port = node_name.rpartition(":")
        new = AsyncNode(host, int(named_port), PRIMARY, **self.nodes_manager.connection_kwargs)
        return self.nodes_manager.nodes_cache.setdefault(node_name, new)


def _having(streams: Iterable[str], replies: Iterable[Any]) -> list[Any]:
    """As XREAD tells them: those that have entries."""
    return [[key.encode(), entries] for key, entries in zip(streams, replies, strict=True) if entries]


class _Nodes(NodesManager):
    seeds: list[Address]

    def initialize(self, additional_startup_nodes_info: Any = None, *options: Any, **named: Any) -> None:
        super().initialize([*(additional_startup_nodes_info or ()), *self.seeds], *options, **named)

    def move_node_to_end_of_cached_nodes(self, node_name: str) -> None:
        with self._lock:  # several threads may have lost the node at once
            super().move_node_to_end_of_cached_nodes(node_name)

    def get_node(
        self, host: str | None = None, port: int | None = None, node_name: str | None = None
    ) -> ClusterNode | None:
        node = super().get_node(host, port, node_name)
        if node or not node_name:
            return node
        host, _, named_port = node_name.rpartition(":")
        with self._lock:
            new = ClusterNode(host, int(named_port), PRIMARY)  # type: ignore[no-untyped-call]
            return self.nodes_cache.setdefault(node_name, new)


class _Commands(CommandsParser):
    def get_keys(self, redis_conn: Any, *args: Any) -> Any:
        command = args[0].upper()
        if command in {"EVAL", "EVALSHA"}:
            return args[3 : 3 + int(args[2])]
        if command == "XREAD":
            keys_and_ids = args[args.index(b"STREAMS") + 1 :]
            return keys_and_ids[: len(keys_and_ids) // 2]
        return super().get_keys(redis_conn, *args)  # type: ignore[no-untyped-call]


class _Repeating:
    """Repeats a pipeline's failed commands, one by one, until Redis is silent: the others would wait as long each."""

    def __init__(self, execute: Callable[..., Any]) -> None:
        self._execute = execute
        self._failure: Lost | Silent | None = None

    def __call__(self, *args: Any, **options: Any) -> Any:
        if self._failure:
            raise self._failure
        try:
            return self._execute(*args, **options)
        except (Lost, Silent) as err:
            self._failure = err
            raise
