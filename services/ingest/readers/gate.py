"""When readers may start. Pure policy."""

from typing import Final

from shared.waiting import Backoff

SPACING_SECONDS: Final = 0.02
"""Between two starts: opening a source takes some of a core, so what is to start at once starts one by one."""


class Gate:
    """Says when the next reader may start; pure policy on a clock that only runs forward, in seconds.

    One each 20 ms. Once the machine refuses, nobody tries for half a second, and longer each time it refuses again: a
    limit that is reached is not run against by all streams.
    """

    def __init__(self) -> None:
        self._backoff = Backoff()
        self._next_at = 0.0
        self._closed_until = 0.0

    def turn(self, now: float) -> float:
        """When the caller may start, if the gate is open then."""
        at = max(now, self._next_at)
        self._next_at = at + SPACING_SECONDS
        return at

    def left(self, now: float) -> None:
        """Somebody whose turn had not come wants none any more: those who come now wait for one less."""
        self._next_at = max(now, self._next_at - SPACING_SECONDS)

    def is_open(self, now: float) -> bool:
        """Whether the machine takes starts, as far as is known."""
        return now >= self._closed_until

    def started(self) -> None:
        """A reader runs."""
        self._backoff.reset()

    def refused(self, now: float) -> None:
        """The machine let none start."""
        if self.is_open(now):
            self._closed_until = self._next_at = now + self._backoff.next_seconds()
