"""People's part in the life of an event, over the api: acknowledged, judged, kept, deleted, and told to who listens."""

import pytest
import redis
from api_server import BASE_MS, LiveClient, RunningApi, an_event, write_event
from patience import eventually


@pytest.fixture
def api(server: RunningApi, redis_client: redis.Redis) -> RunningApi:
    server.add("a")
    return server


@pytest.fixture
def path(api: RunningApi, redis_client: redis.Redis) -> str:
    return f"/v1/events/{write_event(redis_client, an_event('a', BASE_MS))}"


def test_what_people_say_of_an_event_is_shown_and_told(api: RunningApi, redis_client: redis.Redis, path: str) -> None:
    younger = write_event(redis_client, an_event("a", BASE_MS + 1))
    older = write_event(redis_client, an_event("a", BASE_MS - 1))
    with LiveClient(api.url) as client:
        assert api.http.post(f"{path}/acknowledge").json()["acknowledged"]["by"] is None
        judged = api.http.put(f"{path}/feedback", json={"verdict": "wrong", "note": "a cat\nagain", "by": "Kim"}).json()
        assert {**judged["feedback"], "at_ms": 0} == {
            "at_ms": 0,
            "by": "Kim",
            "verdict": "wrong",
            "note": "a cat\nagain",
        }
        kept = api.http.put(f"{path}/keep", json={"by": "Lee"}).json()
        assert kept["kept"]["by"] == "Lee"
        assert api.http.get(path).json().items() >= kept.items()
        ids = [event["id"] for event in api.http.get("/v1/events").json()["items"]]
        assert ids == [younger, kept["id"], older]
        page = api.http.get("/v1/events?limit=1").json()
        assert api.http.get(f"/v1/events?limit=1&cursor={page['next']}").json()["items"] == [
            {**kept, "reviewed": False}
        ]
        assert api.http.get(f"/v1/events?label=frozen&stream_id=a&until_ms={BASE_MS + 9}").json()["items"] == []
        assert api.http.get(f"/v1/events?since_ms={BASE_MS}&until_ms={BASE_MS + 1}").json()["items"] == [
            {**kept, "reviewed": False}
        ]
        assert api.http.delete(f"{path}/feedback").json() == {**kept, "feedback": None}
        assert api.http.delete(f"{path}/keep").json()["kept"] is None
        assert api.http.delete(path).status_code == 204
        eventually(lambda: len(client.received) == 6, "all that was told")
    assert client.received == [*[("updated", kept["id"])] * 5, ("deleted", kept["id"])]
    assert [event["id"] for event in api.http.get("/v1/events").json()["items"]] == [younger, older]


def test_what_cannot_be_said_is_refused_by_name(api: RunningApi, path: str) -> None:
    for body, field in (
        ({}, "verdict"),
        ({"verdict": "maybe"}, "verdict"),
        ({"verdict": "right", "note": "x" * 1001}, "note"),
        ({"verdict": "right", "by": "K\x1bim"}, "by"),
        ({"verdict": "right", "mood": "good"}, "mood"),
    ):
        assert api.error(422, "PUT", f"{path}/feedback", json=body)["field"] == field
    gone = "/v1/events/a.moved.1"
    for method, rest in (("POST", "/acknowledge"), ("PUT", "/keep"), ("DELETE", "/keep"), ("DELETE", "")):
        assert api.error(404, method, gone + rest)["code"] == "event_unknown"
    assert api.error(422, "DELETE", "/v1/events/none")["field"] == "event_id"
