"""Which frames of a source are taken: the presentation-time grid k / fps, counted from the source's first frame.

Pure policy: it sees timestamps only. The grid makes a frame's identity independent of who reads the source and when.
"""

import math
from typing import Final

NEAR: Final = 0.43
"""Share of a step by which a frame may precede its grid point: just short of half, so that the nearest frame is taken
and the ties which common rates make (a grid of 8 in 25, 30 or 60) do not depend on how a container rounds times."""

MAX_GAP_SECONDS: Final = 600.0
MAX_LATE_SECONDS: Final = 1.0


class Timeline:
    """Turns raw timestamps into seconds since the first frame that never run backwards.

    A missing timestamp is one frame after the last. Frames that come late by up to a second share the last time; a
    clock that stays behind, falls back further or leaps by more than ten minutes is taken as a new clock, which goes
    on one frame after the last.
    """

    def __init__(self, frame_seconds: float) -> None:
        self._frame_seconds = frame_seconds
        self._seconds = -frame_seconds
        self._offset: float | None = None
        self._num_late = 0

    def place(self, raw_seconds: float | None) -> float:
        """Seconds since the first frame for the next frame in decoding order."""
        expected = self._seconds + self._frame_seconds
        if raw_seconds is None or not math.isfinite(raw_seconds):
            self._seconds = expected
            return expected
        if self._offset is None:
            self._offset = raw_seconds - expected
        step = raw_seconds - self._offset - self._seconds
        if -MAX_LATE_SECONDS <= step <= 0 and self._num_late * self._frame_seconds < MAX_LATE_SECONDS:
            self._num_late += 1
            return self._seconds
        self._num_late = 0
        if not 0 < step <= MAX_GAP_SECONDS:
            self._offset, step = raw_seconds - expected, self._frame_seconds
        self._seconds += step
        return self._seconds

    def locate(self, raw_seconds: float) -> float | None:
        """Seconds since the first frame for a frame yet to come, or None where that cannot be told before."""
        if self._offset is None:
            return None
        seconds = raw_seconds - self._offset
        return seconds if 0 < seconds - self._seconds <= MAX_GAP_SECONDS else None


class Sampler:
    """Gives each grid point to the nearest frame, each frame at most one point, in time order.

    A source slower than the grid leaves points empty: no frame is repeated. `frame_seconds` is the source's nominal
    time per frame.
    """

    def __init__(self, fps: float, frame_seconds: float) -> None:
        self._fps = fps
        self._slack = NEAR * min(1.0, frame_seconds * fps)
        self._timeline = Timeline(frame_seconds)
        self.next_point = 0
        """those before it are served, or will never be"""
        self.seconds = 0.0
        """when the last frame was, counted from the first"""

    def point(self, raw_seconds: float | None) -> int | None:
        """The grid point that the next frame serves, or None where it serves none."""
        self.seconds = self._timeline.place(raw_seconds)
        point = self._window(self.seconds)
        if point < self.next_point:
            return None
        self.next_point = point + 1
        return point

    def window(self, raw_seconds: float) -> int | None:
        """The grid point that a frame yet to come will serve if it is the first near it, or None if nobody knows."""
        seconds = self._timeline.locate(raw_seconds)
        return None if seconds is None else self._window(seconds)

    def _window(self, seconds: float) -> int:
        return math.floor(seconds * self._fps + self._slack)


def point_time_ms(base_ms: int, point: int, fps: float) -> int:
    """Time of a grid point in a source whose first frame is at `base_ms`."""
    return base_ms + round(point * 1000 / fps)


def first_point_after(last_ms: int, base_ms: int, fps: float) -> int:
    """The first grid point later than `last_ms`."""
    point = max(0, math.floor((last_ms - base_ms) * fps / 1000))
    while point_time_ms(base_ms, point, fps) <= last_ms:
        point += 1
    return point
