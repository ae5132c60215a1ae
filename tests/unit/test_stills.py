"""When a still picture is asked for again, and on what condition."""

from email.utils import formatdate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.ingest.sources.decoding.sampler import Sampler
from services.ingest.sources.mjpeg.stills import PLAINLY_EACH_SECONDS, Validators, next_poll

CHANGED, ANSWERED = formatdate(1_000_000_000, usegmt=True), formatdate(1_000_000_060, usegmt=True)


@given(st.sampled_from([0.01, 0.08, 0.3, 1.0, 8.0, 29.97, 60.0]), st.floats(0, 1e6), st.lists(st.floats(0, 0.5)))
@example(29.97, 524_288.0, [0.0] * 5)  # a clock so far on that it rounds
def test_each_step_has_one_picture(fps: float, first_at: float, late: list[float]) -> None:
    sampler = Sampler(fps, 1 / 25)
    assert sampler.point(first_at) == 0
    asked_at = first_at
    for number, share in enumerate(late, 1):
        asked_at = next_poll(asked_at, first_at, fps) + share / fps
        assert sampler.point(asked_at) == number


def test_a_slow_server_is_asked_at_once() -> None:
    assert next_poll(100.0, 100.0, 2.0) == 100.5
    assert next_poll(101.7, 100.0, 2.0) == 102.0  # it answered at 103.1, say: the next one is due before that


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, {}),
        ({"ETag": '"a"'}, {"If-None-Match": '"a"'}),
        ({"ETag": '"a"', "Last-Modified": CHANGED, "Date": ANSWERED}, {"If-None-Match": '"a"'}),
        ({"Last-Modified": CHANGED, "Date": ANSWERED}, {"If-Modified-Since": CHANGED}),
        ({"Last-Modified": CHANGED}, {"If-Modified-Since": CHANGED}),
        ({"Last-Modified": CHANGED, "Date": CHANGED}, {}),  # it may change again in this second
        ({"Last-Modified": "yesterday", "Date": ANSWERED}, {}),
        ({"Last-Modified": CHANGED, "Date": "now"}, {}),
        ({"ETag": "ä"}, {}),
        ({"ETag": "x" * 2000}, {}),
    ],
)
def test_what_was_said_is_told(headers: dict[str, str], expected: dict[str, str]) -> None:
    validators = Validators(0.0)
    validators.answered(headers, is_new=True)
    assert validators.conditions(1.0) == expected


def test_now_and_then_nothing_is_told() -> None:
    validators = Validators(0.0)
    validators.answered({"ETag": '"a"'}, is_new=True)
    asked = [bool(validators.conditions(float(second))) for second in range(1, 200)]
    assert [second for second, told in enumerate(asked, 1) if not told] == [60, 120, 180]
    assert PLAINLY_EACH_SECONDS == 60


def test_what_proved_wrong_is_told_no_more() -> None:
    validators = Validators(0.0)
    for _ in range(3):
        validators.answered({"ETag": '"a"'}, is_new=False)
    assert validators.conditions(1.0)
    validators.answered({"ETag": '"a"'}, is_new=True)
    assert validators.conditions(2.0) == {}
    validators.answered({"ETag": '"b"'}, is_new=True)
    assert validators.conditions(3.0) == {}
