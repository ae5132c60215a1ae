"""When a target counts as failing: told once, however many streams and attempts there are."""

import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from redis_process import redis_process

from services.api.delivery.failing import MAX_REASON, Failing
from services.api.delivery.targets import FAILING, TargetBook
from shared.errors import StoreFull
from shared.store.client import connect

A, B, OTHER = (1, "hook", "a"), (2, "hook", "b"), (1, "other", "a")


def test_each_target_is_told_of_once_in_each_direction(caplog: pytest.LogCaptureFixture) -> None:
    failing = Failing()
    failing.end(A)
    for lane, why in ((A, "one"), (A, "two"), (B, "three"), (A, "four"), (OTHER, "five")):
        failing.begin(lane, why)
    assert failing.reasons() == {"hook": "four", "other": "five"}
    failing.end(A)
    failing.end(A)
    assert failing.reasons()["hook"] == "three"
    failing.end(B)
    assert caplog.messages == [
        "target hook: deliveries fail, and are tried again: one",
        "target other: deliveries fail, and are tried again: five",
        "target hook: takes deliveries again",
    ]
    assert failing.reasons().keys() == {"other"}


def test_what_is_left_to_another_worker_is_no_recovery(caplog: pytest.LogCaptureFixture) -> None:
    failing = Failing()
    failing.begin(A, "x" * 5000)
    assert len(failing.reasons()["hook"]) == MAX_REASON
    failing.drop(A)
    failing.drop(B)
    assert failing.reasons() == {}
    assert len(caplog.messages) == 1


def test_a_full_redis_is_not_asked_again_and_again_and_what_is_over_is_told_even_so() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="afterimage-") as folder,
        redis_process(Path(folder)) as url,
        closing(connect(url)) as client,
    ):
        book = TargetBook(client)
        book.tell_troubles({"hook": "it answered 503 of rtsp://user:hush@cam/1"})
        assert book.told_troubles(["hook", "other"]) == {"hook": f"{FAILING}: it answered 503 of rtsp://***@cam/1"}
        assert 0 < client.ttl("{targets}:failing:hook") <= 30
        client.config_set("maxmemory", 1)
        with pytest.raises(StoreFull):
            book.tell_troubles({"other": "it answered 500"})
        assert book.told_troubles(["hook", "other"]) == {}
        book.tell_troubles({"other": "it answered 500"})
