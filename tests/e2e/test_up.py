"""`afterimage up`: it starts, works, survives the death of its parts, and leaves nothing running."""

import json
import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from patience import eventually
from running import Running, render_scene, running

SERVICES = {
    "ingest": "services.ingest",
    "inference": "services.inference",
    "recorder": "services.api.media",
    "api": "services.api",
    "redis": "redis-server",
}
"""By name, how their command lines end."""
SAMPLED = 96
STREAMS = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_scene(tmp_path_factory.mktemp("media"))


@pytest.fixture(scope="module")
def shared_system(tmp_path_factory: pytest.TempPathFactory, media: Path) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("home")
    with running(*up(home / "data", media), home=home) as system:
        assert system.url
        yield system
        system.interrupt(signal.SIGHUP)
        assert system.wait(60) == 0
        assert system.errors == []


@pytest.fixture
def system(shared_system: Running) -> Iterator[Running]:
    """A whole system without streams, for tests that leave it as it is."""
    yield shared_system
    for stream in get(shared_system, "/v1/streams")["items"]:
        httpx.delete(f"{shared_system.url}/v1/streams/{stream['id']}", headers=shared_system.headers).raise_for_status()


def up(data: Path, media: Path, *more: str) -> tuple[str, ...]:
    return "up", "--port", "0", "--data", str(data), "--media-root", str(media), "--device", "cpu", *more


def get(system: Running, path: str) -> Any:
    return httpx.get(f"{system.url}{path}", headers=system.headers, timeout=10).raise_for_status().json()


def play(system: Running, stream_id: str, **fields: Any) -> None:
    body = {"id": stream_id, "name": stream_id, "source": "scene.mp4", "pace": "fast", "base_ms": 1000, **fields}
    httpx.post(f"{system.url}/v1/streams", json=body, headers=system.headers, timeout=10).raise_for_status()


def finished(system: Running, stream_id: str) -> dict[str, Any]:
    def view() -> dict[str, Any] | None:
        stream: dict[str, Any] = get(system, f"/v1/streams/{stream_id}")
        return stream if stream["finished"] else None

    found = eventually(view, f"the end of {stream_id}")
    assert found
    return found


def scores(system: Running, stream_id: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = get(system, f"/v1/streams/{stream_id}/scores?limit=500")["items"]
    return items


def assert_same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one["at_ms"] == other["at_ms"]
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-4)


def is_replaced(system: Running, service: str, killed: int) -> bool:
    return system.pid_of(service) not in {None, killed}


def is_ready(system: Running) -> bool:
    try:
        return httpx.get(f"{system.url}/readyz", timeout=5).is_success
    except httpx.HTTPError:
        return False


def shares(system: Running) -> list[int]:
    """How many partitions each inference worker owns."""
    workers = get(system, "/v1/workers")["items"]
    return [len(worker["partitions"]) for worker in workers if worker["role"] == "inference"]


def has_listener(system: Running) -> bool:
    pages = (httpx.get(url, timeout=10).text for url in system.line("metrics  ").split()[1:])
    return any("afterimage_api_live_clients 1.0" in page.splitlines() for page in pages)


def test_it_works_stops_in_order_on_ctrl_c_and_has_kept_everything_next_time(tmp_path: Path, media: Path) -> None:
    data = tmp_path / "data"
    with running(*up(data, media), home=tmp_path) as system:
        assert get(system, "/healthz")
        assert get(system, "/readyz")
        assert all(map(system.pid_of, SERVICES.values()))
        play(system, "kept")
        assert finished(system, "kept")["frames_processed"] == SAMPLED
        for word in ("metrics", "redis", "data", "media root", "models"):
            system.line(word)
        key = Path(system.line("admin key").split()[2])
        assert (key, key.stat().st_mode & 0o777) == (tmp_path / "afterimage" / "admin.key", 0o600)
        assert httpx.get(f"{system.url}/v1/streams").status_code == 401
        assert "<title>Afterimage</title>" in httpx.get(system.line("page   ").split()[1]).raise_for_status().text
        for url in system.line("metrics  ").split()[1:]:
            assert "afterimage_" in httpx.get(url, timeout=10).raise_for_status().text
        before = scores(system, "kept")
        system.interrupt()
        assert system.wait(60) == 0
        assert system.lines[-1] == "stopped"
        assert not any("killed" in line or "starting it again" in line for line in system.lines)
        assert system.alive() == {}
        assert system.errors == []
    assert "bye bye" in (data / "logs" / "redis.log").read_text()
    with running(*up(data, media), home=tmp_path) as system:
        assert finished(system, "kept")["frames_processed"] == SAMPLED
        assert scores(system, "kept") == before
        assert len(system.alive()) == 7
        os.kill(system.process.pid, signal.SIGKILL)
        eventually(lambda: not system.alive(), "nothing running though it was killed outright")
    with running(*up(data, media), home=tmp_path) as system:
        assert finished(system, "kept")["frames_processed"] == SAMPLED
        assert scores(system, "kept") == before
        system.interrupt(signal.SIGTERM)
        assert system.wait(60) == 0
        assert system.alive() == {}


def test_killed_while_it_starts_it_leaves_nothing_running(tmp_path: Path, media: Path) -> None:
    with running(*up(tmp_path / "data", media), home=tmp_path) as system:
        eventually(lambda: system.pid_of("services.inference"), "inference is starting")
        os.kill(system.process.pid, signal.SIGKILL)
        eventually(lambda: not system.alive(), "nothing running")


def test_ctrl_c_while_it_starts_stops_it(tmp_path: Path, media: Path) -> None:
    with running(*up(tmp_path / "data", media), home=tmp_path) as system:
        eventually(lambda: system.pid_of("services.inference"), "inference is starting")
        system.interrupt()
        assert system.wait(60) == 0
        assert system.alive() == {}
        assert not any(line.startswith("ready") for line in system.lines)


def test_any_part_that_dies_is_started_again_and_the_work_goes_on(tmp_path: Path, media: Path) -> None:
    with running(*up(tmp_path / "data", media), home=tmp_path) as system:
        play(system, "before")
        first = finished(system, "before")
        for name, service in SERVICES.items():
            killed = system.pid_of(service)
            assert killed
            os.kill(killed, signal.SIGKILL)
            system.line(f"{name} ended (signal 9 (SIGKILL))")
            eventually(partial(is_replaced, system, service, killed), f"another {service}")
        eventually(lambda: is_ready(system), "ready again")
        play(system, "after")
        assert finished(system, "after")["frames_processed"] == first["frames_processed"] == SAMPLED
        assert_same(scores(system, "after"), scores(system, "before"))
        system.interrupt()
        assert system.wait(60) == 0


def test_several_inference_workers_share_the_work(tmp_path: Path, media: Path) -> None:
    with running(*up(tmp_path / "data", media, "--inference-workers", "2"), home=tmp_path) as system:
        eventually(lambda: shares(system) == [16, 16], "two that share the partitions")
        urls = system.line("metrics  ").split()[1:]
        assert len(set(urls)) == 6
        for url in urls:
            assert "afterimage_" in httpx.get(url, timeout=10).raise_for_status().text
        for stream_id in STREAMS:
            play(system, stream_id)
        assert {finished(system, stream_id)["frames_processed"] for stream_id in STREAMS} == {SAMPLED}
        for stream_id in STREAMS[1:]:
            assert_same(scores(system, stream_id), scores(system, STREAMS[0]))
        before = system.alive()
        os.kill(next(pid for pid, line in before.items() if "services.inference" in line), signal.SIGKILL)
        system.line("inference-1 ended (signal 9 (SIGKILL))")
        eventually(lambda: len(system.alive()) == len(before) and shares(system) == [16, 16], "two again")
        assert {path.name for path in (tmp_path / "data" / "logs").glob("inf*")} == {
            "inference-1.log",
            "inference-2.log",
        }
        system.interrupt()
        assert system.wait(60) == 0
        assert not any("killed" in line for line in system.lines)
        assert system.alive() == {}


def test_a_second_ctrl_c_kills_what_hangs(tmp_path: Path, media: Path) -> None:
    with running(*up(tmp_path / "data", media), home=tmp_path) as system:
        assert system.url
        pid = system.pid_of("services.ingest")
        assert pid
        os.kill(pid, signal.SIGSTOP)
        system.interrupt()
        system.line("stopping")
        started = time.monotonic()
        system.interrupt()
        assert system.wait(60) == 0
        assert time.monotonic() - started < 15
        assert any("ingest was killed" in line for line in system.lines)
        assert system.alive() == {}


def test_two_never_share_a_data_folder(system: Running, tmp_path: Path, media: Path) -> None:
    with running(*up(system.home / "data", media), home=tmp_path) as second:
        assert second.wait(60) == 1
        assert "another afterimage uses it" in second.errors[0]
    assert get(system, "/readyz")


def test_a_device_that_is_not_there_ends_it_with_the_reason(tmp_path: Path, media: Path) -> None:
    with running(*up(tmp_path / "data", media, "--device", "cuda:77"), home=tmp_path) as system:
        assert system.wait(60) == 1
        assert "inference does not start" in system.errors[-1]
        assert "cuda" in system.errors[-1]
        assert system.alive() == {}


def test_batch_mates_never_touch_each_others_memory(system: Running) -> None:
    """Two streams of one file at once and one alone: the same scores within 1e-4."""
    play(system, "alone")
    finished(system, "alone")
    play(system, "first")
    play(system, "second")
    finished(system, "first")
    finished(system, "second")
    alone = scores(system, "alone")
    assert len(alone) == SAMPLED
    assert_same(scores(system, "first"), alone)
    assert_same(scores(system, "second"), alone)


def test_the_command_line_talks_to_it(system: Running, media: Path) -> None:
    def command(*arguments: str) -> list[str]:
        with running(*arguments, "--url", system.url, home=system.home, guest=True) as client:
            assert client.wait(60) == 0, client.errors
            return client.lines

    follow = ("events", "--follow", "--json", "--url", system.url)
    with running(*follow, home=system.home, guest=True) as follower:
        eventually(lambda: has_listener(system), "somebody follows")
        scene = str(media / "scene.mp4")
        assert command("streams", "add", "Front door", scene, "--pace", "fast") == ["front-door"]
        assert finished(system, "front-door")["frames_processed"] == SAMPLED
        history = [json.loads(line) for line in command("events", "--json", "--stream", "front-door")]
        assert "lights_out" in {event["label"] for event in history}
        eventually(lambda: len(follower.lines) >= 2 * len(history), "every opening and closing")
        followed = [json.loads(line) for line in follower.lines]
        assert [event["state"] for event in followed if event["id"] == history[0]["id"]] == ["open", "closed"]
        follower.interrupt()
        assert follower.wait(60) == 0
    assert json.loads("".join(command("streams", "show", "front-door")))["state"] == "ended"
    assert [json.loads(line)["id"] for line in command("streams", "list", "--json")] == ["front-door"]
    assert any("front-door" in line for line in command("streams", "list"))
    assert command("streams", "remove", "front-door") == []
    assert command("streams", "list", "--json") == []
    with running("streams", "show", "front-door", "--url", system.url, home=system.home, guest=True) as unknown:
        assert unknown.wait(60) == 1
        assert "front-door" in unknown.errors[0]
