"""A browser's login, what its writes must prove, who guesses, and what the audit log says."""

import logging
import re
from collections.abc import Iterator

import httpx
import pytest
import redis
from api_server import CAMERA, LiveClient, RunningApi, running_api

from services.api.protocol.errors import ApiError
from services.api.security import sessions
from services.api.security.keys import ApiKey
from services.api.security.lockout import MAX_KNOWN, MAX_OF_ADDRESS, MAX_OF_KEY, WINDOW_SECONDS, Lockout
from services.api.security.sessions import COOKIE, CSRF_HEADER
from shared.words.redaction import redact

FIRST = ApiKey.new()
MINE = {"Authorization": f"Bearer {FIRST.text}"}
SECRET = "s3cret-Pa55w0rd"


@pytest.fixture
def api(redis_url: str, redis_client: redis.Redis) -> Iterator[RunningApi]:
    with running_api(redis_url, admin_key_hash=FIRST.fingerprint) as running:
        yield running
    redis_client.flushall()  # others need no key


def log_in(api: RunningApi, key: str, **options: str) -> httpx.Response:
    return api.http.post("/v1/session", json={"key": key}, headers=options)


def test_a_key_becomes_a_session_and_its_writes_need_a_token(api: RunningApi, redis_client: redis.Redis) -> None:
    made = log_in(api, FIRST.text)
    assert made.status_code == 201
    cookie = made.headers["Set-Cookie"]
    assert re.fullmatch(rf"{COOKIE}=[\w-]{{43}}; HttpOnly; Max-Age=43200; Path=/; SameSite=strict", cookie), cookie
    assert FIRST.text[30:] not in made.text + cookie
    token = made.json()["csrf_token"]
    assert api.http.get("/v1/session").json() == made.json()
    assert api.http.get("/v1/streams").status_code == 200
    for wrong in ({}, {CSRF_HEADER: ""}, {CSRF_HEADER: token[:-1]}, {CSRF_HEADER: "ä".encode()}):
        assert api.error(403, "POST", "/v1/streams", json=CAMERA, headers=wrong)["code"] == "csrf_missing"
    assert api.http.post("/v1/streams", json=CAMERA, headers={CSRF_HEADER: token}).status_code == 201
    kept = str([redis_client.get(name) for name in redis_client.scan_iter("{access}:session:*")])
    assert token in kept
    assert api.http.cookies[COOKIE] not in f"{kept} {list(redis_client.scan_iter())}"
    held = api.http.cookies[COOKIE]
    with LiveClient(api.url, headers={"Cookie": f"{COOKIE}={held}"}) as follower:
        assert api.http.delete("/v1/session", headers={CSRF_HEADER: token}).status_code == 204
        assert follower.ended.wait(60)
    assert COOKIE not in api.http.cookies
    assert api.http.get("/v1/streams", headers={"Cookie": f"{COOKIE}={held}"}).status_code == 401


def test_a_session_ends_with_its_key_and_a_foreign_page_opens_none(api: RunningApi) -> None:
    other = api.http.post("/v1/keys", json={"name": "o", "role": "operator"}, headers=MINE).json()
    assert log_in(api, other["key"], Origin="https://evil.example").status_code == 403
    assert log_in(api, other["key"]).status_code == 201
    assert api.http.get("/v1/session").json()["role"] == "operator"
    assert api.http.get("/v1/session", headers=MINE).json()["csrf_token"] is None
    assert api.http.delete(f"/v1/keys/{other['id']}", headers=MINE).status_code == 204
    assert api.error(401, "GET", "/v1/streams")["code"] == "key_revoked"


def test_behind_a_proxy_that_is_trusted_the_cookie_is_for_https_alone(
    redis_url: str, redis_client: redis.Redis
) -> None:
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
    settings = {"admin_key_hash": FIRST.fingerprint, "api_root_path": "/watch"}
    for proxies, is_secure in (("", False), ("127.0.0.1", True)):
        with running_api(redis_url, api_trusted_proxies=proxies, **settings) as api:
            cookie = log_in(api, FIRST.text, **forwarded).headers["Set-Cookie"]
        assert ("; Secure" in cookie, "Path=/watch;" in cookie) == (is_secure, True)


def test_sessions_of_a_key_are_bounded(
    api: RunningApi, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MAX_OF_KEY", 3)
    first = log_in(api, FIRST.text).cookies[COOKIE]
    for _ in range(5):
        log_in(api, FIRST.text)
    assert len(list(redis_client.scan_iter("{access}:session:*"))) == 3
    assert api.http.get("/v1/session").status_code == 200
    assert api.http.get("/v1/session", headers={"Cookie": f"{COOKIE}={first}"}).status_code == 401


def test_who_guesses_waits_and_who_has_a_key_goes_on(api: RunningApi) -> None:
    assert api.http.get("/v1/streams", headers=MINE).status_code == 200
    other = api.http.post("/v1/keys", json={"name": "o"}, headers=MINE).json()["key"]
    codes = [log_in(api, ApiKey.new().text).status_code for _ in range(MAX_OF_ADDRESS)]
    assert codes == [401] * MAX_OF_ADDRESS
    for key in (ApiKey.new().text, "nonsense", other):
        refused = log_in(api, key)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_failures")
        assert 0 < int(refused.headers["Retry-After"]) <= WINDOW_SECONDS
        assert api.http.get("/v1/streams", headers={"Authorization": f"Bearer {key}"}).status_code == 429
    assert api.http.get("/v1/streams", headers=MINE).status_code == 200


def test_failures_are_counted_by_network_and_key_for_a_minute_in_bounded_memory() -> None:
    now = 0.0
    lockout = Lockout(lambda: now)

    def waits(address: str, key_id: str = "k", digest: str | None = None) -> bool:
        try:
            lockout.check(address, key_id, digest)
        except ApiError as err:
            return err.status == 429
        return False

    for number in range(MAX_OF_ADDRESS):
        assert not waits(f"2001:db8::{number:x}")
        lockout.failed(f"2001:db8::{number:x}", None, None)
    assert waits("2001:db8::ffff:1")
    assert not waits("2001:db8:0:1::1")
    for number in range(MAX_OF_KEY):
        lockout.failed(f"192.0.2.{number}", "guessed", None)
    lockout.succeeded("198.51.100.1", "right")
    assert waits("198.51.100.1", "guessed", "wrong")
    assert not waits("198.51.100.1", "guessed", "right")
    now = WINDOW_SECONDS
    assert not waits("2001:db8::1")
    for number in range(2 * MAX_KNOWN):
        lockout.failed(f"a{number}", f"k{number}", None)
        lockout.succeeded(f"a{number}", "right")
    held = (lockout._by_address._known, lockout._by_key._known, lockout._right)
    assert [len(each) for each in held] == [MAX_KNOWN] * 3


def test_each_write_is_told_with_who_from_where_and_what_without_a_secret(
    api: RunningApi, caplog: pytest.LogCaptureFixture
) -> None:
    source = f"rtsp://user:{SECRET}@camera.invalid/1"
    body = {"id": "door", "name": "Door", "source": source, "groups": ["north"]}
    logging.getLogger().setLevel(logging.WARNING)  # the audit log is written whatever the level
    api.http.post("/v1/streams", json=body, headers=MINE)
    api.http.patch("/v1/streams/door", json={"fps": 4, "source": f"{source}2"}, headers=MINE)
    api.http.patch("/v1/streams/door", json={"fps": 100}, headers=MINE)
    made = api.http.post("/v1/keys", json={"name": "wall", "role": "viewer"}, headers=MINE).json()
    theirs = {"Authorization": f"Bearer {made['key']}"}
    api.http.delete("/v1/streams/door", headers=theirs)
    api.http.delete(f"/v1/keys/{made['id']}", headers=MINE)
    api.http.get("/v1/streams", headers=MINE)
    log_in(api, FIRST.text)
    for _ in range(8):
        api.http.delete("/v1/streams/nobody", headers=MINE)
    lines = [re.sub(r"^audit \d+: ", "", record.message) for record in caplog.records if "audit" in record.message]
    me = f"{FIRST.id} (first admin key, admin) from 127.0.0.1:"
    assert lines[0].startswith(f"{me} POST /v1/streams: 201; ")
    assert all(
        each in lines[0] for each in ("groups nothing → ['north']", "source nothing → rtsp://***@camera.invalid")
    )
    assert lines[1] == f"{me} PATCH /v1/streams/door: 200; base_ms {lines[1].partition('base_ms ')[2]}"
    assert "; fps 8.0 → 4.0; " in lines[1]
    assert lines[2] == f"{me} PATCH /v1/streams/door: 422"
    assert lines[3].startswith(f"{me} POST /v1/keys: 201; ")
    assert "name nothing → wall; " in lines[3]
    assert lines[4] == f"{made['id']} (wall, viewer) from 127.0.0.1: DELETE /v1/streams/door: 403"
    assert lines[5].startswith(f"{me} DELETE /v1/keys/{made['id']}: 204; revoked_at_ms None → ")
    assert lines[6] == f"{me} POST /v1/session: 201"
    assert len(lines) == 15
    assert len({record.message for record in caplog.records if "nobody" in record.message}) == 8
    digest = ApiKey.parse(made["key"])
    assert digest
    assert not [word for word in (SECRET, made["key"][30:], digest.digest, FIRST.text[30:]) if word in caplog.text]


def test_a_key_in_a_text_is_hidden_but_for_its_id() -> None:
    assert redact(f"sent {FIRST.text}, refused") == f"sent afi_{FIRST.id}_***, refused"
    assert FIRST.text[30:] not in redact(f"http://host/?q={FIRST.text} Bearer {FIRST.text[:-3]}")
