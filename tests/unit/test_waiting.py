import threading

import pytest

from shared.errors import StoreUnavailable
from shared.waiting import Backoff, Stopped, pause, until_stored


def test_waiting_times_double_up_to_the_longest() -> None:
    backoff = Backoff(longest_seconds=30.0)
    for limit in (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0):
        assert limit / 2 <= backoff.next_seconds() <= limit
    backoff.reset()
    assert backoff.next_seconds() <= 0.5


def test_waiting_times_stay_bounded_for_ever() -> None:
    backoff = Backoff(longest_seconds=5.0)
    assert all(backoff.next_seconds() <= 5.0 for _ in range(5000))


def test_pause_ends_when_asked_to_stop() -> None:
    stop = threading.Event()
    pause(stop, 0.0)
    stop.set()
    with pytest.raises(Stopped):
        pause(stop, 60.0)


def test_an_action_is_repeated_until_the_store_answers(caplog: pytest.LogCaptureFixture) -> None:
    answers = [StoreUnavailable("Redis: gone"), StoreUnavailable("Redis: gone"), 7]

    def action() -> int:
        answer = answers.pop(0)
        if isinstance(answer, StoreUnavailable):
            raise answer
        assert isinstance(answer, int)
        return answer

    assert until_stored(action, threading.Event()) == 7
    assert caplog.text.count("waiting for Redis") == 1


def test_waiting_for_the_store_can_be_stopped() -> None:
    stop = threading.Event()

    def action() -> None:
        stop.set()
        raise StoreUnavailable("Redis: gone")

    with pytest.raises(Stopped):
        until_stored(action, stop)
