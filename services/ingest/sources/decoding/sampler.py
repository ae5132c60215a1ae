"""Which frames of a source are taken: the presentation-time grid k / fps, counted from the source's first frame.

Pure policy: it sees timestamps only. The grid makes a frame's identity independent of who reads the source and when.
"""

import math
from typing import Final

from services.ingest.sources.decoding.timeline import MAX_GAP_SECONDS, Timeline

NEAR: Final = 0.43
"""Share of a step by which a frame may precede its grid point: just short of half, so that the nearest frame is taken
and the ties which common rates make (a grid of 8 in 25, 30 or 60) do not depend on how a container rounds times."""


class Sampler:
    """Gives each grid point to the nearest frame, each frame at most one point, in time order.

    A source slower than the grid leaves points empty: no frame is repeated. `frame_seconds` is the source's nominal
    time per frame, `max_gap_seconds` how long it may pause.
    """

    def __init__(self, fps: float, frame_seconds: float, max_gap_seconds: float = MAX_GAP_SECONDS) -> None:
        self._fps = fps
        self._timeline = Timeline(frame_seconds, max_gap_seconds)
        self.take_rate(frame_seconds)
        self.next_point = 0
        """those before it are served, or will never be"""
        self.seconds = 0.0
        """when the last frame was, counted from the first"""

    def take_rate(self, frame_seconds: float) -> None:
        """The source's time per frame has become known."""
        self._slack = NEAR * min(1.0, frame_seconds * self._fps)

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
