"""When readers may start. Pure policy."""

from typing import Final

from shared.waiting import Backoff

SPACING_SECONDS: Final = 0.02
"""Between two starts: opening a source takes some of a core, so what is to start at once starts one by one."""
LATE_SPACING_SECONDS: Final = 0.1
LATE_SECONDS: Final = 1.0
"""What is too long a wait for one that comes behind a crowd."""
MAX_STARTING: Final = 8
MAX_STARTING_AGAIN: Final = 4
"""How many starts, and starts of sources that did not open, may be under way: more are for a machine that keeps up."""


class Queue:
    """Turns at a distance, in seconds."""

    def __init__(self, spacing: float) -> None:
        self._spacing = spacing
        self._next_at = 0.0

    def next_at(self, now: float) -> float:
        """When it would be the turn of one that comes now."""
        return max(now, self._next_at)

    def turn(self, now: float) -> float:
        """When it is the turn of one that comes now and waits."""
        at = self.next_at(now)
        self._next_at = at + self._spacing
        return at

    def left(self, now: float) -> None:
        """Somebody whose turn had not come wants none any more: those who come now wait for one less."""
        self._next_at = max(now, self._next_at - self._spacing)

    def begin(self, at: float) -> None:
        """No turn comes before that."""
        self._next_at = at


class Gate:
    """Says when the next reader may start; pure policy on a clock that only runs forward, in seconds.

    One each 20 ms. Behind a crowd there is a second queue, of one each 100 ms, which is never longer than a second:
    for a camera that is added while thousands wait, or leave before their turn. Sources that did not open the last time
    have a queue of their own: thousands of dead addresses hold up no camera. Once the machine refuses, nobody tries for
    half a second, and longer each time it refuses again: a limit that is reached is not run against by all streams.
    While it is slow to answer, those whose turn it is line up once more.
    """

    def __init__(self) -> None:
        self._backoff = Backoff()
        self._first = Queue(SPACING_SECONDS)
        self._late = Queue(LATE_SPACING_SECONDS)
        self._again = Queue(SPACING_SECONDS)
        self._closed_until = 0.0
        self._num_starting = 0

    def queue(self, now: float, *, is_retry: bool = False) -> Queue:
        """Where one that comes now lines up; `is_retry`: its source did not open the last time."""
        if is_retry:
            return self._again
        soon = now + LATE_SECONDS
        return self._late if self._first.next_at(now) > soon >= self._late.next_at(now) else self._first

    def is_open(self, now: float) -> bool:
        """Whether the machine takes starts, as far as is known."""
        return now >= self._closed_until

    def enters(self, now: float, *, is_retry: bool = False) -> bool:
        """Whether one whose turn it is may start; it is `answered` then."""
        may = self.is_open(now) and self._num_starting < (MAX_STARTING_AGAIN if is_retry else MAX_STARTING)
        self._num_starting += may
        return may

    def answered(self) -> None:
        """A start is no longer under way."""
        self._num_starting -= 1

    def started(self) -> None:
        """A reader runs."""
        self._backoff.reset()

    def refused(self, now: float) -> None:
        """The machine let none start."""
        if self.is_open(now):
            self._closed_until = now + self._backoff.next_seconds()
            for queue in (self._first, self._late, self._again):
                queue.begin(self._closed_until)
