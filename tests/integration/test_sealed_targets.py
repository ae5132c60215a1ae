"""With AFTERIMAGE_SECRET_KEY, Redis holds no target's URL or secret; a missing key holds up that target alone."""

import random
from pathlib import Path

import pytest
import redis
from api_server import an_event, running_api, write_event
from cryptography.fernet import Fernet
from default_layout import keys_of
from deliveries import Receiver, end, worker
from in_process import InProcess
from patience import eventually
from pydantic import SecretStr

from services.api.delivery.targets import LOCKED_FOR_DELIVERY, LOCKED_TARGET, Target, TargetBook, new_secret
from shared.sources import SEALED
from shared.store.keys import TARGETS
from shared.words.sealing import Vault

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
URL = "http://user:s3cret-pass@127.0.0.1:9/in"


def target(name: str, url: str = URL, secret: str | None = None) -> Target:
    return Target(id=name, kind="webhook", url=url, secret=secret or new_secret(), created_at_ms=0)


def test_a_new_key_takes_over_targets_too(redis_url: str, redis_client: redis.Redis, in_process: InProcess) -> None:
    before = target("from-before")
    TargetBook(redis_client).add(before)
    assert b"s3cret" in redis_client.hget(TARGETS, "from-before")  # type: ignore[operator]
    with running_api(redis_url, secret_key=SecretStr(OLD), deliver_private=True) as api:
        secret = api.http.post("/v1/targets", json={"id": "one", "url": URL}).json()["secret"]
    stored: bytes = redis_client.hget(TARGETS, "one")  # type: ignore[assignment]
    assert b"s3cret" not in stored
    assert secret.encode() not in stored
    with running_api(redis_url, secret_key=SecretStr(f"{NEW},{OLD}")) as api:
        told = in_process("secrets", "rotate", "--url", api.url)
        assert told.output == "0 sources and 2 targets are under the first key\n"
        assert api.http.get("/v1/targets/one").json()["url"] == "http://***@127.0.0.1:9/***"
    book = TargetBook(redis_client, Vault(NEW))
    assert (book.get("one").url, book.get("one").secret) == (URL, secret)
    assert book.get("from-before") == before
    assert {each.url for each in TargetBook(redis_client, Vault(OLD)).all().values()} == {SEALED}


def test_a_missing_key_is_the_reason_of_its_own_target(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path, in_process: InProcess
) -> None:
    receiver = Receiver(new_secret(), random.Random(1), moody=False)
    TargetBook(redis_client, Vault(OLD)).add(target("locked"))
    TargetBook(redis_client, Vault(NEW)).add(target("open", receiver.url, receiver.secret))
    process = worker("services.api.delivery", redis_url, tmp_path / "log", SECRET_KEY=NEW)
    try:
        with running_api(redis_url, secret_key=SecretStr(NEW), deliver_private=True) as api, receiver.listening():
            for at_ms in (5, 6):
                write_event(redis_client, an_event("a", at_ms))
            eventually(lambda: len(receiver.taken) == 2, "what the other target gets")
            view = api.http.get("/v1/targets/locked").json()
            assert (view["url"], view["enabled"], view["reason"]) == ("***", True, LOCKED_TARGET)
            assert api.http.get("/v1/targets/open").json()["reason"] is None
            assert api.http.post("/v1/targets/locked/test").json() == {"ok": False, "reason": LOCKED_TARGET}
            for body in ({"enabled": False}, {"url": receiver.url}):
                assert api.error(409, "PATCH", "/v1/targets/locked", json=body)["field"] == "url"
            told = in_process("secrets", "rotate", "--url", api.url)
            assert (told.code, "does not hold: locked" in told.errors) == (1, True)
            assert redis_client.xlen(keys_of("a").outbox) == 2  # they wait
            given = {"url": receiver.url, "secret": receiver.secret}
            assert api.http.patch("/v1/targets/locked", json=given).json()["reason"] is None
            eventually(lambda: len(receiver.taken) == 4, "what waited")
    finally:
        end([process])


def test_a_key_that_delivery_alone_lacks_is_told_of(redis_url: str, redis_client: redis.Redis, tmp_path: Path) -> None:
    process = worker("services.api.delivery", redis_url, tmp_path / "log")
    try:
        with running_api(redis_url, secret_key=SecretStr(NEW), deliver_private=True) as api:
            api.http.post("/v1/targets", json={"id": "one", "url": URL})

            def reasons() -> list[str | None]:
                [item] = api.http.get("/v1/targets").json()["items"]
                return [item["reason"], api.http.get("/v1/targets/one").json()["reason"]]

            eventually(lambda: reasons() == [LOCKED_FOR_DELIVERY] * 2, "the reason")
    finally:
        end([process])


pytestmark = pytest.mark.timeout(120)
