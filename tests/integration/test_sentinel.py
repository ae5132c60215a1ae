import itertools
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import redis
from patience import eventually, unavailable
from redis_cluster import free_port
from redis_process import redis_binary

from services.ingest.own_redis import OwnRedis
from shared.errors import SourceFailed, StoreUnavailable
from shared.network.addresses import AddressPolicy
from shared.store.client import connect
from shared.store.registry import Registry
from shared.streams import StreamSpec


@contextmanager
def server(*arguments: str | int | Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [redis_binary() or unavailable("a Redis server"), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def test_sentinels_lead_to_the_master_and_to_the_next_one() -> None:
    master_port, replica_port, sentinel_port = (free_port() for _ in range(3))
    with tempfile.TemporaryDirectory(prefix="afterimage-") as folder, ExitStack() as stack:
        config = Path(folder) / "sentinel.conf"
        config.write_text(
            f"port {sentinel_port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor main 127.0.0.1 {master_port} 1\n"
            "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n"
        )
        alike = ("--bind", "127.0.0.1", "--save", "", "--dir", folder)
        master = stack.enter_context(server("--port", master_port, *alike))
        stack.enter_context(server("--port", replica_port, "--replicaof", "127.0.0.1", master_port, *alike))
        watcher = stack.enter_context(server(config, "--sentinel"))
        url = f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{sentinel_port}/main"
        client = stack.enter_context(closing(connect(url, timeout_seconds=5, retries=1)))
        sentinel = stack.enter_context(closing(redis.Redis(port=sentinel_port, socket_timeout=5)))

        def add(stream_id: str) -> bool:
            spec = StreamSpec(id=stream_id, name="cam", source="a.mp4", base_ms=1, generation=7, created_at_ms=1)
            with suppress(StoreUnavailable):
                Registry(client).add(spec)
                return True
            return False

        eventually(lambda: add("one"), "the master")
        eventually(lambda: _replicas_are_ready(sentinel), "the replica")
        elsewhere, hours = free_port(), itertools.count(0, 3600)
        own = OwnRedis(client, (f"localhost:{sentinel_port}",), lambda: next(hours))
        own_ports = {sentinel_port, master_port, replica_port}
        assert {port for port in (*own_ports, elsewhere) if _is_refused(port, own)} == own_ports
        assert client.wait(1, 5000) == 1
        master.kill()
        eventually(lambda: add("two"), "the new master")
        assert set(Registry(client).specs()) == {"one", "two"}
        assert {port for port in (*own_ports, elsewhere) if _is_refused(port, own)} == own_ports
        watcher.kill()
        watcher.wait()
        assert {port for port in (*own_ports, elsewhere) if _is_refused(port, own)} == own_ports


def _is_refused(port: int, own: OwnRedis) -> bool:
    """Whether a source may not lead to this port, asked anew, as every attempt does."""
    try:
        AddressPolicy(own.addresses()).check("127.0.0.1", port)
    except SourceFailed as err:
        return "this system's own Redis" in str(err)
    return False


def _replicas_are_ready(sentinel: redis.Redis) -> bool:
    with suppress(redis.RedisError):
        return any(each["master-link-status"] == "ok" for each in sentinel.sentinel_slaves("main"))
    return False
