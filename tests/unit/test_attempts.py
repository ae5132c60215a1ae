import pytest

from services.ingest.captures.attempts import HEALTHY_SECONDS, MAX_CRASHES, SLOW_SECONDS, Attempts
from shared.errors import SourceCrashed, SourceFailed
from shared.streams import StreamState

GONE, CRASH = SourceFailed("gone"), SourceCrashed("the decoder crashed (SIGABRT)")
LIMITS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0)


def test_each_failure_waits_longer_up_to_half_a_minute() -> None:
    attempts = Attempts()
    for limit in LIMITS:
        retry = attempts.failed(GONE, 0.0)
        assert retry.state is StreamState.WAITING
        assert limit / 2 <= retry.seconds <= limit


@pytest.mark.parametrize(("healthy_seconds", "longest"), [(HEALTHY_SECONDS, 0.5), (HEALTHY_SECONDS - 1, 8.0)])
def test_a_healthy_minute_forgives(healthy_seconds: float, longest: float) -> None:
    attempts = Attempts()
    for _ in range(4):
        attempts.failed(GONE, 0.0)
    attempts.live(100.0)
    attempts.live(100.0 + healthy_seconds / 2)
    assert longest / 2 <= attempts.failed(GONE, 100.0 + healthy_seconds).seconds <= longest


def test_health_counts_from_the_last_failure() -> None:
    attempts = Attempts()
    attempts.live(0.0)
    attempts.failed(GONE, 10.0)
    attempts.live(20.0)
    assert attempts.failed(GONE, 10.0 + HEALTHY_SECONDS).seconds > 0.25 * 2


def test_crashes_in_a_row_end_as_failed_and_are_tried_slowly_for_ever() -> None:
    attempts = Attempts()
    states = [attempts.failed(CRASH, 0.0).state for _ in range(MAX_CRASHES - 1)]
    assert states == [StreamState.WAITING] * (MAX_CRASHES - 1)
    for _ in range(20):
        retry = attempts.failed(CRASH, 0.0)
        assert retry.state is StreamState.FAILED
        assert 0.8 * SLOW_SECONDS <= retry.seconds <= 1.2 * SLOW_SECONDS


def test_another_failure_or_a_healthy_minute_between_crashes_forgives_them() -> None:
    for is_healthy in (True, False):
        attempts = Attempts()
        for _ in range(MAX_CRASHES - 1):
            attempts.failed(CRASH, 0.0)
        if is_healthy:
            attempts.live(0.0)
        else:
            attempts.failed(GONE, 0.0)
        assert attempts.failed(CRASH, HEALTHY_SECONDS).state is StreamState.WAITING
