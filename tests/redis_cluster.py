"""A real Redis Cluster of three masters for tests, each in a folder of its own."""

import random
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from patience import eventually, unavailable
from redis.crc import key_slot
from redis_process import redis_binary

NUM_SLOTS = 16384
MASTERS = 3
NODE_TIMEOUT_MS = 2000


@dataclass(slots=True)
class Node:
    """One server of the cluster."""

    port: int
    folder: Path
    options: Sequence[str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the server, on whatever its folder holds, and waits until it answers."""
        command = [redis_binary() or unavailable("a Redis server"), "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS)]
        command += ["--save", "", "--dir", str(self.folder), *self.options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        eventually(self._answers, f"the cluster's node on port {self.port}")

    def kill(self) -> None:
        """Ends the server as a crash would."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def send_signal(self, number: signal.Signals) -> None:
        """SIGSTOP or SIGCONT, say."""
        assert self.process
        self.process.send_signal(number)

    def ask(self, *command: Any) -> Any:
        """This very server's answer."""
        with closing(redis.Redis(port=self.port, socket_timeout=10)) as client:
            return client.execute_command(*command)  # type: ignore[no-untyped-call]

    def is_well(self) -> bool:
        """Whether it counts all slots as served."""
        with suppress(redis.RedisError):
            return bool(self.ask("CLUSTER INFO")["cluster_state"] == "ok")
        return False

    def _answers(self) -> bool:
        with suppress(redis.RedisError):
            return bool(self.ask("PING"))
        return False


@dataclass(slots=True)
class Cluster:
    """The cluster's nodes; those added later are masters without slots."""

    folder: Path
    options: Sequence[str] = ()
    nodes: list[Node] = field(default_factory=list)

    @property
    def url(self) -> str:
        """As `shared.store.client.connect` takes it; it names one node alone."""
        return f"redis+cluster://127.0.0.1:{self.nodes[0].port}"

    def add(self) -> Node:
        """Starts one more node and makes it known to the first."""
        port = free_port()
        folder = self.folder / str(port)
        folder.mkdir()
        node = Node(port, folder, self.options)
        self.nodes.append(node)
        node.start()
        if node is not self.nodes[0]:
            node.ask("CLUSTER MEET", "127.0.0.1", self.nodes[0].port)
        return node

    def wait(self) -> None:
        """Returns when all nodes know each other and every slot is served."""
        eventually(
            lambda: all(len(node.ask("CLUSTER NODES")) == len(self.nodes) for node in self.nodes), "acquaintance"
        )
        eventually(lambda: all(node.is_well() for node in self.nodes), "the cluster's state ok")

    def owner(self, key: str) -> Node:
        """The node that serves a key."""
        slot = key_slot(key.encode())
        [port] = [master[1] for first, last, master in self.nodes[0].ask("CLUSTER SLOTS") if first <= slot <= last]
        return next(node for node in self.nodes if node.port == port)

    def begin_move(self, key: str, target: Node) -> None:
        """Opens the migration of a key's slot; commands with keys that are not there any more are sent on."""
        source, slot = self.owner(key), key_slot(key.encode())
        target.ask("CLUSTER SETSLOT", slot, "IMPORTING", source.ask("CLUSTER MYID"))
        source.ask("CLUSTER SETSLOT", slot, "MIGRATING", target.ask("CLUSTER MYID"))

    def move_keys(self, key: str, target: Node, most: int = 1000) -> int:
        """Moves some keys of a key's slot; returns how many there were."""
        source, slot = self.owner(key), key_slot(key.encode())
        keys = source.ask("CLUSTER GETKEYSINSLOT", slot, most)
        if keys:
            source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
        return len(keys)

    def end_move(self, key: str, target: Node) -> None:
        """Moves what is left and gives the slot to the target."""
        source, slot = self.owner(key), key_slot(key.encode())
        while self.move_keys(key, target):
            pass
        name = target.ask("CLUSTER MYID")
        for node in (target, source):
            node.ask("CLUSTER SETSLOT", slot, "NODE", name)
        eventually(lambda: self.owner(key) is target, "the slot's new owner")

    def move(self, ports: Sequence[int]) -> None:
        """Starts the nodes, which were killed, at other ports, and lets them find each other."""
        for node, port in zip(self.nodes, ports, strict=True):
            node.port = port
            node.start()
        for node in self.nodes[1:]:
            node.ask("CLUSTER MEET", "127.0.0.1", self.nodes[0].port)


@contextmanager
def redis_cluster(folder: Path, *options: str) -> Iterator[Cluster]:
    """Runs three masters as long as the block does; all nodes are killed at the end."""
    cluster = Cluster(folder, options)
    try:
        for number in range(MASTERS):
            node = cluster.add()
            first, end = (NUM_SLOTS * n // MASTERS for n in (number, number + 1))
            node.ask("CLUSTER ADDSLOTS", *range(first, end))
        cluster.wait()
        yield cluster
    finally:
        for node in cluster.nodes:
            node.kill()


def free_port() -> int:
    """A port that is free, as is the one 10000 above it: the nodes' own."""
    while True:
        port = random.randrange(20_000, 22_700)  # neither is among those that connections are given
        with (
            suppress(OSError),
            socket.create_server(("127.0.0.1", port)),
            socket.create_server(("127.0.0.1", port + 10_000)),
        ):
            return port
