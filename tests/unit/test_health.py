"""What a container's engine asks it, on a real Redis and a real server."""

from collections.abc import Iterator

import pytest
import redis
from web_server import WebServer, web_server

from shared.service.health import main
from shared.store.leases import LeaseBook, worker_id


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


@pytest.fixture(autouse=True)
def settings(redis_url: str, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERIMAGE_REDIS_URL", redis_url)


def test_a_worker_that_answers_and_beats_is_healthy(web: WebServer, redis_client: redis.Redis) -> None:
    web.give("/metrics", b"afterimage_up 1\n")
    LeaseBook(redis_client, "ingest", worker_id()).beat()
    assert main([web.url("/metrics"), "ingest"]) == 0
    assert main([web.url("/metrics")]) == 0


def test_another_machines_heartbeat_does_not_count(
    web: WebServer, redis_client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    web.give("/metrics", b"afterimage_up 1\n")
    LeaseBook(redis_client, "inference", "elsewhere-1-abcdef").beat()
    LeaseBook(redis_client, "ingest", worker_id()).beat()
    assert main([web.url("/metrics"), "inference"]) == 1
    assert "no heartbeat of an inference worker" in capsys.readouterr().err


def test_an_error_and_silence_are_told(web: WebServer, capsys: pytest.CaptureFixture[str]) -> None:
    web.answers["/readyz"] = lambda handler: handler.reply(503, b"no living worker for: ingest")
    assert main([web.url("/readyz")]) == 1
    assert "HTTP 503: no living worker for: ingest" in capsys.readouterr().err
    assert main(["http://127.0.0.1:1/readyz"]) == 1
    assert "Connection refused" in capsys.readouterr().err


def test_a_redis_that_is_away_is_told_without_its_password(
    web: WebServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    web.give("/metrics", b"")
    monkeypatch.setenv("AFTERIMAGE_REDIS_URL", "redis://:secret@127.0.0.1:1/0")
    assert main([web.url("/metrics"), "ingest"]) == 1
    said = capsys.readouterr().err
    assert "Redis" in said
    assert "secret" not in said


@pytest.mark.parametrize("arguments", [[], ["http://127.0.0.1:1/", "api"], ["a", "ingest", "b"]])
def test_other_arguments_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "usage: python -m shared.service.health URL [ingest|inference]" in capsys.readouterr().err
