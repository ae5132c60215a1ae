import pytest

from services.ingest.captures.attempts import (
    ABSENT_SECONDS,
    HEALTHY_SECONDS,
    MAX_CRASHES,
    SLOW_SECONDS,
    Attempts,
    Retry,
)
from shared.errors import ReaderLost, SourceAbsent, SourceCrashed, SourceFailed, SourceSilent
from shared.streams import StreamState

GONE, CRASH = SourceFailed("gone"), SourceCrashed("the decoder crashed (SIGABRT)")
DEFECT, LOST, ABSENT = ZeroDivisionError(), ReaderLost("no more processes"), SourceAbsent("no such file")
LIMITS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0)


def seconds_of(retry: Retry) -> float:
    assert retry.seconds is not None
    return retry.seconds


def test_each_failure_waits_longer_up_to_half_a_minute() -> None:
    attempts = Attempts()
    for limit in LIMITS:
        retry = attempts.failed(GONE, 0.0)
        assert retry.state is StreamState.WAITING
        assert limit / 2 <= seconds_of(retry) <= limit


@pytest.mark.parametrize(("healthy_seconds", "longest"), [(HEALTHY_SECONDS, 0.5), (HEALTHY_SECONDS - 1, 8.0)])
def test_a_healthy_minute_forgives(healthy_seconds: float, longest: float) -> None:
    attempts = Attempts()
    for _ in range(4):
        attempts.failed(GONE, 0.0)
    attempts.live(100.0)
    attempts.live(100.0 + healthy_seconds / 2)
    assert longest / 2 <= seconds_of(attempts.failed(GONE, 100.0 + healthy_seconds)) <= longest


def test_health_counts_from_the_last_failure() -> None:
    attempts = Attempts()
    attempts.live(0.0)
    attempts.failed(GONE, 10.0)
    attempts.live(20.0)
    assert seconds_of(attempts.failed(GONE, 10.0 + HEALTHY_SECONDS)) > 0.25 * 2


@pytest.mark.parametrize("failure", [CRASH, DEFECT], ids=["crash", "defect"])
def test_crashes_in_a_row_end_as_failed_and_are_tried_slowly_for_ever(failure: Exception) -> None:
    attempts = Attempts()
    states = [attempts.failed(failure, 0.0).state for _ in range(MAX_CRASHES - 1)]
    assert states == [StreamState.WAITING] * (MAX_CRASHES - 1)
    for _ in range(20):
        retry = attempts.failed(failure, 0.0)
        assert retry.state is StreamState.FAILED
        assert 0.8 * SLOW_SECONDS <= seconds_of(retry) <= 1.2 * SLOW_SECONDS


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


def test_a_machine_that_starts_no_reader_is_tried_for_ever_whatever_the_source() -> None:
    for attempts in (Attempts(), Attempts(is_file=True), Attempts(is_file=True, ends=True)):
        retries = [attempts.failed(LOST, 0.0) for _ in range(50)]
        assert {retry.state for retry in retries} == {StreamState.WAITING}
        assert all(15 <= seconds_of(retry) <= 30 for retry in retries[10:])


def absence(attempts: Attempts, until: float) -> list[tuple[float, Retry]]:
    """When a file that stays away is looked for, and what is said then."""
    now, found = 1000.0, list[tuple[float, Retry]]()
    while now - 1000 < until:
        retry = attempts.failed(ABSENT, now)
        found.append((now - 1000, retry))
        if retry.seconds is None:
            break
        now += retry.seconds
    return found


def test_a_file_that_is_not_there_is_tried_every_few_seconds_then_every_five_minutes_for_ever() -> None:
    found = absence(Attempts(is_file=True), 10 * 86_400)
    assert {retry.state for _, retry in found} == {StreamState.WAITING}
    assert all(2 <= seconds_of(retry) <= 4 for at, retry in found if at <= 12)
    assert all(seconds_of(retry) <= max(3.6, 0.3 * at) for at, retry in found)
    assert all(0.8 * SLOW_SECONDS <= seconds_of(retry) <= 1.2 * SLOW_SECONDS for at, retry in found if at > 1200)


def test_one_that_is_played_once_is_given_up_after_an_hour() -> None:
    found = absence(Attempts(is_file=True, ends=True), 86_400)
    assert found[-1][1] == Retry(StreamState.FAILED, None)
    assert ABSENT_SECONDS <= found[-1][0] <= ABSENT_SECONDS + 1.2 * SLOW_SECONDS
    assert {retry.state for _, retry in found[:-1]} == {StreamState.WAITING}


def test_a_file_that_grows_has_an_hour_from_its_last_picture_on() -> None:
    attempts = Attempts(is_file=True, ends=True)
    for now in range(0, 2 * round(ABSENT_SECONDS), 600):
        attempts.live(now)
        assert seconds_of(attempts.failed(ABSENT, now + 1.0)) < 4


def test_a_file_that_is_there_and_gives_nothing_is_given_up() -> None:
    assert Attempts(is_file=True, ends=True).failed(GONE, 0.0) == Retry(StreamState.FAILED, None)
    endless = Attempts(is_file=True)
    retries = [endless.failed(GONE, float(now)) for now in (0, 100, 100_000)]
    assert {retry.state for retry in retries} == {StreamState.FAILED}
    assert [seconds_of(retry) for retry in retries] == sorted(seconds_of(retry) for retry in retries)
    assert seconds_of(retries[-1]) == pytest.approx(SLOW_SECONDS, rel=0.2)
    attempts = Attempts(is_file=True, ends=True)
    assert [attempts.failed(CRASH, 0.0).seconds is None for _ in range(MAX_CRASHES)] == [False] * 4 + [True]


def test_a_source_that_must_be_opened_anew_goes_on_at_once_where_it_gave_a_picture() -> None:
    attempts, found = Attempts(), []
    for num_pictures in (0, 1, 2, 0, 1):
        for _ in range(num_pictures):
            attempts.live(0.0)
        found.append(attempts.goes_on())
    assert found == [False, True, True, False, True]
    assert seconds_of(attempts.failed(GONE, HEALTHY_SECONDS)) <= LIMITS[0]
    assert attempts.patience == 1


def test_a_source_that_falls_silent_after_few_pictures_gets_more_patience_each_time() -> None:
    attempts, found = Attempts(), []
    for num_pictures in (0, 1, 3, 4, 1, 1):
        for _ in range(num_pictures):
            attempts.live(0.0)
        attempts.failed(SourceSilent("no data for 10 s"), 1.0)
        found.append(attempts.patience)
    assert found == [1, 2, 4, 4, 8, 8]
    attempts.live(2.0)
    attempts.failed(GONE, 3.0)
    assert attempts.patience == 8
    hasty = Attempts()
    hasty.live(0.0)
    hasty.failed(GONE, 1.0)
    assert hasty.patience == 1
