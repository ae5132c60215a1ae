"""What judged events' clips teach, and on which side of a split they are."""

import hashlib
from collections import Counter
from typing import Any

import pytest

from afterimage.feedback.clips import JudgedClip, JudgedEvent, Sides, ToldClip, annotated

BASE_MS = 1_700_000_000_000


def a_clip(start: float, end: float, clip: tuple[float, float], **fields: Any) -> JudgedClip:
    """The clip of an event, in seconds after BASE_MS, 8 frames a second."""
    started, ended, first, last = (BASE_MS + round(each * 1000) for each in (start, end, *clip))
    given = {"stream_id": "cam", "label": "moved", "verdict": "right", "model": "m@1", "subset": "training", **fields}
    return JudgedClip.model_validate(
        {
            "event_id": f"{given['stream_id']}.{given['label']}.{started}",
            "started_at_ms": started,
            "ended_at_ms": ended,
            "from_ms": first,
            "to_ms": last,
            "num_frames": (last - first) // 125 + 1,
            **given,
        }
    )


def test_a_right_event_holds_and_a_wrong_one_is_known_not_to() -> None:
    right, wrong = a_clip(5, 8, (0, 10)), a_clip(105, 200, (100, 110), verdict="wrong")
    found = annotated([right, wrong], "unjudged")
    assert list(found) == [right.name, wrong.name]
    assert found[right.name]["annotations"] == [{"label": "moved", "segment": [5, 8.125]}]
    assert found[right.name]["judged"] == []
    assert (found[wrong.name]["annotations"], found[wrong.name]["judged"]) == (
        [],
        [{"label": "moved", "segment": [5, 10.125]}],
    )
    assert found[right.name]["duration"] == 10.125
    assert (found[right.name]["group"], found[right.name]["subset"]) == ("cam", "training")


def test_outside_may_count_as_absence() -> None:
    found = annotated([a_clip(5, 8, (0, 10))], "absent")
    assert [each["judged"] for each in found.values()] == [[{"label": "moved", "segment": [0, 10.125]}]]


def test_each_clip_is_told_of_every_judged_event_that_it_shows() -> None:
    first = a_clip(5, 8, (0, 10))
    others = [a_clip(9, 30, (4, 14), label="dark", verdict="wrong"), a_clip(-50, 2, (-55, -45), label="cut")]
    elsewhere = a_clip(5, 8, (0, 10), stream_id="yard")
    found = annotated([first, *others, elsewhere], "unjudged")[first.name]
    assert found["annotations"] == [{"label": "moved", "segment": [5, 8.125]}, {"label": "cut", "segment": [0, 2.125]}]
    assert found["judged"] == [{"label": "dark", "segment": [9, 10.125]}]


def an_event(**fields: Any) -> dict[str, Any]:
    return {
        "id": f"cam.moved.{BASE_MS}",
        "stream_id": "cam",
        "label": "moved",
        "started_at_ms": BASE_MS,
        "ended_at_ms": BASE_MS + 1000,
        "model": "m@1",
        "feedback": {"verdict": "right"},
        "media": {"state": "kept", "clip": {"from_ms": BASE_MS - 1000, "to_ms": BASE_MS + 1000, "num_frames": 16}},
        **fields,
    }


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, None),
        ({"model": None}, "no model named it"),
        ({"ended_at_ms": None}, "it still lasts"),
        ({"media": None}, "no recorder has heard of it"),
        ({"media": {"state": "recording"}}, "its clip is not whole yet"),
        ({"media": {"state": "none", "reason": "no frame was left"}}, "it has no clip: no frame was left"),
        ({"media": {"state": "kept", "pictures": {"peak": 1}}}, "it has no clip: none is kept"),
        ({"media": {"state": "kept", "clip": {"from_ms": 1, "to_ms": 1, "num_frames": 1}}}, "fewer than two frames"),
        ({"media": {"state": "kept", "clip": {"from_ms": 1, "to_ms": 9, "num_frames": 2}}}, "shows nothing of it"),
    ],
)
def test_what_teaches_nothing_says_why(fields: dict[str, Any], reason: str | None) -> None:
    found = JudgedEvent.model_validate(an_event(**fields)).unusable()
    assert found is None if reason is None else reason in str(found)


@pytest.mark.parametrize("event_id", ["../../x.moved.1", "cam.moved.1/../../x", "cam.moved", "cam..1", "a/b.moved.1"])
def test_an_id_that_leads_elsewhere_is_none(event_id: str) -> None:
    with pytest.raises(ValueError, match="id"):
        JudgedEvent.model_validate(an_event(id=event_id))


def placed(second: float, sides: Sides, stream_id: str = "cam") -> str:
    at_ms = BASE_MS + round(second * 1000)
    fields = {"id": f"{stream_id}.moved.{at_ms}", "stream_id": stream_id, "started_at_ms": at_ms}
    clip = ToldClip(from_ms=at_ms - 5000, to_ms=at_ms + 10_000, num_frames=120)
    return sides.place(JudgedEvent.model_validate(an_event(**fields)), clip)


def test_sides_are_the_same_in_any_order_and_about_as_large_as_told() -> None:
    seconds = [100 * number for number in range(2000)]
    forwards, backwards = Sides([], by_stream=False), Sides([], by_stream=False)
    found = {second: placed(second, forwards) for second in seconds}
    assert {second: placed(second, backwards) for second in reversed(seconds)} == found
    shares = Counter(found.values())
    assert 0.65 < shares["training"] / 2000 < 0.75
    assert 0.12 < shares["validation"] / 2000 < 0.18
    digest = int(hashlib.sha256(f"cam.moved.{BASE_MS}".encode()).hexdigest()[:16], 16) / 2**64
    assert found[0] == ("training" if digest < 0.7 else "validation" if digest < 0.85 else "testing")


def test_clips_of_the_same_moments_stay_together() -> None:
    sides = Sides([a_clip(0, 1, (-5, 10), subset="testing")], by_stream=False)
    assert [placed(second, sides) for second in (14, 3, 28)] == ["testing"] * 3
    assert {placed(100 * number, sides) for number in range(1, 30)} == {"training", "validation", "testing"}
    assert {placed(3, Sides([a_clip(0, 1, (-5, 10), stream_id=each)], by_stream=False)) for each in ("a", "b")} == {
        placed(3, Sides([], by_stream=False))
    }


def test_whole_streams_may_be_kept_apart() -> None:
    sides = Sides([], by_stream=True)
    by_stream = {
        f"cam{number}": {placed(100 * each, sides, f"cam{number}") for each in range(9)} for number in range(30)
    }
    assert all(len(found) == 1 for found in by_stream.values())
    assert {side for found in by_stream.values() for side in found} == {"training", "validation", "testing"}
