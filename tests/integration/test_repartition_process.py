"""`python -m shared.store.repartition` as a process, as the chart's Job and compose start it: how it ends, what it
says, and that it says no password."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis
from divided import History, contents
from patience import TOOL_SECONDS, eventually
from redis_process import redis_process

from shared.store.client import connect
from shared.store.keys import LAYOUT
from shared.store.layout.known import layout_of
from shared.store.repartition.steps import stored_layout

COMMAND = (sys.executable, "-m", "shared.store.repartition", "--to")
PASSWORD = "hunter2-of-redis"
NUM_STREAMS = 4


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A Redis that wants a password, and its URL with it."""
    with (
        tempfile.TemporaryDirectory(prefix="afterimage-") as folder,
        redis_process(Path(folder), "--requirepass", PASSWORD) as address,
    ):
        yield address.replace("unix://", f"unix://:{PASSWORD}@")


@pytest.fixture
def url(server: str) -> str:
    """The same, with streams and their history, and nobody connected."""
    with closing(connect(server)) as client:
        client.flushall()
        History(client, NUM_STREAMS).fill()
    return server


def environment(url: str) -> dict[str, str]:
    return os.environ | {"AFTERIMAGE_REDIS_URL": url}


def run(url: str, *to: str) -> tuple[int, str, str]:
    """Its exit code, what it said, and what it said of errors."""
    done = subprocess.run(
        [*COMMAND, *to], env=environment(url), capture_output=True, text=True, timeout=TOOL_SECONDS, check=False
    )
    assert PASSWORD not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_killed_and_run_again_it_ends_with_0_and_then_has_nothing_to_do(url: str) -> None:
    with closing(connect(url)) as client:
        before = contents(client)
    with subprocess.Popen([*COMMAND, "64"], env=environment(url), stdout=subprocess.PIPE) as process:
        with closing(redis.Redis.from_url(url)) as client:  # nobody that it knows
            eventually(lambda: stored_layout(client).moving_to == 64, "it has begun")
        process.kill()
        assert process.communicate(timeout=TOOL_SECONDS)[0] == b""
    code, said, error = run(url, "32")
    assert (code, said) == (2, "")
    assert error.startswith("error: a repartition from 32 to 64 is half-way: first let `afterimage store repartition")
    with closing(connect(url)) as client:  # as if it had waited for long enough
        client.set(LAYOUT, stored_layout(client).model_copy(update={"began_ms": 1}).model_dump_json())
    code, said, error = run(url, "64")
    assert (code, error.splitlines()[-1]) == (0, f"{said.split()[4]} of {said.split()[4]} keys")
    assert said.startswith("32 -> 64 partitions; ")
    assert run(url, "64") == (0, "it has 64 partitions already\n", "")
    with closing(connect(url)) as client:
        assert layout_of(client).count == 64
        assert contents(client) == before


def test_while_a_service_runs_it_does_nothing_and_ends_with_2(url: str) -> None:
    with closing(connect(url, name="ingest")) as client:
        client.ping()
        code, said, error = run(url, "64")
        assert (code, said) == (2, "")
        assert error.startswith("error: the store is in use: afterimage:ingest is connected")
        assert "; stop all services, and run this again" in error
        assert stored_layout(client).moving_to is None


def test_without_redis_or_its_password_it_says_so_and_ends_with_2(server: str) -> None:
    wrong = server.replace(PASSWORD, f"{PASSWORD}-no-more")
    away = f"redis://:{PASSWORD}@127.0.0.1:1/0"
    for url, what in ((wrong, "error: Redis: "), (away, "error: Redis: "), (f"redis:{PASSWORD}@box", "error: ")):
        code, said, error = run(url, "64")
        assert (code, said, error.count("\n")) == (2, "", 1), error
        assert error.startswith(what)


def test_a_number_that_cannot_be_is_a_usage_error() -> None:
    code, said, error = run("redis://127.0.0.1:1/0", "1025")
    assert (code, said) == (2, "")
    assert "--to" in error
