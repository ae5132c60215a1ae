"""When readers may start. Pure policy."""

from typing import Final

from shared.waiting import Backoff

SPACING_SECONDS: Final = 0.02
"""Between two starts: opening a source takes some of a core, so what is to start at once starts one by one."""


class Gate:
    """Says when the next reader may start; pure policy on a clock that only runs forward, in seconds.

    One each 20 ms. Once the machine refuses, nobody tries for half a second, and longer each time it refuses again: a
    limit that is reached is not run against by all streams. Sources that did not open the last time have a queue of
    their own: thousands of dead addresses hold up no camera.
    """

    def __init__(self) -> None:
        self._backoff = Backoff()
        self._next_at = {False: 0.0, True: 0.0}
        self._closed_until = 0.0

    def turn(self, now: float, *, is_retry: bool = False) -> float:
        """When the caller may start, if the gate is open then; `is_retry`: its source did not open the last time."""
        at = max(now, self._next_at[is_retry])
        self._next_at[is_retry] = at + SPACING_SECONDS
        return at

    def left(self, now: float, *, is_retry: bool = False) -> None:
        """Somebody whose turn had not come wants none any more: those who come now wait for one less."""
        self._next_at[is_retry] = max(now, self._next_at[is_retry] - SPACING_SECONDS)

    def is_open(self, now: float) -> bool:
        """Whether the machine takes starts, as far as is known."""
        return now >= self._closed_until

    def started(self) -> None:
        """A reader runs."""
        self._backoff.reset()

    def refused(self, now: float) -> None:
        """The machine let none start."""
        if self.is_open(now):
            self._closed_until = now + self._backoff.next_seconds()
            self._next_at = {False: self._closed_until, True: self._closed_until}
