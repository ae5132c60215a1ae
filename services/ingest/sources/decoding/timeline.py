"""What a source's own timestamps mean: seconds since its first frame, and how much too early something comes.

Pure policy: it sees timestamps only.
"""

import heapq
import math
from typing import Final

MAX_GAP_SECONDS: Final = 365 * 86_400.0
"""A recording pauses for days, and a time-lapse takes a picture an hour; a year is no gap but another clock."""
MAX_UNPROVEN_GAP_SECONDS: Final = 600.0
"""The same for a live source of which nobody knows when its pictures came: it is rather its clock that leapt."""
MAX_STEP_BACK_SECONDS: Final = 1.0
MAX_LATE_SECONDS: Final = 2.0
MAX_EARLY_SECONDS: Final = 5.0
MAX_REORDERED: Final = 24
"""Pictures that a decoder holds back at most: 16 to put them in order, and one a thread."""


class Timeline:
    """Turns raw timestamps into seconds since the first frame that never run backwards.

    A missing timestamp is one frame after the last. Frames that come late by up to a second share the last time; a
    clock that stays behind, falls back further or leaps by more than `max_gap_seconds` is taken as a new clock, which
    goes on one frame after the last.
    """

    def __init__(self, frame_seconds: float, max_gap_seconds: float = MAX_GAP_SECONDS) -> None:
        self._frame_seconds = frame_seconds
        self._max_gap_seconds = max_gap_seconds
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
        if -MAX_STEP_BACK_SECONDS <= step <= 0 and self._num_late * self._frame_seconds < MAX_STEP_BACK_SECONDS:
            self._num_late += 1
            return self._seconds
        self._num_late = 0
        if not 0 < step <= self._max_gap_seconds:
            self._offset, step = raw_seconds - expected, self._frame_seconds
        self._seconds += step
        return self._seconds

    def locate(self, raw_seconds: float) -> float | None:
        """Seconds since the first frame for a frame yet to come, or None where that cannot be told before."""
        if self._offset is None:
            return None
        seconds = raw_seconds - self._offset
        return seconds if 0 < seconds - self._seconds <= self._max_gap_seconds else None


class Pace:
    """Says how much too early a packet is, by its own time since the first: HLS comes in segments, a recording as fast
    as the network goes.

    What is a little late is made up for at once; where the times jump or the source fell far behind, counting begins
    anew.
    """

    def __init__(self) -> None:
        self._anchor: float | None = None

    def early_seconds(self, media_seconds: float, now: float) -> float:
        """How long to wait at `now`, on a clock that only runs forward; 5 s at most."""
        early = media_seconds + self._anchor - now if self._anchor is not None else None
        if early is None or not -MAX_LATE_SECONDS <= early <= MAX_EARLY_SECONDS:
            self._anchor, early = now - media_seconds, 0.0
        return max(0.0, early)


class Reordering:
    """Times of a container that stamps pictures as they are decoded, given to them as they are shown.

    Where the two orders are one, nothing changes. The stamp of a picture that never came is taken by the next, until a
    keyframe says where it belongs.
    """

    def __init__(self) -> None:
        self._waiting: list[int] = []

    def decoded(self, pts: int | None) -> None:
        """A packet was taken by the decoder."""
        if pts is not None:
            heapq.heappush(self._waiting, pts)
        if len(self._waiting) > MAX_REORDERED:  # no picture came of one
            heapq.heappop(self._waiting)

    def shown(self, stamp: int | None, *, is_keyframe: bool) -> int | None:
        """The time of the next picture, which bears a stamp; None where nobody knows."""
        while is_keyframe and stamp is not None and self._waiting and self._waiting[0] < stamp:
            heapq.heappop(self._waiting)
        return heapq.heappop(self._waiting) if self._waiting else None
