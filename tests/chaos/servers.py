"""Redis as the system under attack has it: one server, or a cluster of three masters, that can be killed and frozen."""

from pathlib import Path
from typing import Any, Protocol

import redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import RedisError
from redis.retry import Retry
from redis_cluster import free_port

from afterimage.redis_server import find_server
from chaos.processes import Child
from chaos.waiting import until

START_SECONDS = 30.0
NUM_SLOTS = 16_384
NODE_TIMEOUT_MS = 2000
DURABLE = ("--save", "", "--appendonly", "yes", "--appendfsync", "always")


class Node:
    """One server with a folder of its own, on which it starts again after a crash; on a unix socket where port is 0."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.port = port
        self._folder = folder
        self._socket = folder / "redis.sock"
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.port}" if self.port else f"unix://{self._socket}"

    @property
    def client(self) -> redis.Redis:
        """A client that never repeats a command."""
        return redis.Redis.from_url(self.url, socket_timeout=2, retry=Retry(NoBackoff(), 0))

    def start(self) -> None:
        """Starts it and waits until it has loaded what it kept."""
        self._folder.mkdir(exist_ok=True)
        address = ["--bind", "127.0.0.1"] if self.port else ["--unixsocket", str(self._socket)]
        cluster = ["--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS)] if self.port else []
        argv = [str(find_server()), "--port", str(self.port), "--dir", str(self._folder), *DURABLE, *address, *cluster]
        self._child = Child("redis", argv, self._folder / "redis.log")
        until(self.answers, f"an answer from Redis at {self.url}", START_SECONDS)

    def answers(self) -> bool:
        """Whether it is there and has loaded its data."""
        try:
            with self.client as client:
                return bool(client.ping())
        except (RedisError, OSError):
            return False

    @property
    def process(self) -> Child:
        """Its process, once started."""
        assert self._child
        return self._child

    def crash(self) -> None:
        """Kills it and starts it again on what it had written."""
        self.process.kill()
        self.start()

    def close(self) -> None:
        """Kills it."""
        if self._child:
            self._child.kill()


class Store(Protocol):
    """What the workers keep everything in."""

    nodes: list[Node]

    @property
    def url(self) -> str:
        """For AFTERIMAGE_REDIS_URL."""

    def start(self) -> None:
        """Starts it and waits until it takes commands."""

    def close(self) -> None:
        """Kills it."""


class SingleServer:
    """One Redis."""

    def __init__(self, folder: Path) -> None:
        self.nodes = [Node(folder / "redis")]

    @property
    def url(self) -> str:
        """For AFTERIMAGE_REDIS_URL."""
        return self.nodes[0].url

    def start(self) -> None:
        """Starts it and waits until it takes commands."""
        self.nodes[0].start()

    def close(self) -> None:
        """Kills it."""
        self.nodes[0].close()


class Cluster:
    """Three masters without replicas, a third of the slots each."""

    def __init__(self, folder: Path) -> None:
        self.nodes = [Node(folder / f"redis-{number}", free_port()) for number in range(3)]

    @property
    def url(self) -> str:
        """For AFTERIMAGE_REDIS_URL."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def start(self) -> None:
        """Starts the nodes, has them meet and share the slots, and waits until all agree that all is well."""
        for number, node in enumerate(self.nodes):
            node.start()
            own = range(number * NUM_SLOTS // 3, (number + 1) * NUM_SLOTS // 3)
            self._ask(node, "ADDSLOTS", *own)
            self._ask(node, "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            self._ask(node, "MEET", "127.0.0.1", self.nodes[0].port)
        until(self.is_whole, "a whole cluster", START_SECONDS)

    def close(self) -> None:
        """Kills them."""
        for node in self.nodes:
            node.close()

    def is_whole(self) -> bool:
        """Whether all nodes are there and agree that every slot has an owner who is."""
        try:
            states = [_text(self._ask(node, "INFO")) for node in self.nodes]
        except (RedisError, OSError):
            return False
        return all("cluster_state:ok" in state and "cluster_known_nodes:3" in state for state in states)

    def owner_of(self, tag: str) -> Node:
        """The node that has a hash tag's slot."""
        slot = key_slot(tag.encode())
        for first, last, (_host, port, *_), *_replicas in self._ask(self.nodes[0], "SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == port)
        raise LookupError(f"no node has slot {slot}")

    def begin_migration(self, tag: str, target: Node) -> None:
        """From here on the slot's keys may lie on either side."""
        slot, source = key_slot(tag.encode()), self.owner_of(tag)
        self._ask(target, "SETSLOT", slot, "IMPORTING", self._id(source))
        self._ask(source, "SETSLOT", slot, "MIGRATING", self._id(target))

    def move_keys(self, tag: str, source: Node, target: Node, count: int = 1) -> int:
        """Moves so many of the slot's keys at most; returns how many were there to be moved."""
        names = self._ask(source, "GETKEYSINSLOT", key_slot(tag.encode()), count)
        if names:
            with source.client as client:
                client.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *names)
        return len(names)

    def end_migration(self, tag: str, target: Node) -> None:
        """The slot is the target's: it hears so first, so that it never has no owner."""
        slot, owner = key_slot(tag.encode()), self._id(target)
        for node in (target, *(node for node in self.nodes if node is not target)):
            self._ask(node, "SETSLOT", slot, "NODE", owner)

    def _id(self, node: Node) -> str:
        return _text(self._ask(node, "MYID"))

    def _ask(self, node: Node, *words: Any) -> Any:
        with node.client as client:
            client.response_callbacks.clear()
            return client.execute_command("CLUSTER", *words)


def _text(reply: Any) -> str:
    return reply.decode() if isinstance(reply, bytes) else str(reply)
