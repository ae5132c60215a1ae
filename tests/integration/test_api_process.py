import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from api_server import LiveClient, running_api
from patience import TOOL_SECONDS, eventually

from services.api.connections import plain
from services.api.live.subscription import HEARTBEAT_SECONDS
from services.api.server import listen


def start(environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "services.api"],
        env={**os.environ, "AFTERIMAGE_API_PORT": "0", **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its URL, taken from its first log line."""
    with start(environment) as process:
        try:
            assert process.stderr is not None
            url = process.stderr.readline().split()[-1]
            assert url.startswith("http://127.0.0.1:")
            yield process, url
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_promptly_although_somebody_listens(redis_url: str, number: signal.Signals) -> None:
    with running({"AFTERIMAGE_REDIS_URL": redis_url}) as (process, url), LiveClient(url) as client:
        eventually(lambda: client.comments, "the feed")
        process.send_signal(number)
        assert process.wait(HEARTBEAT_SECONDS - 1) == 0  # whoever waits for the listener waits for a heartbeat at least
        assert client.ended.wait(60)
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_it_serves_without_redis_and_never_logs_its_password(tmp_path: Path) -> None:
    with running({"AFTERIMAGE_REDIS_URL": "redis://user:s3cret@127.0.0.1:1/0"}) as (process, url):
        assert httpx.get(f"{url}/healthz", trust_env=False).status_code == 200
        reply = httpx.get(f"{url}/readyz", trust_env=False, timeout=30)
        assert (reply.status_code, "s3cret" in reply.text) == (503, False)
        process.terminate()
        assert process.wait(60) == 0
        assert process.stderr is not None
        assert "s3cret" not in process.stderr.read()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"AFTERIMAGE_API_PORT": "70000"}, "AFTERIMAGE_API_PORT: Input should be less than or equal to 65535"),
        ({"AFTERIMAGE_REDIS_URL": "http://user:s3cret@host"}, "redis_url: expected redis://"),
        ({"AFTERIMAGE_API_HOST": "no.such.host.invalid"}, "cannot listen on no.such.host.invalid:0"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_code_2(environment: dict[str, str], said: str) -> None:
    with start(environment) as process:
        _, errors = process.communicate(timeout=TOOL_SECONDS)
    assert process.returncode == 2
    assert errors.startswith("error: ")
    assert said in errors
    assert errors.count("\n") == 1
    assert "s3cret" not in errors


def test_a_port_in_use_is_one_line_and_exit_code_2() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        with start({"AFTERIMAGE_API_PORT": port}) as process:
            _, errors = process.communicate(timeout=TOOL_SECONDS)
    assert process.returncode == 2
    assert errors == (
        f"error: AFTERIMAGE_API_HOST, AFTERIMAGE_API_PORT: cannot listen on 127.0.0.1:{port}: Address already in use\n"
    )


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="a machine without IPv6")
def test_of_both_families_callers_are_known_by_their_own_address(
    redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with running_api(redis_url, api_host="::", api_trusted_proxies="10.0.0.0/8") as api:
        port = api.http.base_url.port
        for host, address in (("127.0.0.1", "127.0.0.1"), ("[::1]", "::1")):
            reply = httpx.post(f"http://{host}:{port}/v1/targets", json={}, trust_env=False)
            assert reply.status_code == 422, reply.text
            assert f"from {address}: POST /v1/targets" in caplog.text


@pytest.mark.parametrize(
    ("told", "address"),
    [("::ffff:10.0.0.1", "10.0.0.1"), ("10.0.0.1", "10.0.0.1"), ("fd00::1", "fd00::1"), ("fe80::1%2", "fe80::1%2")],
)
def test_how_an_address_is_written(told: str, address: str) -> None:
    assert plain((told, 5)) == (address, 5)
    assert plain(None) is None
