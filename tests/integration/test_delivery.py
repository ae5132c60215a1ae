"""Delivery: over the api, to a receiver that fails, and through crashes."""

import json
import random
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from api_server import an_event, running_api, write_event
from default_layout import keys_of
from deliveries import Receiver, end, trial, worker
from patience import eventually
from standardwebhooks import Webhook, WebhookVerificationError
from web_server import Handler, web_server

from services.api.delivery.channels.webhooks import body_of
from services.api.delivery.outbox import Letter
from services.api.delivery.targets import Target, new_secret
from services.api.schemas.targets import TargetView
from shared.entries import EntryId
from shared.errors import SourceFailed
from shared.network.addresses import AddressPolicy


def test_every_event_arrives_in_order_through_crashes(tmp_path: Path) -> None:
    outcome = trial(tmp_path, seconds=6, kills=2, seed=5, hang_share=0.0, with_api=False)
    assert outcome.num_killed == 2
    assert outcome.num_events > 50
    assert len(outcome.receiver.arrived) > outcome.num_events
    assert outcome.problems() == []


def test_targets_are_made_shown_without_secrets_changed_tested_and_removed(
    redis_url: str, redis_client: redis.Redis
) -> None:
    receiver = Receiver(new_secret(), random.Random(1), moody=False)
    wanted = {"id": "hook", "url": receiver.url, "secret": receiver.secret, "labels": ["moved"]}
    with running_api(redis_url, deliver_private=True) as api, receiver.listening():
        made = api.http.post("/v1/targets", json=wanted)
        assert made.status_code == 201, made.text
        assert made.json()["secret"] == receiver.secret
        assert "hush-hush" not in made.text
        [shown] = api.http.get("/v1/targets").json()["items"]
        assert shown == api.http.get("/v1/targets/hook").json()
        assert shown["url"] == f"http://127.0.0.1:{receiver.port}/***"
        assert "secret" not in shown
        assert api.error(409, "POST", "/v1/targets", json=wanted)["field"] == "id"
        assert api.http.post("/v1/targets/hook/test").json() == {"ok": True, "reason": None}
        assert receiver.taken[0][2].startswith("test.")
        same = {"url": shown["url"], "enabled": True}
        assert api.http.patch("/v1/targets/hook", json=same).json() == shown
        assert api.http.post("/v1/targets/hook/test").json()["ok"]
        assert api.error(422, "PATCH", "/v1/targets/hook", json={"url": "http://127.0.0.1:8/***"})["field"] == "url"
        changed = api.http.patch("/v1/targets/hook", json={"url": "http://127.0.0.1:9/x", "labels": []}).json()
        assert changed == {**shown, "url": "http://127.0.0.1:9/***", "labels": []}
        tested = api.http.post("/v1/targets/hook/test").json()
        assert not tested["ok"]
        assert "connection failed" in tested["reason"]
        assert api.http.delete("/v1/targets/hook").status_code == 204
        assert api.error(404, "GET", "/v1/targets/hook")["code"] == "target_unknown"
        for url in ("ftp://x/", "http://", "nothing", "http://x:99999/", "mqtt://x"):
            assert api.error(422, "POST", "/v1/targets", json={**wanted, "url": url})["field"] == "url"
        for url in ("mqtt://x/#", "mqtt://x/a+b"):
            refusal = api.error(422, "POST", "/v1/targets", json={**wanted, "kind": "mqtt", "url": url})
            assert "without + and #" in refusal["message"]
        api.http.post("/v1/targets", json={**wanted, "id": "odd", "url": "http://xn--a.invalid/hush-hush"})
        tested = api.http.post("/v1/targets/odd/test").json()
        assert tested == {"ok": False, "reason": "it could not be sent: InvalidCodepoint"}
        refusal = api.error(422, "POST", "/v1/targets", json={**wanted, "secret": "hush"})
        assert refusal["field"] == "secret"
        assert "hush" not in str(refusal)
    assert receiver.forged == []


def test_who_changes_a_target_undoes_nothing_that_another_does_meanwhile(
    redis_url: str, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: list[tuple[str, Any]] = []
    look = TargetView.of

    def look_and_let_another_write(target: Target, **told: Any) -> TargetView:
        view = look(target, **told)
        if others:
            method, body = others.pop()
            httpx.request(method, f"{api.url}/v1/targets/hook", json=body, trust_env=False).raise_for_status()
        return view

    monkeypatch.setattr(TargetView, "of", look_and_let_another_write)
    with running_api(redis_url) as api:
        api.http.post("/v1/targets", json={"id": "hook", "url": "http://a.invalid/"}).raise_for_status()
        others.append(("PATCH", {"url": "http://b.invalid/", "labels": ["fell"]}))
        changed = api.http.patch("/v1/targets/hook", json={"url": "http://a.invalid/"}).json()
        assert (changed["url"], changed["labels"]) == ("http://a.invalid/", ["fell"])
        others.append(("DELETE", None))
        assert api.error(404, "PATCH", "/v1/targets/hook", json={"enabled": False})["code"] == "target_unknown"
        assert api.http.get("/v1/targets").json()["items"] == []


def test_a_letter_that_cannot_be_delivered_dies_and_is_replayed(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    receiver = Receiver(new_secret(), random.Random(1), moody=False)
    keys = keys_of("a")
    with running_api(redis_url, deliver_private=True) as api:
        api.http.post("/v1/targets", json={"id": "hook", "url": receiver.url, "secret": receiver.secret})
        api.http.post("/v1/targets", json={"id": "other", "url": receiver.url, "labels": ["fell"]})
        event = an_event("a", 5).model_dump_json()
        letter: dict[Any, Any] = {"t": "hook", "s": "a", "k": "closed", "e": event, "m": "1.5-0"}
        redis_client.xadd(keys.outbox, letter, id="5-0")  # of long ago
        process = worker("services.api.delivery", redis_url, tmp_path / "log")
        try:
            [dead] = eventually(lambda: api.http.get("/v1/targets/hook/dead-letters").json()["items"], "a dead letter")
            assert (dead["stream_id"], dead["kind"], dead["event"]) == ("a", "closed", event)
            assert dead["reason"] == "the connection failed: ConnectError (for a day)"
            assert redis_client.xlen(keys.outbox) == 0
            with receiver.listening():
                replay = "/v1/targets/hook/dead-letters/replay"
                assert api.http.post(replay, json={"ids": ["1.1-0"]}).json() == {"replayed": 0}
                assert api.http.post(replay, json={}).json() == {"replayed": 1}
                eventually(lambda: receiver.taken == [("a", 5, "1.5-0")], "the letter")
                write_event(redis_client, an_event("a", 6, "moved"))
                eventually(lambda: len(receiver.taken) == 2, "one that only this target wants")
                eventually(lambda: redis_client.xlen(keys.outbox) == 0, "an empty outbox")
            assert api.http.get("/v1/targets/hook/dead-letters").json() == {"items": []}
        finally:
            process.terminate()
            assert process.wait(20) == 0, (tmp_path / "log").read_text()
    assert receiver.forged == []


def test_people_are_told_over_what_apprise_knows(redis_url: str, redis_client: redis.Redis, tmp_path: Path) -> None:
    read: list[tuple[str, str]] = []

    def take(handler: Handler) -> None:
        said = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        read.append((said["title"], said["message"]))
        handler.reply(200)

    with web_server() as server, running_api(redis_url, deliver_private=True) as api:
        server.RequestHandlerClass = type("Posted", (Handler,), {"do_POST": Handler.do_GET})
        server.answers["/hush-hush"] = take
        target = {"id": "people", "kind": "apprise", "url": f"json://127.0.0.1:{server.server_port}/hush-hush"}
        made = api.http.post("/v1/targets", json=target)
        assert made.json()["url"] == "json://***"
        for url in ("nothing://here", "syslog://", "json://", "xmpp://user:hush@127.0.0.1"):
            assert api.error(422, "POST", "/v1/targets", json={**target, "url": url})["field"] == "url"
        assert api.http.post("/v1/targets/people/test").json() == {"ok": True, "reason": None}
        process = worker("services.api.delivery", redis_url, tmp_path / "log")
        try:
            write_event(redis_client, an_event("a", 5, state="open"))
            write_event(redis_client, an_event("a", 5))
            eventually(lambda: len(read) == 2, "the event")
            eventually(lambda: redis_client.xlen(keys_of("a").outbox) == 0, "an empty outbox")
        finally:
            end([process])
        server.answers["/hush-hush"] = lambda handler: handler.reply(500)
        refusal = api.http.post("/v1/targets/people/test").json()
        assert refusal == {"ok": False, "reason": "the service did not take it"}
    assert read == [("Afterimage: test", "This is how events arrive."), ("a: moved", "opened, score 0.90")]
    assert "hush" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("webhook", "http://127.0.0.1:9/in"),
        ("webhook", "https://user:hush@localhost/in"),
        ("webhook", "http://[fd00::1]/"),
        ("mqtt", "mqtt://user:hush@192.168.1.9/home"),
        ("apprise", "json://10.0.0.1/in"),
    ],
    ids=["own", "by-name", "ipv6", "broker", "people"],
)
def test_private_networks_are_refused_when_saved_unless_allowed(
    redis_url: str, redis_client: redis.Redis, kind: str, url: str
) -> None:
    public = {"webhook": "http://a.invalid/", "mqtt": "mqtt://a.invalid/b", "apprise": "json://a.invalid/"}[kind]
    target = {"id": "hook", "kind": kind, "url": url}
    with running_api(redis_url) as api:
        refusals = [api.error(422, "POST", "/v1/targets", json=target)]
        made = api.http.post("/v1/targets", json={**target, "url": public})
        assert made.status_code == 201, made.text  # one that nobody knows now leads nowhere
        refusals.append(api.error(422, "PATCH", "/v1/targets/hook", json={"url": url}))
        for refusal in refusals:
            assert refusal["field"] == "url"
            assert "AFTERIMAGE_DELIVER_PRIVATE" in refusal["message"]
            assert "hush" not in str(refusal)
    with running_api(redis_url, deliver_private=True) as api:
        api.http.patch("/v1/targets/hook", json={"url": url}).raise_for_status()
    with running_api(redis_url) as api:  # what was saved while it was allowed is refused when it is used
        assert "is refused" in api.http.post("/v1/targets/hook/test").json()["reason"]
        api.http.patch("/v1/targets/hook", json={"enabled": False}).raise_for_status()


def test_which_addresses_are_private() -> None:
    policy = AddressPolicy(private=False)
    policy.check("93.184.216.34", 443)
    for address in ("10.0.0.1", "127.0.0.1", "192.168.1.9", "::1", "fd00::1", "169.254.169.254", "100.64.0.1"):
        with pytest.raises(SourceFailed, match="is refused"):
            policy.check(address, 443)


def test_the_signature_is_over_what_is_sent() -> None:
    body, secret = body_of(Letter(1, EntryId(5), "t", "a", "opened", '{"a":1}', "1.1700000000000-0")), new_secret()
    assert body == '{"type": "event.opened", "timestamp": "2023-11-14T22:13:20.000+00:00", "data": {"a": 1}}'
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, {"webhook-id": "1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"})
