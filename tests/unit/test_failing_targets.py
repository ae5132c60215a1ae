"""When a target counts as failing: told once, however many streams and attempts there are."""

import pytest

from services.api.delivery.failing import MAX_REASON, Failing

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
