"""Time as the system writes it, and time that nobody sets."""

import time
from typing import Final

MAX_READINGS: Final = 5
CLOSE_NS: Final = 3_000_000
STEP_MS: Final = 500.0
DRIFT: Final = 0.001
"""What a clock that is disciplined, not set, may gain or lose on a steady one."""

_STEADY: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # where there is none, sleep is not counted


def now_ms() -> int:
    """Milliseconds since 1970, UTC, by this host's clock, which may be set at any time."""
    return time.time_ns() // 1_000_000


def steady_ms() -> int:
    """Milliseconds on a clock that only runs forward, while the host sleeps too; the same in all its processes."""
    return time.clock_gettime_ns(_STEADY) // 1_000_000


def wall_offset_ms() -> int:
    """How far the wall clock is ahead of the steady one, as it is set now; true to a few ms on a busy machine, too."""
    for _ in range(MAX_READINGS):
        before_ns, wall_ns = time.clock_gettime_ns(_STEADY), time.time_ns()
        after_ns = time.clock_gettime_ns(_STEADY)
        if after_ns - before_ns <= CLOSE_NS:
            break
    return (wall_ns - (before_ns + after_ns) // 2) // 1_000_000


class ClockSteps:
    """Notices that this host's clock was set. Used by one thread. Pure policy."""

    def __init__(self) -> None:
        self._seen: tuple[float, float] | None = None

    def step_ms(self, offset_ms: float, steady_ms: float) -> float:
        """By how much it was set since the last call, negative for back; 0 where it was not.

        It is `offset_ms` ahead of the steady clock.
        """
        former, self._seen = self._seen, (offset_ms, steady_ms)
        if former is None:
            return 0.0
        former_ms, at_ms = former
        moved_ms = offset_ms - former_ms
        return moved_ms if abs(moved_ms) > STEP_MS + DRIFT * (steady_ms - at_ms) else 0.0
