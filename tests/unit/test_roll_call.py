"""Who lives, whatever is done to the clock that heartbeats are dated by."""

import pytest

from shared.leases import RollCall

TTL_MS = 5000
START_MS = 1_700_000_000_000
AN_HOUR_MS = 3_600_000


class Scene:
    """Workers that beat at Redis, whose clock is set now and then, and one that listens."""

    def __init__(self) -> None:
        self.steady_ms = 1000
        self.offset_ms = START_MS
        self.heard: dict[str, int] = {}
        self.roll_call = RollCall(TTL_MS)

    def beat(self, *workers: str) -> None:
        self.heard |= dict.fromkeys(workers, self.steady_ms + self.offset_ms)

    def living(self) -> list[str]:
        return sorted(self.roll_call.listen(self.steady_ms + self.offset_ms, self.heard, self.steady_ms))


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.beat("one", "two")
    assert scene.living() == ["one", "two"]
    return scene


def test_the_silent_are_no_longer_among_the_living(scene: Scene) -> None:
    scene.steady_ms += 3000
    scene.beat("one")
    assert scene.living() == ["one", "two"]
    scene.steady_ms += 2001
    assert scene.living() == ["one"]
    assert scene.roll_call.silent() == {"two": START_MS + 1000}


@pytest.mark.parametrize("step_ms", [-AN_HOUR_MS, -40_000, AN_HOUR_MS])
def test_a_clock_that_is_set_kills_nobody_and_raises_nobody(scene: Scene, step_ms: int) -> None:
    scene.offset_ms += step_ms
    assert scene.living() == ["one", "two"]
    scene.steady_ms += 600
    scene.beat("one")
    assert scene.living() == ["one", "two"]
    scene.steady_ms += 4401
    assert scene.living() == ["one"]


@pytest.mark.parametrize("step_ms", [-AN_HOUR_MS, AN_HOUR_MS])
def test_one_who_begins_believes_the_clock_until_it_has_listened_twice(scene: Scene, step_ms: int) -> None:
    scene.offset_ms += step_ms
    scene.roll_call = RollCall(TTL_MS)
    assert scene.living() == []
    scene.steady_ms += 100
    scene.beat("two")
    assert scene.living() == ["two"]


def test_a_beat_and_a_step_between_two_looks(scene: Scene) -> None:
    scene.steady_ms += 50
    scene.beat("one", "new")
    scene.offset_ms += AN_HOUR_MS
    scene.steady_ms += 50
    assert scene.living() == ["new", "one", "two"]


def test_one_who_was_away_counts_by_the_clock_of_redis_what_it_did_not_hear(scene: Scene) -> None:
    scene.steady_ms += 3000
    scene.beat("one")
    scene.steady_ms += 12_000
    scene.beat("two")
    assert scene.living() == ["two"]


def test_who_signs_off_is_gone_at_once(scene: Scene) -> None:
    del scene.heard["two"]
    assert scene.living() == ["one"]
    assert scene.roll_call.silent() == {}
