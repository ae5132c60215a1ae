"""Who may do what: every route of the app, asked with every kind of key."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress

import pytest
import redis
from access_matrix import CALLERS, MATRIX, STARTED_MS, expected, path_of
from api_server import CAMERA, LiveClient, RunningApi, an_event, publish, running_api, write_event
from default_layout import keys_of
from fastapi.routing import iter_route_contexts
from patience import eventually
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect as connect_socket

from services.api.app import create_app
from services.api.protocol.errors import ApiError
from services.api.schemas.streams import StreamCreate
from services.api.security import keyring, lockout
from services.api.security.keyring import Keyring
from services.api.security.keys import AccessRole, ApiKey
from services.api.settings import ApiSettings
from shared.clock import now_ms
from shared.errors import StreamExists
from shared.store.client import connect
from shared.store.keys import ACCESS_KEYS
from shared.streams import Progress

ROLES: tuple[AccessRole, AccessRole] = ("admin", "operator")


def all_routes() -> set[str]:
    """`METHOD /path` of each; a WebSocket's method is WS."""
    contexts = iter_route_contexts(create_app(ApiSettings()).routes)
    return {f"{method} {each.path}" for each in contexts for method in (each.methods or {"WS"}) if method != "HEAD"}


def test_every_route_has_its_row() -> None:
    assert all_routes() == MATRIX.keys()


@pytest.fixture(scope="module", autouse=True)
def _others_need_no_key(redis_url: str) -> Iterator[None]:
    with connect(redis_url) as client:
        client.flushall()
        yield
        client.flushall()


@pytest.fixture(scope="module")
def api(redis_url: str) -> Iterator[RunningApi]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lockout, "MAX_OF_ADDRESS", 1 << 20)  # this machine guesses all the time
        with running_api(redis_url) as running:
            yield running


@pytest.fixture(scope="module")
def keys(api: RunningApi) -> Mapping[str, dict[str, str]]:
    """Caller → the headers it sends."""
    ring = api.context.keyring
    made = {"admin": ring.create("a", "admin"), "expired": ring.create("e", "operator")}
    made |= {"viewer": ring.create("v", "viewer"), "operator": ring.create("o", "operator")}
    made["other group"] = ring.create("g", "operator", ("south",))
    made["own group"] = ring.create("n", "operator", ("north", "east"))
    made["revoked"] = ring.create("r", "admin")
    ring.revoke(made["revoked"][0].id)
    key, record = made["expired"]
    past = record.model_copy(update={"expires_at_ms": now_ms() - 1})
    api.context.client.hset(ACCESS_KEYS, key.id, past.model_dump_json())
    admin = made["admin"][0].text
    texts = {caller: key.text for caller, (key, _) in made.items()} | {"wrong": ApiKey.new().text, "cut": admin[:-1]}
    return {"no key": {}} | {caller: {"Authorization": f"Bearer {text}"} for caller, text in texts.items()}


def add(api: RunningApi, stream_id: str, *groups: str) -> None:
    api.context.registrar.add(
        StreamCreate(name="Camera", source="rtsp://camera.invalid/1", id=stream_id, groups=groups)
    )


def outcome(api: RunningApi, route: str, headers: dict[str, str]) -> str:
    """What becomes of a request: the error's code where that tells who may what, else `through`."""
    with suppress(StreamExists):
        add(api, "door", "north")
    write_event(api.context.client, an_event("door", STARTED_MS))
    method, path = route.split(maxsplit=1)[0], path_of(route)
    if method == "WS":
        return socket_outcome(api, path, headers)
    body: dict[str, str] | None = {} if method in {"POST", "PUT", "PATCH"} else None
    with api.http.stream(method, path, headers=headers, json=body) as reply:
        if reply.status_code not in {401, 403, 404}:
            return "through"
        code = str(json.loads(reply.read())["errors"][0]["code"])
    assert (reply.headers.get("WWW-Authenticate") == "Bearer") == (reply.status_code == 401)
    return code if reply.status_code != 404 or code == "stream_unknown" else "through"


def socket_outcome(api: RunningApi, path: str, headers: dict[str, str]) -> str:
    try:
        with connect_socket(f"{api.url.replace('http', 'ws', 1)}{path}", additional_headers=headers, proxy=None):
            return "through"
    except InvalidStatus:
        return "refused"


@pytest.mark.parametrize("route", sorted(MATRIX))
def test_the_matrix(api: RunningApi, keys: Mapping[str, dict[str, str]], route: str) -> None:
    found = {caller: outcome(api, route, keys[caller]) for caller in CALLERS}
    assert found == {caller: expected(route, caller) for caller in CALLERS}


def test_head_is_answered_to_those_who_may_get(api: RunningApi, keys: Mapping[str, dict[str, str]]) -> None:
    for route in sorted(route for route in MATRIX if route.startswith("GET ")):
        path = path_of(route)
        for caller in ("no key", "viewer", "other group"):
            with api.http.stream("GET", path, headers=keys[caller]) as got:
                reply = api.http.head(path, headers=keys[caller])
            assert (reply.status_code, reply.content) == (got.status_code, b""), f"{caller}: {path}"


def test_what_no_route_is_asks_for_a_key_as_well(api: RunningApi, keys: Mapping[str, dict[str, str]]) -> None:
    for path in ("/v1/nothing", "/v1/streams/", "/healthz/", "//v1/keys", "/v1/keys%0a"):
        assert api.http.get(path).status_code == 401, path
    assert api.http.get("/v1/nothing", headers=keys["viewer"]).status_code == 404
    assert api.http.get("/v1/nothing", headers=keys["own group"]).status_code == 403
    for text in ("Basic YTpi", "Bearer", "bearer afi_", f"Bearer {'a' * 5000}", "Bearer ä"):
        assert api.error(401, "GET", "/v1/streams", headers={"Authorization": text.encode()})["code"] == "key_malformed"


def test_nothing_of_a_request_is_read_before_its_key(api: RunningApi) -> None:
    reply = api.http.post("/v1/streams", content=b"{not json", headers={"Content-Type": "application/json"})
    assert reply.status_code == 401


def test_a_key_for_some_groups_sees_and_makes_nothing_else(api: RunningApi, keys: Mapping[str, dict[str, str]]) -> None:
    def asked(caller: str, method: str, path: str, **fields: object) -> tuple[int, str]:
        reply = api.http.request(method, path, headers=keys[caller], json=fields or None)
        return reply.status_code, reply.text

    for stream_id, groups in {"one": ["south"], "both": ["south", "north"], "none": []}.items():
        add(api, stream_id, *groups)
    following = [LiveClient(api.url, headers=keys[caller]) for caller in ("other group", "viewer")]
    with following[0] as south, following[1] as all_streams:
        for stream_id in ("none", "one", "both"):
            write_event(api.context.client, an_event(stream_id, STARTED_MS))
        exported = [f"/v1/events/export?format={form}" for form in ("jsonl", "csv")]
        for path in ("/v1/streams", "/v1/events", "/v1/streams?group=north&group=south", *exported):
            text = asked("other group", "GET", path)[1]
            assert [stream_id in text for stream_id in ("one", "both", "none", "door")] == [True, True, False, False]
        for path in ("/v1/streams", "/v1/events", "/v1/events/export"):
            assert asked("other group", "GET", f"{path}?stream_id=one&stream_id=none")[0] == 404
            assert "door" not in asked("other group", "GET", f"{path}?text=door")[1]
        seen = json.loads(asked("other group", "GET", "/v1/groups")[1])["items"]
        assert seen == [{"name": "north", "num_streams": 1}, {"name": "south", "num_streams": 2}]
        api.context.client.hset(keys_of("junk").streams, "junk", "of a later version")
        api.context.client.hset(keys_of("junk").progress, "junk", str(Progress(1)))
        assert asked("other group", "GET", "/v1/streams/junk")[0] == 404
        assert asked("operator", "DELETE", "/v1/streams/junk")[0] == 204
        eventually(lambda: len(all_streams.ids) == 3, "all of the feed")
        eventually(lambda: len(south.ids) == 2, "its part of the feed")
        assert {event_id.partition(".")[0] for event_id in south.ids} == {"one", "both"}
    for groups in (["north"], ["south", "north"], []):
        refused = asked("other group", "POST", "/v1/streams", **CAMERA, id="new", groups=groups)
        assert (refused[0], "allowed are south" in refused[1]) == (422, True)
        for stream_id in ("both", "new"):
            dry = asked("other group", "PUT", f"/v1/streams/{stream_id}?dry_run=true", **CAMERA, groups=groups)[0]
            assert dry == (200 if stream_id == "both" and len(groups) == 2 else 422)
    assert asked("other group", "PUT", "/v1/streams/none", **CAMERA, groups=["south"])[0] == 404
    assert asked("other group", "PUT", "/v1/streams/put", **CAMERA, groups=["south"])[0] == 201
    assert asked("other group", "DELETE", "/v1/streams/put")[0] == 204
    assert asked("other group", "PATCH", "/v1/streams/both", groups=["north"])[0] == 422
    assert asked("other group", "PATCH", "/v1/streams/both", groups=["south"])[0] == 422, "north is not its own"
    assert asked("other group", "PATCH", "/v1/streams/both", groups=None)[0] == 422
    assert asked("other group", "PATCH", "/v1/streams/both", groups=["south", "north"])[0] == 200
    assert asked("other group", "POST", "/v1/streams", **CAMERA, id="new", groups=["south"])[0] == 201
    for stream_id in ("new", "one", "both"):
        assert asked("other group", "DELETE", f"/v1/streams/{stream_id}")[0] == 204


def test_a_revoked_key_opens_nothing_from_then_on_in_any_process(api: RunningApi, redis_url: str) -> None:
    admin, operator = (api.context.keyring.create("x", role)[0] for role in ROLES)
    held, asking = ({"Authorization": f"Bearer {key.text}"} for key in (operator, admin))
    with running_api(redis_url) as other, LiveClient(other.url, headers=held) as client:
        assert other.http.get("/v1/streams", headers=held).status_code == 200
        eventually(lambda: client.comments, "the feed")
        used = api.http.get(f"/v1/keys/{operator.id}", headers=asking).json()["last_used_at_ms"]
        assert abs(used - now_ms()) < 60_000
        assert api.http.delete(f"/v1/keys/{operator.id}", headers=asking).status_code == 204
        assert other.http.get("/v1/streams", headers=held).json()["errors"][0]["code"] == "key_revoked"
        assert client.ended.wait(60)
        eventually(lambda: "live_clients 0.0" in other.metrics(), "nobody listens")
    assert api.http.delete(f"/v1/keys/{operator.id}", headers=asking).status_code == 204
    shown = api.http.get("/v1/keys", headers=asking).json()["items"]
    assert next(each for each in shown if each["id"] == operator.id)["revoked_at_ms"] is not None
    assert operator.text not in str(shown)
    kept = str(api.context.client.hgetall(ACCESS_KEYS))
    assert operator.text[30:] not in kept
    assert admin.digest in kept


def test_without_any_key_this_machine_needs_none_and_then_all_do(redis_url: str, redis_client: redis.Redis) -> None:
    with running_api(redis_url) as api:
        for headers in ({}, {"Authorization": f"Bearer {ApiKey.new().text}"}, {"Authorization": "Basic YTpi"}):
            assert api.http.get("/v1/streams", headers=headers).status_code == 200
        assert api.http.get("/v1/session").json() == {
            "key_id": None,
            "name": "this machine, without a key",
            "role": "admin",
            "groups": [],
            "csrf_token": None,
            "expires_at_ms": None,
        }
        for header in ("X-Forwarded-For", "Forwarded", "Via"):
            assert api.http.get("/v1/streams", headers={header: "127.0.0.1"}).status_code == 401, header
        assert api.error(422, "POST", "/v1/keys", json={"name": "v", "role": "viewer"})["field"] == "role"
        made = api.http.post("/v1/keys", json={"name": "me", "role": "admin"})
        assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
        assert api.http.get("/v1/streams").status_code == 401
        mine = {"Authorization": f"Bearer {made.json()['key']}"}
        assert api.http.get(made.headers["Location"], headers=mine).json()["name"] == "me"
        assert api.error(409, "DELETE", made.headers["Location"], headers=mine)["code"] == "last_admin"
        past = {"name": "v", "expires_at_ms": now_ms() - 1}
        assert api.error(422, "POST", "/v1/keys", json=past, headers=mine)["field"] == "expires_at_ms"
        groups = {"name": "v", "role": "admin", "groups": ["a"]}
        assert api.error(422, "POST", "/v1/keys", json=groups, headers=mine)["field"] == "groups"


def test_the_key_that_settings_name_is_an_admins_until_it_is_revoked(redis_url: str, redis_client: redis.Redis) -> None:
    key = ApiKey.new()
    mine = {"Authorization": f"Bearer {key.text}"}
    with running_api(redis_url, admin_key_hash=key.fingerprint) as api:
        assert api.http.get("/v1/streams").status_code == 401
        other = api.http.post("/v1/keys", json={"name": "o", "role": "admin"}, headers=mine).json()
        assert [each["id"] for each in api.http.get("/v1/keys", headers=mine).json()["items"]] == [key.id, other["id"]]
        theirs = {"Authorization": f"Bearer {other['key']}"}
        assert api.http.delete(f"/v1/keys/{key.id}", headers=theirs).status_code == 204
        assert api.error(401, "GET", "/v1/keys", headers=mine)["code"] == "key_revoked"


def test_keys_are_bounded_and_useless_ones_make_room(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "MAX_KEYS", 3)
    ring = Keyring(redis_client, None)
    first, second, _ = (ring.create(name, "admin")[1] for name in "abc")
    with pytest.raises(ApiError, match="there are 3 keys"):
        ring.create("d", "admin")
    ring.revoke(second.id)
    ring.create("d", "admin")
    assert {record.name for record in ring.records().values()} == {"a", "c", "d"}
    assert first.id in ring.records()


def test_two_admins_that_revoke_each_other_leave_one(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis_client.delete(ACCESS_KEYS)
    ring = Keyring(redis_client, None)
    others: list[str] = []

    def now_that_the_other_is_quicker() -> int:
        if others:
            ring.revoke(others.pop())
        return now_ms()

    first, second = (ring.create(name, "admin")[1] for name in "ab")
    monkeypatch.setattr(keyring, "now_ms", now_that_the_other_is_quicker)
    others.append(second.id)
    with pytest.raises(ApiError, match="last admin key"):
        ring.revoke(first.id)
    assert [each.id for each in ring.records().values() if each.revoked_at_ms is None] == [first.id]


def test_live_pictures_are_those_of_ones_groups(api: RunningApi) -> None:
    for stream_id, group in (("door", "north"), ("shed", "south")):
        with suppress(StreamExists):
            add(api, stream_id, group)
        publish(api.context.client, stream_id, STARTED_MS)
    url = f"{api.url.replace('http', 'ws', 1)}/v1/live"
    for groups, seen in ((("south",), {"shed"}), ((), {"door", "shed"})):
        key, _ = api.context.keyring.create("live", "admin" if not groups else "viewer", groups)
        headers = {"Authorization": f"Bearer {key.text}"}
        shown = set()
        with connect_socket(url, additional_headers=headers, proxy=None) as socket:
            socket.send(json.dumps({"streams": {"door": 15, "shed": 15}}))
            for _ in seen:
                message = socket.recv(timeout=60)
                assert isinstance(message, bytes)
                shown.add(json.loads(message[4 : 4 + int.from_bytes(message[:4], "big")])["id"])
        assert shown == seen
