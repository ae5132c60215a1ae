"""What becomes of a target by what its receiver answers."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import pytest
import redis
from api_server import an_event, running_api, write_event
from default_layout import keys_of
from patience import eventually
from service_process import service_process
from web_server import Handler, WebServer, web_server

from services.api.delivery.channels.webhooks import MAX_RETRY_AFTER_SECONDS, retry_after
from services.api.delivery.targets import FAILING
from shared.clock import now_ms

STREAMS = [f"camera-{number}" for number in range(6)]
SETTINGS = MappingProxyType({"LEASE_SECONDS": "1", "DELIVER_PRIVATE": "true"})


class Desk:
    """A receiver that gives each request the answer that is `next`, and counts what came."""

    def __init__(self, server: WebServer) -> None:
        self.server, self.came, self.answer = server, list[str](), [200]
        self.said: list[dict[str, Any]] = []
        server.RequestHandlerClass = type("Posted", (Handler,), {"do_POST": Handler.do_GET})
        server.answers["/in"] = self.take

    def take(self, handler: Handler) -> None:
        self.said.append(json.loads(handler.rfile.read(int(handler.headers["Content-Length"]))))
        self.came.append(handler.headers["webhook-id"])
        handler.reply(self.answer.pop(0) if len(self.answer) > 1 else self.answer[0])

    @property
    def url(self) -> str:
        return self.server.url("/in")


def test_a_receiver_that_is_gone_is_left_alone_until_somebody_wants_it_again(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    with web_server() as server, web_server() as other, running_api(redis_url, deliver_private=True) as api:
        gone, here = Desk(server), Desk(other)
        gone.answer = [200, 410]
        for name, desk in (("gone", gone), ("here", here)):
            assert api.http.post("/v1/targets", json={"id": name, "url": desk.url}).status_code == 201
        api.http.patch("/v1/targets/gone", json={"enabled": False})
        api.http.patch("/v1/targets/gone", json={"enabled": True})
        for at_ms in (1, 2, 3):
            for stream_id in STREAMS:
                write_event(redis_client, an_event(stream_id, at_ms))
        with service_process("api.delivery", redis_url, tmp_path / "log", {}, SETTINGS) as delivery:
            eventually(lambda: len(here.came) == 18, "what the other gets")
            eventually(lambda: not any(redis_client.xlen(keys_of(each).outbox) for each in STREAMS), "no letter left")
            num_came = len(gone.came)
            assert num_came <= 1 + len(STREAMS)  # those that were under way
            view = api.http.get("/v1/targets/gone").json()
            assert (view["enabled"], "410" in view["reason"]) == (False, True)
            dead = api.http.get("/v1/targets/gone/dead-letters").json()["items"]
            assert len(dead) == 17
            assert {each["reason"] for each in dead} == {view["reason"]}
            counted = delivery.samples()
            assert (counted.total("delivery_gone"), counted.total("delivery_dead_letters")) == (1, 17)
            assert api.http.get("/v1/targets/here").json()["enabled"]
            write_event(redis_client, an_event(STREAMS[0], 4))
            eventually(lambda: len(here.came) == 19, "a later event")
            assert len(gone.came) == num_came
            gone.answer = [200]
            view = api.http.patch("/v1/targets/gone", json={"enabled": True}).json()
            assert (view["enabled"], view["reason"]) == (True, None)
            replay = api.http.post("/v1/targets/gone/dead-letters/replay", json={})
            assert replay.json() == {"replayed": 17}
            eventually(lambda: len(gone.came) == num_came + 17, "what was dead")
            assert len({*gone.came}) == 18
            assert api.http.get("/v1/targets/gone/dead-letters").json() == {"items": []}
    assert "target gone: is switched off: it answered 410" in (tmp_path / "log").read_text()


def test_whatever_else_a_receiver_answers_it_is_asked_again(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    with web_server() as server, running_api(redis_url, deliver_private=True) as api:
        desk = Desk(server)
        desk.answer = [301, 404, 429, 500, 200]
        api.http.post("/v1/targets", json={"id": "hook", "url": desk.url})
        write_event(redis_client, an_event("a", 1))
        with service_process("api.delivery", redis_url, tmp_path / "log", {}, SETTINGS) as delivery:
            eventually(lambda: redis_client.xlen(keys_of("a").outbox) == 0 and desk.came, "that it arrives")
            counted = delivery.samples()
        assert (len(desk.came), len({*desk.came})) == (5, 1)
        assert (counted.total("delivery_failures"), counted.total("delivery_letters")) == (4, 1)
        assert api.http.get("/v1/targets/hook").json()["enabled"]


def test_that_deliveries_fail_is_said_once_with_the_reason_and_once_that_they_arrive_again(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    """Of two streams; their events were traced, and nothing of the receiver's URL is told."""
    traceparent = f"00-{'4b' * 16}-{'00f0' * 4}-01"
    settings = {**SETTINGS, "LOG_FORMAT": "json"}
    with web_server() as server, running_api(redis_url, deliver_private=True) as api:
        desk = Desk(server)
        desk.answer = [503]
        server.answers["/hush-hush"] = desk.take
        api.http.post("/v1/targets", json={"id": "hook", "url": server.url("/hush-hush")})

        def reason() -> Any:
            [item] = api.http.get("/v1/targets").json()["items"]
            assert api.http.get("/v1/targets/hook").json()["url"] == item["url"]
            return item["reason"]

        assert reason() is None
        for stream_id in ("a", "b"):
            event = an_event(stream_id, 5).model_dump_json()
            letter: dict[Any, Any] = {"t": "hook", "s": stream_id, "k": "closed", "e": event, "m": f"{stream_id}.5-0"}
            redis_client.xadd(keys_of(stream_id).outbox, {**letter, "traceparent": traceparent}, id=f"{now_ms()}-0")
        with service_process("api.delivery", redis_url, tmp_path / "log", {}, settings) as delivery:
            eventually(lambda: delivery.samples().total("delivery_failures") > 3, "several attempts")
            assert eventually(reason, "the reason") == f"{FAILING}: it answered 503"
            api.http.patch("/v1/targets/hook", json={"enabled": False})
            assert reason() is None
            api.http.patch("/v1/targets/hook", json={"enabled": True})
            desk.answer = [200]
            eventually(lambda: reason() is None, "that it takes them again")
            eventually(lambda: delivery.samples().total("delivery_letters") == 2, "both letters")
    said = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    lines = [(each["message"], each.get("trace_id")) for each in said if "target hook" in each["message"]]
    assert lines == [
        ("target hook: deliveries fail, and are tried again: it answered 503", "4b" * 16),
        ("target hook: takes deliveries again", "4b" * 16),
    ]
    assert "hush" not in (tmp_path / "log").read_text()


def test_what_is_mended_is_tried_at_once(redis_url: str, redis_client: redis.Redis, tmp_path: Path) -> None:
    with web_server() as server, running_api(redis_url, deliver_private=True) as api:
        desk = Desk(server)
        server.answers["/busy"] = lambda handler: handler.reply(503, Retry_After="900")
        api.http.post("/v1/targets", json={"id": "hook", "url": server.url("/busy")})
        write_event(redis_client, an_event("a", 1))
        with service_process("api.delivery", redis_url, tmp_path / "log", {}, SETTINGS) as delivery:
            eventually(lambda: delivery.samples().total("delivery_failures") == 1, "that it is to be left alone")
            assert api.http.patch("/v1/targets/hook", json={"url": desk.url}).status_code == 200
            eventually(lambda: len(desk.came) == 1, "the event")


def test_what_people_do_is_delivered_where_it_is_asked_for(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    with web_server() as server, web_server() as other, running_api(redis_url, deliver_private=True) as api:
        told, untold = Desk(server), Desk(other)
        api.http.post("/v1/targets", json={"id": "told", "url": told.url, "updates": True})
        assert api.http.post("/v1/targets", json={"id": "untold", "url": untold.url}).json()["updates"] is False
        with service_process("api.delivery", redis_url, tmp_path / "log", {}, SETTINGS):
            event_id = write_event(redis_client, an_event("a", 1))
            for method, way in (("POST", "/acknowledge"), ("PUT", "/keep"), ("DELETE", "")):
                reply = api.http.request(method, f"/v1/events/{event_id}{way}", json={} if way else None)
                assert reply.is_success, reply.text
            eventually(lambda: len(told.said) == 4, "all that became of it")
            api.http.patch("/v1/targets/untold", json={"updates": True})
            write_event(redis_client, an_event("a", 2))
            eventually(lambda: len(untold.said) == 2, "a later event")
    kinds = [each["type"] for each in told.said]
    assert kinds[:4] == ["event.closed", "event.updated", "event.updated", "event.deleted"]
    marks = [bool(each["data"]["acknowledged"]) for each in told.said[:2]]
    assert (marks, bool(told.said[2]["data"]["kept"])) == ([False, True], True)
    assert [each["type"] for each in untold.said] == ["event.closed"] * 2


def after(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("said", "low", "high"),
    [
        (lambda: "7", 7, 7),
        (lambda: "99999999", MAX_RETRY_AFTER_SECONDS, MAX_RETRY_AFTER_SECONDS),
        (lambda: after(60), 50, 60),
        (lambda: after(-60), 0, 0),
        (lambda: after(1e6), MAX_RETRY_AFTER_SECONDS, MAX_RETRY_AFTER_SECONDS),
        (lambda: "soon", 0, 0),
        (lambda: "²", 0, 0),
        (lambda: "", 0, 0),
    ],
    ids=["seconds", "too many", "a date", "past", "far", "words", "no digit", "nothing"],
)
def test_a_receiver_says_how_long_it_is_to_be_left_alone(said: Any, low: float, high: float) -> None:
    reply = httpx.Response(503, headers={"Retry-After": said().encode("latin-1", "ignore")})
    assert low <= retry_after(reply) <= high


pytestmark = pytest.mark.timeout(120)


def test_to_whom_the_opening_went_the_end_goes_though_it_is_dated_back(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    with web_server() as server, running_api(redis_url, deliver_private=True) as api:
        desk = Desk(server)
        api.add("a", delivery={"moved": {"min_seconds": 1}})
        assert api.http.post("/v1/targets", json={"id": "desk", "url": desk.url}).status_code == 201
        with service_process("api.delivery", redis_url, tmp_path / "log", {}, SETTINGS):

            def tell(at_ms: int, state: str) -> None:
                write_event(redis_client, an_event("a", at_ms, state=state))

            def told(count: int) -> list[tuple[str, int]]:
                eventually(lambda: len(desk.said) == count, f"{count} messages")
                return [(each["type"], each["data"]["started_at_ms"]) for each in desk.said[-2:]]

            first = now_ms()
            tell(first, "open")
            told(1)
            tell(first, "closed")  # after half a second, as a gap says that began then
            assert told(2) == [("event.opened", first), ("event.closed", first)]
            short = now_ms()
            for state in ("open", "closed"):
                tell(short, state)
            tell(short - 5000, "open")
            assert told(3)[-1] == ("event.opened", short - 5000), "nothing of the one that was too short"
