import asyncio
import itertools
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis
from certificates import self_signed
from patience import eventually, unavailable
from redis_cluster import free_port
from redis_process import redis_binary
from tls_front import tls_front

from services.ingest.own_redis import OwnRedis
from shared.errors import SourceFailed, StoreUnavailable
from shared.network.addresses import AddressPolicy
from shared.store.client import connect, connect_async, translated
from shared.store.registry import Registry
from shared.streams import StreamSpec

MASTERS_OWN, SENTINELS_OWN = "hush-master", "hush-sentinel"


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


@contextmanager
def watched(folder: Path, *, seen_at: int | None = None) -> Iterator[tuple[int, int]]:
    """A master and a sentinel, each with a password; their ports. The sentinel sees the master at another, if given."""
    master_port, sentinel_port = free_port(), free_port()
    (folder / "sentinel.conf").write_text(
        f"port {sentinel_port}\nbind 127.0.0.1\ndir {folder}\nrequirepass {SENTINELS_OWN}\n"
        f"sentinel monitor main 127.0.0.1 {seen_at or master_port} 1\nsentinel auth-pass main {MASTERS_OWN}\n"
    )
    alike = ("--bind", "127.0.0.1", "--save", "", "--dir", folder, "--requirepass", MASTERS_OWN)
    with server("--port", master_port, *alike), server(folder / "sentinel.conf", "--sentinel"):
        yield master_port, sentinel_port


def pinged(url: str) -> bool:
    """Whether the master answers; raises StoreUnavailable."""
    with closing(connect(url, timeout_seconds=5, retries=0)) as client, translated():
        return bool(client.ping())


def answered(url: str) -> bool:
    """The same over asyncio."""

    async def ask() -> bool:
        client: Any = connect_async(url, timeout_seconds=5, retries=0)
        try:
            with translated():
                return bool(await client.ping())
        finally:
            for each in (client, *client.connection_pool.sentinel_manager.sentinels):
                await each.aclose()

    return asyncio.run(ask())


def is_there(url: str) -> bool:
    with suppress(StoreUnavailable):
        return pinged(url) and answered(url)
    return False


@pytest.mark.parametrize(
    "query",
    ["", "?sentinel_password=wr0ng", "?sentinel_username=x&sentinel_password=wr0ng"],
    ids=["none", "wrong", "another"],
)
def test_sentinels_with_a_password_are_given_it_and_say_so_where_it_is_wrong(query: str) -> None:
    with tempfile.TemporaryDirectory(prefix="afterimage-") as folder, watched(Path(folder)) as (master, sentinel):
        url = f"redis+sentinel://:{MASTERS_OWN}@127.0.0.1:{sentinel}/main"
        eventually(lambda: is_there(f"{url}?sentinel_password={SENTINELS_OWN}"), "the master")
        with closing(connect(f"{url}?sentinel_password={SENTINELS_OWN}")) as client:
            own = OwnRedis(client, ())
            assert _is_refused(master, own)
        for use in (pinged, answered):
            with pytest.raises(StoreUnavailable) as raised:
                use(f"{url}{query}")
            told = str(raised.value)
            assert f"sentinel 127.0.0.1:{sentinel} - refuses the login, which is sentinel_username" in told
            assert "redis." not in told.lower()
            assert not any(secret in told for secret in (SENTINELS_OWN, MASTERS_OWN, "wr0ng"))


def test_sentinels_and_the_master_are_asked_over_tls() -> None:
    with tempfile.TemporaryDirectory(prefix="afterimage-") as name, ExitStack() as stack:
        folder, seen_at, asked_at = Path(name), free_port(), free_port()
        certificate = self_signed(folder)
        master, sentinel = stack.enter_context(watched(folder, seen_at=seen_at))
        callers = stack.enter_context(tls_front(seen_at, master, certificate))
        askers = stack.enter_context(tls_front(asked_at, sentinel, certificate))
        rest = f":{MASTERS_OWN}@127.0.0.1:{asked_at}/main?sentinel_password={SENTINELS_OWN}"
        eventually(lambda: is_there(f"rediss+sentinel://{rest}&ssl_ca_certs={certificate}"), "the master")
        assert True in callers
        assert set(askers) == {True}
        assert not is_there(f"rediss+sentinel://{rest}"), "a certificate that nobody has vouched for"


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
