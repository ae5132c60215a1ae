"""How late a frame is committed, though the clock that it was dated by was set meanwhile: pure policy."""

from typing import Final

from shared.clock import ClockSteps

REMEMBERED_MS: Final = 120_000
"""A frame of a live stream waits no longer: its queue is full by then."""


class Lateness:
    """Looks at this host's clock from time to time, and remembers for two minutes that it was set.

    What was dated meanwhile was dated before that or after. Of both readings of a date the later one is meant, unless
    it lies in the future.
    """

    def __init__(self) -> None:
        self._steps = ClockSteps()
        self._step_ms = 0.0
        self._stepped_ms = 0.0

    def look(self, offset_ms: float, steady_ms: float) -> None:
        """The clock is `offset_ms` ahead of the steady one now."""
        if step_ms := self._steps.step_ms(offset_ms, steady_ms):
            self._step_ms, self._stepped_ms = step_ms, steady_ms
        elif steady_ms - self._stepped_ms > REMEMBERED_MS:
            self._step_ms = 0.0

    def seconds(self, due_at_ms: int, now_ms: int) -> float:
        """From when a frame was due until now; 0 where it was dated by the clock of another host that is ahead."""
        late_ms = now_ms - due_at_ms
        return min((each for each in (late_ms, late_ms - self._step_ms) if each >= 0), default=0.0) / 1000
