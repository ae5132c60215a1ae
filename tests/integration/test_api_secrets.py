"""No place shows a secret: whatever form it comes in, and wherever it is put."""

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import redis
from api_server import RunningApi, running_api
from ingest_runner import stream_spec
from kept_secrets import FORMS, KEY, SECRET, KeepingRedis, leaks, redis_that_keeps
from pydantic import SecretStr
from secret_forms import MISTYPED, SOURCES, reference_forms

from services.api.settings import ApiSettings
from shared.errors import SettingsInvalid, SourceRefused
from shared.service.settings import read_settings
from shared.sources import parse_source
from shared.store.registry import Registry
from shared.words.redaction import MASK, shown_source

CAMERA = {"name": "Camera", "source": "rtsp://127.0.0.1:9/s"}
FIELDS = ("id", "source", "name", "model", "pace", "skip", "rtsp_transport", "fps", "loop", "base_ms", "thresholds")
STEP = 6


@pytest.fixture(scope="module")
def blind_api(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApi]:
    with running_api(redis_url, media_root=tmp_path_factory.mktemp("media") / "elsewhere") as running:
        yield running


@pytest.fixture
def api(blind_api: RunningApi, redis_client: redis.Redis) -> RunningApi:
    """An api that does not see the media, so that it takes every file on trust."""
    blind_api.add("mine", **CAMERA)
    return blind_api


@pytest.fixture
def keeping_redis() -> Iterator[KeepingRedis]:
    with redis_that_keeps() as kept:
        yield kept


Call = tuple[str, str, dict[str, Any]]


def as_source(text: str) -> Iterator[Call]:
    """Requests with the text where it is most often put."""
    for method, path in (("POST", "/v1/streams"), ("PATCH", "/v1/streams/mine")):
        yield method, path, {"json": {**CAMERA, "source": text}}
        yield method, path, {"json": {**CAMERA, "name": text}}
    yield "POST", "/v1/streams/probe", {"json": {"source": text}}


def astray(text: str) -> Iterator[Call]:
    """Requests with the text in every other place that takes one."""
    odd = ([text], {text: text}, {"moved": text}, {text: 0.5}, {"moved": {text: 0.5}}, {"moved": {"enter": text}})
    bodies = [{field: text} for field in FIELDS] + [{field: value} for field in FIELDS[:2] for value in odd]
    for body in [*bodies, *({"thresholds": value} for value in odd), {text: 1}, {"sauce": text}]:
        yield "POST", "/v1/streams", {"json": {**CAMERA, **body}}
        yield "PATCH", "/v1/streams/mine", {"json": body}
    yield "POST", "/v1/streams/probe", {"json": {**CAMERA, text: text}}
    yield "POST", "/v1/streams", {"content": json.dumps({**CAMERA, "source": text})[:-8]}
    yield "POST", "/v1/streams", {"content": text.encode(), "headers": {"Content-Type": "application/json"}}
    for path in ("/v1/streams", "/v1/streams/mine/scores", "/v1/events"):
        for name in ("cursor", "limit", "stream_id", "label", "since_ms", "until_ms", text):
            yield "GET", path, {"params": {name: text}}
    for path in (text, quote(text, safe=""), quote(text, safe=":@/?=&;") + "/"):
        for start in ("/", "/v1/streams/", "/v1/events/"):
            yield "GET", f"{start}{path}", {}
            yield "DELETE", f"{start}{path}", {}
    yield "GET", "/healthz", {"headers": {"X-Request-ID": text}}
    yield "GET", "/v1/events/live", {"headers": {"Last-Event-ID": text}}
    yield "GET", "/v1/events/live", {"params": {"label": text}}


def as_named(text: str, _turn: int) -> Iterator[Call]:
    """Requests with the text in each place that the reference cases name."""
    yield from as_source(text)
    for field in ("id", "model", "pace", "skip", "rtsp_transport", "fps", text):
        yield "POST", "/v1/streams", {"json": {**CAMERA, field: text}}
        yield "PATCH", "/v1/streams/mine", {"json": {field: text}}
    yield "GET", "/v1/events", {"params": {"cursor": text, text: text}}
    yield "GET", f"/v1/streams/{quote(text, safe='')}", {}
    yield "GET", f"/{text}", {}
    yield "GET", "/healthz", {"headers": {"X-Request-ID": text}}


def in_turn(text: str, turn: int) -> Iterator[Call]:
    """Requests with the text as a source, and a part of the others with it: another part each turn."""
    yield from as_source(text)
    yield from islice(astray(text), turn % STEP, None, STEP)


def answers(api: RunningApi, calls: Iterator[Call]) -> Iterator[httpx.Response]:
    """What the api says."""
    for method, path, options in calls:
        with suppress(httpx.InvalidURL, httpx.LocalProtocolError, UnicodeEncodeError):  # what cannot be sent
            yield api.http.request(method, path, **options)
        if method == "PATCH":
            yield api.http.get("/v1/streams/mine")


def test_no_answer_and_no_log_line_shows_a_secret(api: RunningApi, caplog: pytest.LogCaptureFixture) -> None:
    """Without a worker, probes are refused after the source was looked at."""
    check_all(api, FORMS, caplog)


def test_nor_those_that_others_found_nor_redis(
    keeping_redis: KeepingRedis, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each form in each place that the cases name; with a key set, Redis' files have none of it either."""
    forms = [*reference_forms("sources"), *reference_forms("mistyped")]
    with running_api(keeping_redis.url, media_root=tmp_path / "elsewhere", secret_key=SecretStr(KEY)) as api:
        api.add("mine", **CAMERA)
        check_all(api, [form.replace("{}", SECRET) for form in forms], caplog, as_named)
    assert len(Registry(keeping_redis.client).ids()) > len(reference_forms("sources"))
    assert keeping_redis.holding() == []


def check_all(
    api: RunningApi,
    forms: list[str],
    caplog: pytest.LogCaptureFixture,
    calls: Callable[[str, int], Iterator[Call]] = in_turn,
) -> None:
    caplog.set_level(logging.DEBUG)
    for client in ("httpcore", "httpx"):
        caplog.set_level(logging.WARNING, client)
    statuses = set()
    for turn, text in enumerate(forms):
        replies = list(answers(api, calls(text, turn)))
        statuses |= {reply.status_code for reply in replies}
        assert leaks(replies) == []
    assert statuses >= {200, 201, 404, 422, 503}
    told = [api.http.get(path) for path in ("/v1/streams?limit=1000", "/docs", "/openapi.json")]
    assert leaks(told) == []
    assert SECRET not in api.metrics()
    assert SECRET not in caplog.text


@pytest.mark.parametrize("form", SOURCES)
def test_a_source_that_comes_back_as_it_was_shown_stays_what_it_is(
    form: str, api: RunningApi, redis_client: redis.Redis
) -> None:
    source = form.replace("{}", SECRET)
    shown = api.add("one", source=source)["source"]
    before = Registry(redis_client).get("one").spec
    assert api.http.patch("/v1/streams/one", json={"source": shown}).json()["source"] == shown
    assert Registry(redis_client).get("one").spec == before
    changed = api.http.patch("/v1/streams/one", json={"source": shown, "name": "Door"}).json()
    after = Registry(redis_client).get("one").spec
    assert (changed["source"], changed["name"], after.source) == (shown, "Door", source)
    assert after.base_ms == before.base_ms


def test_any_other_text_with_the_mask_in_it_is_refused(api: RunningApi, redis_client: redis.Redis) -> None:
    source = f"rtsp://user:{SECRET}@127.0.0.1:9/s?token={SECRET}"
    shown = api.add("one", source=source)["source"]
    assert shown == "rtsp://***@127.0.0.1:9/s?token=***"
    for other in (shown + "&b=1", shown.replace("/s", "/t"), f"rtsp://user:{MASK}@127.0.0.1:9/s", MASK, f"{MASK}.mp4"):
        assert api.error(422, "PATCH", "/v1/streams/one", json={"source": other})["field"] == "source"
    for path in ("/v1/streams", "/v1/streams/probe"):
        body = {"source": shown} if path.endswith("probe") else {"name": "Two", "source": shown}
        error = api.error(422, "POST", path, json=body)
        assert (error["field"], "***, which stands for what is not shown" in error["message"]) == ("source", True)
    assert Registry(redis_client).get("one").spec.source == source


def test_a_file_that_is_there_may_have_the_mask_in_its_name(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    (tmp_path / f"a{MASK}b.mp4").touch()
    with running_api(redis_url, media_root=tmp_path) as api:
        shown = api.add("odd", source=f"a{MASK}b.mp4")["source"]
        assert api.http.patch("/v1/streams/odd", json={"source": shown}).status_code == 200
        assert api.error(422, "PATCH", "/v1/streams/odd", json={"source": f"b{MASK}.mp4"})["field"] == "source"


def test_a_name_that_holds_a_login_is_refused_and_one_from_before_is_hidden(
    api: RunningApi, redis_client: redis.Redis
) -> None:
    name = f"rtsp://user:{SECRET}@127.0.0.1/s"
    assert api.error(422, "POST", "/v1/streams", json={**CAMERA, "name": name})["field"] == "name"
    Registry(redis_client).add(stream_spec("old", "rtsp://127.0.0.1:9/s", name=name))
    assert api.http.get("/v1/streams/old").json()["name"] == "rtsp://***@127.0.0.1/s"
    assert api.http.post("/v1/streams", json={**CAMERA, "name": "Café @ the door = east?"}).status_code == 201


def test_a_short_plain_word_is_repeated_and_nothing_else(api: RunningApi) -> None:
    for pace, value in (("slow", "'slow'"), (7, "7"), ("a=b", None), ("x" * 60, None), ("Zq9xW3vKpL2mN8rT", None)):
        error = api.error(422, "POST", "/v1/streams", json={**CAMERA, "pace": pace})
        assert error.get("value") == value
        assert ("got" in error["message"]) == (value is not None)
    assert api.error(422, "POST", "/v1/streams", json={**CAMERA, "rtps": 1})["field"] == "rtps"
    assert api.error(422, "POST", "/v1/streams", json={**CAMERA, "a:b@c": 1})["field"] == MASK
    assert api.error(404, "GET", "/v1/stream")["message"] == "GET /v1/stream: Not Found"
    assert api.error(404, "GET", "/v1/a:b@c/d")["message"] == "Not Found"


@pytest.mark.parametrize("text", [*FORMS, f"redis://:{SECRET}/x@host", f"redis+cluster://h:{SECRET}"])
def test_no_setting_is_repeated_that_may_be_a_secret(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOG_LEVEL", "METRICS_PORT", "API_PORT", "LEASE_SECONDS"):
        monkeypatch.setitem(os.environ, f"AFTERIMAGE_{name}", text)
        with pytest.raises(SettingsInvalid) as refusal:
            read_settings(ApiSettings)
        assert SECRET not in str(refusal.value)
        monkeypatch.delenv(f"AFTERIMAGE_{name}")


def test_what_is_refused_is_not_shown_as_a_source() -> None:
    """The forms above that are no source, so that the two lists mean what they say."""
    for form in MISTYPED:
        with pytest.raises(SourceRefused):
            parse_source(form.replace("{}", SECRET), Path("/media"))
        assert SECRET not in shown_source(form.replace("{}", SECRET))
