"""What a request is told that is wrong in itself: all of it at once, field by field."""

import pytest
import redis
from api_server import CAMERA, RunningApi

ONE = "/v1/streams/one"


@pytest.fixture
def api(server: RunningApi, redis_client: redis.Redis) -> RunningApi:
    return server


def test_all_that_is_wrong_is_said_at_once(api: RunningApi) -> None:
    reply = api.http.post("/v1/streams", json={"name": "", "source": "x", "fps": 100, "sped": 1})
    problem = reply.json()
    assert (problem["type"], problem["status"]) == ("about:blank", reply.status_code)
    assert {error["field"] for error in problem["errors"]} == {"name", "fps", "sped"}
    assert all(error["message"] in problem["detail"] for error in problem["errors"])
    for path in ("/v1/streams", ONE, "/v1/events", "/v1/version", "/healthz", "/v1/models"):
        reply = api.http.get(f"{path}?limt=1&since=2")
        assert [error["field"] for error in reply.json()["errors"]] == ["limt", "since"], path


@pytest.mark.parametrize("name", ["a\nb", "tab\there", "\u202eevil", "\x00", "\u200b", "   ", "\x7f"])
def test_names_are_printable(api: RunningApi, name: str) -> None:
    assert api.error(422, "POST", "/v1/streams", json={**CAMERA, "name": name})["field"] == "name"
    assert api.error(422, "PUT", ONE, json={**CAMERA, "name": name})["field"] == "name"
