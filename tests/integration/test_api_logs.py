"""A request's answer and its log lines share an id."""

import logging
from collections.abc import Iterator

import pytest
import redis
from api_server import CAMERA, RunningApi, running_api

from shared.service.logs import request_id


@pytest.fixture
def api(redis_url: str, redis_client: redis.Redis) -> Iterator[RunningApi]:
    with running_api(redis_url) as running:
        yield running


def test_changes_of_streams_are_logged_with_the_requests_id(api: RunningApi, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str | None] = []

    def note(record: logging.LogRecord) -> bool:
        if record.name == "services.api.routes.streams":
            seen.append(request_id.get())
        return True

    caplog.handler.addFilter(note)
    with caplog.at_level(logging.INFO):
        made = api.http.post("/v1/streams", json={**CAMERA, "id": "door"}, headers={"X-Request-ID": "mine-1"})
        gone = api.http.delete("/v1/streams/door")
    assert made.headers["X-Request-ID"] == "mine-1"
    assert seen == ["mine-1", gone.headers["X-Request-ID"]]
    assert "stream door: registered" in caplog.text
    assert "stream door: removed" in caplog.text


def test_an_id_that_is_not_plain_is_replaced(api: RunningApi) -> None:
    reply = api.http.get("/healthz", headers={"X-Request-ID": 'a"b {evil}'})
    assert len(reply.headers["X-Request-ID"]) == 16
