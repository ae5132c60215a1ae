"""`afterimage worker`: one more worker joins, takes its share, and leaves it to the others."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from patience import eventually
from redis_process import redis_process
from running import Running, render_scene, running

SAMPLED = 96
STREAMS = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`afterimage up` with the default data folder, its media root at `home`."""
    home = render_scene(tmp_path_factory.mktemp("home"))
    with running("up", "--port", "0", "--media-root", str(home), "--device", "cpu", home=home) as system:
        assert system.url
        yield system
        system.interrupt()
        assert system.wait(60) == 0


def worker(role: str, *more: str) -> tuple[str, ...]:
    return "worker", "--role", role, "--device", "cpu", *more


def workers(system: Running, role: str) -> list[dict[str, Any]]:
    reply = httpx.get(f"{system.url}/v1/workers", headers=system.headers, timeout=10)
    return [one for one in reply.json().get("items", []) if one["role"] == role]


def shares(system: Running, role: str) -> list[int]:
    return [len(one["partitions"]) for one in workers(system, role)]


def play(system: Running, stream_id: str) -> None:
    body = {"id": stream_id, "name": stream_id, "source": "scene.mp4", "pace": "fast", "base_ms": 1000}
    httpx.post(f"{system.url}/v1/streams", json=body, headers=system.headers, timeout=10).raise_for_status()


def finished(system: Running, stream_id: str) -> dict[str, Any]:
    def view() -> dict[str, Any] | None:
        reply = httpx.get(f"{system.url}/v1/streams/{stream_id}", headers=system.headers, timeout=10)
        stream: dict[str, Any] = reply.json()
        return stream if stream["finished"] else None

    found = eventually(view, f"the end of {stream_id}")
    assert found
    return found


@pytest.mark.parametrize("role", ["inference", "ingest"])
def test_it_joins_the_system_that_runs_here_and_hands_back_at_its_end(system: Running, role: str) -> None:
    names = [f"{role}-{letter}" for letter in STREAMS]
    with running(*worker(role, "--media-root", str(system.home)), home=system.home, guest=True) as joined:
        eventually(lambda: shares(system, role) == [16, 16], "half of the partitions each")
        for name in names:
            play(system, name)
        assert {finished(system, name)["frames_processed"] for name in names} == {SAMPLED}
        assert sum(one["num_streams"] for one in workers(system, role)) >= len(names)
        url = joined.line("metrics http").split("metrics ")[1].partition(";")[0]
        assert "afterimage_" in httpx.get(url, timeout=10).raise_for_status().text
        joined.interrupt()
        assert joined.wait(60) == 0
        assert joined.errors
        assert not any("Traceback" in line for line in joined.errors)
    eventually(lambda: shares(system, role) == [32], "all partitions with the first")


def test_it_is_told_its_redis(system: Running) -> None:
    url = system.line("redis  ").split()[1]
    assert url.startswith("unix://")
    with running(
        *worker("ingest", "--redis", url, "--media-root", str(system.home)), home=system.home, guest=True
    ) as joined:
        eventually(lambda: len(workers(system, "ingest")) == 2, "a second worker")
        joined.interrupt(signal.SIGTERM)
        assert joined.wait(60) == 0


def test_ctrl_c_while_it_loads_ends_it_quietly(tmp_path: Path) -> None:
    with redis_process(tmp_path) as url, running(*worker("inference", "--redis", url), home=tmp_path) as joined:
        joined.line("Ctrl-C to end")
        joined.interrupt()
        assert joined.wait(60) in {0, -signal.SIGINT, 128 + signal.SIGINT}  # the last before it listens for signals
        assert not any("Traceback" in line for line in joined.errors)


def test_without_a_redis_here_it_says_how_to_give_one(tmp_path: Path) -> None:
    with running(*worker("ingest"), home=tmp_path) as lost:
        assert lost.wait(60) == 1
        assert "start `afterimage up`, or give --redis or AFTERIMAGE_REDIS_URL" in lost.errors[0]


def test_a_redis_that_is_away_is_waited_for_and_its_password_never_shown(tmp_path: Path) -> None:
    with running(*worker("ingest", "--redis", "redis://:s3cret@127.0.0.1:1/0"), home=tmp_path) as waiting:
        eventually(lambda: any("waiting for Redis" in line for line in waiting.errors), "its patience")
        waiting.interrupt()
        assert waiting.wait(60) == 0
        assert "redis://***@127.0.0.1:1/0" in waiting.lines[0]
        assert "s3cret" not in "".join(waiting.lines + waiting.errors)
