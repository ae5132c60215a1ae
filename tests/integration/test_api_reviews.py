"""What each key has reviewed: seen by itself alone, found by it, bounded, and gone with the event and the key."""

import logging
from collections.abc import Mapping

import pytest
import redis
from api_server import BASE_MS, LiveClient, RunningApi, an_event, write_event
from default_layout import keys_of
from patience import eventually

from services.api.kept import reviews
from services.api.security.keys import Caller
from shared.clock import now_ms
from shared.store.keys import REVIEWERS, reviewed_key


@pytest.fixture
def api(server: RunningApi, redis_client: redis.Redis) -> RunningApi:
    server.add("a", groups=["north"])
    server.add("b", groups=["south"])
    return server


@pytest.fixture
def events(api: RunningApi, redis_client: redis.Redis) -> list[str]:
    return [write_event(redis_client, an_event(stream_id, BASE_MS + at)) for at, stream_id in enumerate("aab")]


@pytest.fixture
def keys(api: RunningApi) -> Mapping[str, dict[str, str]]:
    """Name → the headers it sends."""
    ring = api.context.keyring
    made = {"admin": ring.create("admin", "admin"), "kim": ring.create("kim", "viewer")}
    made |= {"lee": ring.create("lee", "viewer"), "north": ring.create("north", "viewer", ("north",))}
    return {name: {"Authorization": f"Bearer {key.text}"} for name, (key, _) in made.items()}


def listed(api: RunningApi, headers: dict[str, str], **query: str) -> dict[str, bool]:
    items = api.http.get("/v1/events", params=query, headers=headers).json()["items"]
    return {event["id"]: event["reviewed"] for event in items}


def test_what_a_key_has_reviewed_it_alone_sees_and_finds(
    api: RunningApi,
    events: list[str],
    keys: Mapping[str, dict[str, str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    kim, lee = keys["kim"], keys["lee"]
    caplog.set_level(logging.INFO)
    with LiveClient(api.url, headers=lee) as client:
        assert api.http.put(f"/v1/events/{events[0]}/reviewed", headers=kim).status_code == 204
        assert api.http.put(f"/v1/events/{events[0]}/reviewed", headers=kim).status_code == 204
        assert listed(api, kim) == {events[2]: False, events[1]: False, events[0]: True}
        assert not any(listed(api, lee).values())
        assert list(listed(api, kim, reviewed="true")) == [events[0]]
        assert list(listed(api, kim, reviewed="false", limit="1")) == [events[2]]
        assert list(listed(api, kim, reviewed="false", state="closed", stream_id="a")) == [events[1]]
        detail = f"/v1/events/{events[0]}"
        assert [api.http.get(detail, headers=each).json()["reviewed"] for each in (kim, lee)] == [True, False]
        exported = api.http.get("/v1/events/export?reviewed=true", headers=kim).text
        assert (events[0] in exported, events[1] in exported, '"reviewed"' in exported) == (True, False, False)
        assert api.http.delete(f"{detail}/reviewed", headers=kim).status_code == 204
        assert not any(listed(api, kim).values())
        assert "audit" not in caplog.text
        api.http.post(f"{detail}/acknowledge", headers=keys["admin"])
        eventually(lambda: client.received, "what others are told of")
    assert client.received == [("updated", events[0])]
    assert "audit" in caplog.text


def test_many_at_once_of_those_that_there_are(
    api: RunningApi, events: list[str], keys: Mapping[str, dict[str, str]]
) -> None:
    body = {"event_ids": [*events, "a.moved.1", events[0]]}
    done = api.http.post("/v1/events/reviewed", json=body, headers=keys["north"])
    assert done.json() == {"event_ids": events[:2]}, "b is not there for it"
    assert listed(api, keys["north"]) == dict.fromkeys(events[1::-1], True)
    assert api.http.post("/v1/events/reviewed", json=body, headers=keys["kim"]).json()["event_ids"] == events
    undone = api.http.post("/v1/events/reviewed", json={**body, "reviewed": False}, headers=keys["kim"])
    assert undone.json()["event_ids"] == events
    assert not any(listed(api, keys["kim"]).values())
    assert api.error(404, "PUT", f"/v1/events/{events[2]}/reviewed", headers=keys["north"])["code"] == "stream_unknown"
    assert api.error(404, "PUT", "/v1/events/a.moved.1/reviewed", headers=keys["kim"])["code"] == "event_unknown"
    for wrong, field in (
        ({"event_ids": ["none"]}, "event_ids.0"),
        ({"event_ids": events[:1] * 501}, "event_ids"),
        ({"event_ids": [], "mood": "good"}, "mood"),
        ({}, "event_ids"),
    ):
        refused = api.error(422, "POST", "/v1/events/reviewed", json=wrong, headers=keys["kim"])
        assert refused["field"] == field
    assert api.http.get("/v1/events/reviewed", headers=keys["kim"]).status_code == 405


def test_it_goes_with_event_stream_and_key(
    api: RunningApi, events: list[str], keys: Mapping[str, dict[str, str]], redis_client: redis.Redis
) -> None:
    ids = {record.name: record.id for record in api.context.keyring.records().values()}
    for name in ("kim", "lee"):
        api.http.post("/v1/events/reviewed", json={"event_ids": events}, headers=keys[name])
        assert 0 < redis_client.ttl(reviewed_key(ids[name])) <= reviews.KEPT_SECONDS
    api.http.delete(f"/v1/events/{events[0]}", headers=keys["admin"])
    assert redis_client.zrange(reviewed_key(ids["lee"]), 0, -1) == [each.encode() for each in events[1:]]
    api.http.delete("/v1/streams/a", headers=keys["admin"])
    assert redis_client.zrange(reviewed_key(ids["lee"]), 0, -1) == [events[2].encode()]
    api.http.delete(f"/v1/keys/{ids['kim']}", headers=keys["admin"])
    assert not redis_client.exists(reviewed_key(ids["kim"]))
    assert redis_client.zrange(REVIEWERS, 0, -1) == [ids["lee"].encode()]


def test_it_is_bounded_and_lets_go_of_what_is_gone(
    api: RunningApi, events: list[str], redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, expires_at_ms = api.context.reviews, now_ms() + 60_000
    kim = Caller("0123456789abcdef", "kim", "viewer", expires_at_ms=expires_at_ms)
    assert desk.mark(kim, events) == events
    key = reviewed_key("0123456789abcdef")
    assert 0 < redis_client.ttl(key) <= 60
    redis_client.hdel(keys_of("a").event_data("a"), events[0])  # as time lets go of it
    desk.mark(kim, [events[2]])
    assert redis_client.zrange(key, 0, -1) == [each.encode() for each in events[1:]]
    monkeypatch.setattr(reviews, "MAX_REVIEWED", 3)
    monkeypatch.setattr(reviews, "ROOM", 1)
    later = [write_event(redis_client, an_event("a", BASE_MS + 10 + at)) for at in range(2)]
    desk.mark(kim, later)
    assert desk.among(kim, [*events, *later]) == set(later), "the oldest made room"


def test_a_damaged_set_is_as_none(api: RunningApi, events: list[str], redis_client: redis.Redis) -> None:
    redis_client.set(reviewed_key("anybody"), "of a later version")
    redis_client.zadd(REVIEWERS, {"anybody": 0})
    assert not any(listed(api, {}).values())
    assert api.http.delete(f"/v1/events/{events[0]}").status_code == 204


def test_events_are_counted_by_severity(
    api: RunningApi, redis_client: redis.Redis, keys: Mapping[str, dict[str, str]]
) -> None:
    for at in range(5):
        event = an_event("a", BASE_MS + at, state="open" if at == 0 else "closed")
        write_event(redis_client, event.model_copy(update={"severity": "notice" if at < 2 else "alert"}))
    write_event(redis_client, an_event("b", BASE_MS))

    def counted(name: str, query: str = "") -> dict[str, object]:
        return dict(api.http.get(f"/v1/events/counts{query}", headers=keys[name]).json())

    assert counted("kim") == {"alerts": 4, "notices": 2, "open": 1, "is_whole": True}
    assert counted("kim", "?severity=notice&stream_id=a") == {"alerts": 0, "notices": 2, "open": 1, "is_whole": True}
    assert counted("north") == {"alerts": 3, "notices": 2, "open": 1, "is_whole": True}


def test_so_many_are_counted_and_no_more(
    api: RunningApi, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.api.routes.reviews.BATCH", 2)
    monkeypatch.setattr("services.api.routes.reviews.MAX_COUNTED", 3)
    for at in range(6):
        write_event(redis_client, an_event("a", BASE_MS + at))
    assert api.http.get("/v1/events/counts").json() == {"alerts": 4, "notices": 0, "open": 0, "is_whole": False}
