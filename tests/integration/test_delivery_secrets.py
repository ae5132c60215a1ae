"""Neither the api nor delivery, nor Redis where there is a key, shows where events go, or what signs them."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from api_server import RunningApi, an_event, running_api
from default_layout import keys_of
from kept_secrets import FORMS, KEY, SECRET, KeepingRedis, leaks, redis_that_keeps
from patience import eventually
from process_tree import command_lines
from pydantic import SecretStr
from secret_forms import CASES, RECEIVERS, reference_forms
from service_process import service_process
from web_server import Handler, web_server

from services.api.delivery.targets import TargetBook

SIGNING = "s1gnsWithThisAndNothingElse"
SIGNING_KEY = f"whsec_{SIGNING}AAAAA="
PLAIN = {"id": "mine", "url": "http://127.0.0.1:9/in"}
FIELDS = ("id", "kind", "url", "secret", "streams", "labels", "groups", "severity", "enabled")
STEP = 8
Call = tuple[str, str, dict[str, Any]]


def receivers() -> Iterator[dict[str, str]]:
    """Bodies of targets whose URL holds the secret."""
    for kind, urls in RECEIVERS.items():
        for number, url in enumerate(urls):
            yield {"id": f"{kind}-{number}", "kind": kind, "url": url.replace("{}", SECRET), "secret": SIGNING_KEY}


@pytest.fixture
def keeping_redis() -> Iterator[KeepingRedis]:
    with redis_that_keeps() as kept:
        yield kept


def as_url(api: RunningApi, text: str, name: str) -> Iterator[httpx.Response]:
    """What the api says to requests with the text where a URL goes."""
    yield api.http.patch("/v1/targets/mine", json={"url": text})
    for kind in RECEIVERS:
        made = api.http.post("/v1/targets", json={"id": name, "kind": kind, "url": text})
        yield made
        if made.status_code == 201:
            yield api.http.get(f"/v1/targets/{name}")
            yield api.http.delete(f"/v1/targets/{name}")


def astray(text: str, name: str) -> Iterator[Call]:
    """Requests with the text in every other place that takes one."""
    for field in (*FIELDS, text):
        for value in (text, [text], {text: text}):
            yield "POST", "/v1/targets", {"json": {**PLAIN, "id": name, field: value}}
            yield "PATCH", "/v1/targets/mine", {"json": {field: value}}
    yield "POST", "/v1/targets/mine/dead-letters/replay", {"json": {"ids": [text], text: 1}}
    for path in ("", "/test", "/dead-letters", "/dead-letters/replay"):
        for method in ("GET", "POST", "PATCH", "DELETE"):
            yield method, f"/v1/targets/{quote(text, safe='')}{path}", {}


def answers(api: RunningApi, text: str, turn: int) -> Iterator[httpx.Response]:
    """As a URL, and a part of the others: another part each turn."""
    name = f"t{turn}"
    yield from as_url(api, text, name)
    for method, path, options in islice(astray(text, name), turn % STEP, None, STEP):
        with suppress(httpx.InvalidURL):
            yield api.http.request(method, path, **options)
    api.http.delete(f"/v1/targets/{name}")


def test_no_answer_shows_where_events_go(keeping_redis: KeepingRedis, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for client in ("httpcore", "httpx"):
        caplog.set_level(logging.WARNING, client)
    others = [*reference_forms("sources"), *reference_forms("mistyped")] if CASES.is_file() else []
    texts = [*FORMS[::3], *(form.replace("{}", SECRET) for form in others), *(each["url"] for each in receivers())]
    with running_api(keeping_redis.url, secret_key=SecretStr(KEY), deliver_private=True) as api:
        made = [api.http.post("/v1/targets", json=PLAIN)]
        for turn, text in enumerate(texts):
            replies = list(answers(api, text, turn))
            assert leaks(replies) == []
            made += [reply for reply in replies if reply.status_code == 201]
        assert leaks([api.http.get("/v1/targets")]) == []
        assert SECRET not in api.metrics()
    assert len(made) > len(list(receivers()))
    assert SECRET not in caplog.text
    assert keeping_redis.holding() == []


def test_delivery_shows_no_secret(keeping_redis: KeepingRedis, tmp_path: Path) -> None:
    """Receivers that refuse, that repeat the secret, that lead elsewhere; letters that die of it."""
    log, keys = tmp_path / "log", keys_of("a")

    def refuse(handler: Handler) -> None:
        handler.reply(503, SECRET.encode(), X_Token=SECRET, Retry_After=SECRET)

    with web_server() as server, running_api(keeping_redis.url, secret_key=SecretStr(KEY), deliver_private=True) as api:
        server.RequestHandlerClass = type("Posted", (Handler,), {"do_POST": Handler.do_GET})
        server.answers["/503"] = refuse
        server.answers["/302"] = lambda handler: handler.reply(302, Location=f"http://u:{SECRET}@127.0.0.1:9/{SECRET}")
        odd = [
            {"id": f"odd-{number}", "kind": kind, "url": f"{scheme}{server.url(path, f'user:{SECRET}@')[4:]}"}
            for number, path in enumerate(("/503", "/302"))
            for kind, scheme in (("webhook", "http"), ("apprise", "json"))
        ]
        for number, body in enumerate(odd):
            body["id"] = f"odd-{number}"
        bodies: list[dict[str, Any]] = [*receivers(), *odd]
        made = [api.http.post("/v1/targets", json=body) for body in bodies]
        assert {reply.status_code for reply in made} == {201}, [reply.text for reply in made]
        ids = [body["id"] for body in bodies]
        event = an_event("a", 5).model_dump_json()
        for number, name in enumerate(ids):
            letter: dict[Any, Any] = {"t": name, "s": "a", "k": "opened", "e": event, "m": "1.5-0"}
            keeping_redis.client.xadd(keys.outbox, letter, id=f"5-{number}")  # of long ago: each has one attempt
        settings = {"LOG_LEVEL": "debug", "SECRET_KEY": KEY, "DELIVER_PRIVATE": "true"}
        with service_process("api.delivery", keeping_redis.url, log, {}, settings) as delivery:
            eventually(lambda: keeping_redis.client.xlen(keys.outbox) == 0, "an end of all letters")
            told = f"{delivery.page()} {command_lines(delivery.pid)}"
        views = [api.http.get(f"/v1/targets/{name}/dead-letters") for name in ids]
        tried = [api.http.post(f"/v1/targets/{name}/test") for name in ids]
        rotated = [api.http.post("/v1/secrets/rotate"), api.http.get("/v1/targets")]
    assert all(reply.json()["items"] for reply in views)
    assert all(not reply.json()["ok"] for reply in tried)
    for secret in (SECRET, SIGNING):
        replies = [*views, *tried, *rotated, *(made if secret == SECRET else [])]  # it is told once, to who made it
        assert leaks(replies, secret) == []
        assert secret not in told
        assert secret not in log.read_text()
        assert keeping_redis.holding(secret) == []
    assert "services.api.delivery" in told
    assert {target.secret for target in TargetBook(keeping_redis.client).all().values()} == {"sealed://"}


pytestmark = pytest.mark.timeout(240)
