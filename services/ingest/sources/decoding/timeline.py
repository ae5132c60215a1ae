"""What a source's own timestamps mean: seconds since its first frame, and how much too early something comes.

Pure policy: it sees timestamps and times of arrival only.
"""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MAX_GAP_SECONDS: Final = 365 * 86_400.0
"""A recording pauses for days, and a time-lapse takes a picture an hour; a year is no gap but another clock."""
MAX_UNPROVEN_GAP_SECONDS: Final = 600.0
"""The same for a live source of which nobody knows when its pictures came: it is rather its clock that leapt."""
STRAY_SECONDS: Final = 10.0
MAX_LEAP_SECONDS: Final = 5.0
"""How much more or less a live source's timestamps may advance at once than time does..."""
MAX_LEAP_STEPS: Final = 4.0
"""...or, where its packets are seldom, by how many times as much: those of B-frames leap to and fro."""
RATE_SECONDS: Final = 2.5
RATE_PACKETS: Final = 5
"""A span in which a live source's timestamps are compared with time has so many at least."""
MAX_RATE: Final = 1.25
"""How much quicker than time they may run in a span, or slower..."""
LEAST_DRIFT_SECONDS: Final = 0.4
MAX_DRIFT_SECONDS: Final = 2.0
"""...or by how much, in one and in several together."""
NUM_SPANS: Final = 2
NUM_STILL: Final = 3
"""So many packets in a row of one timestamp are more than the fields or slices of a picture."""
MAX_STEP_BACK_SECONDS: Final = 1.0
MAX_DISORDER_SECONDS: Final = 0.25
"""What times of decoding fall back by where they are only stated inexactly."""
LONGEST_STEP_SECONDS: Final = 1.0
MAX_REORDERED: Final = 24
"""Pictures that a decoder holds back at most: 16 to put them in order, and one a thread."""


class Timeline:
    """Turns raw timestamps into seconds since the first frame that never run backwards.

    A missing timestamp is one frame after the last. Frames that come late by up to a second share the last time; a
    clock that stays behind, falls back further or leaps by more than `max_gap_seconds` is taken as a new clock, which
    goes on one frame after the last. Where the former clock goes on within the pictures that a decoder may hold back,
    those between came out of their order, as damage has it, and it holds again.
    """

    def __init__(self, frame_seconds: float, max_gap_seconds: float = MAX_GAP_SECONDS) -> None:
        self._frame_seconds = frame_seconds
        self._max_gap_seconds = max_gap_seconds
        self._seconds = -frame_seconds
        self._offset: float | None = None
        self._former: tuple[float, int] | None = None
        """the offset before the newest clock, and how many pictures that has had"""
        self._num_late = 0

    def place(self, raw_seconds: float | None) -> float:
        """Seconds since the first frame for the next frame in decoding order."""
        expected = self._seconds + self._frame_seconds
        if raw_seconds is None or not math.isfinite(raw_seconds):
            self._seconds = expected
            return expected
        if self._offset is None:
            self._offset = raw_seconds - expected
        self._take_up_former(raw_seconds)
        step = raw_seconds - self._offset - self._seconds
        if -MAX_STEP_BACK_SECONDS <= step <= 0 and self._num_late * self._frame_seconds < MAX_STEP_BACK_SECONDS:
            self._num_late += 1
            return self._seconds
        self._num_late = 0
        if not 0 < step <= self._max_gap_seconds:
            self._former = self._former or (self._offset, 0)
            self._offset, step = raw_seconds - expected, self._frame_seconds
        self._seconds += step
        return self._seconds

    def _take_up_former(self, raw_seconds: float) -> None:
        if self._former is None or self._offset is None:
            return
        offset, num_pictures = self._former
        leap = abs(raw_seconds - self._offset - self._seconds)
        if leap > MAX_STEP_BACK_SECONDS >= abs(raw_seconds - offset - self._seconds):
            self._offset, self._former = offset, None
        else:
            self._former = (offset, num_pictures + 1) if num_pictures < MAX_REORDERED else None

    def locate(self, raw_seconds: float) -> float | None:
        """Seconds since the first frame for a frame yet to come, or None where that cannot be told before."""
        if self._offset is None:
            return None
        seconds = raw_seconds - self._offset
        return seconds if 0 < seconds - self._seconds <= self._max_gap_seconds else None


def is_stray(before: float, stamp: float, following: Sequence[float]) -> bool:
    """Whether a timestamp in a recording leaps, forward or back, though most of those that follow it do not.

    So no single one is taken for a pause, or for a new clock. Those that follow show which it is even where pictures
    from before a pause are decoded after it.
    """
    if abs(stamp - before) <= STRAY_SECONDS:
        return False
    num_near = sum(abs(later - before) < abs(later - stamp) for later in following)
    return num_near > len(following) / 2


class Splices:
    """Has the times of a recording, or of HLS, go on where they begin anew: one step after the last.

    A segment may count from 0, and so may each of the clips that a file was put together from. Times of decoding show
    it, which else only rise: those of showing fall back between pictures that refer to each other, too.
    """

    def __init__(self) -> None:
        self._shift = 0.0
        self._last: float | None = None
        self._step = 0.0
        self._before: tuple[float, float] | None = None
        """the shift and the last time before the newest packet, where that began anew"""

    def shift_seconds(self, decoded: float | None) -> float:
        """By how much later the next packet is, whose own time of decoding is given, than it says."""
        if decoded is None:
            return self._shift
        if self._before and 0 < decoded + self._before[0] - self._before[1] <= STRAY_SECONDS:
            self._shift, self._last = self._before  # it strayed alone
        self._before = None
        step = decoded + self._shift - self._last if self._last is not None else 0.0
        if self._last is not None and step < -MAX_DISORDER_SECONDS:
            self._before = self._shift, self._last
            self._shift += self._step - step
        elif step > 0:
            self._step = min(step, LONGEST_STEP_SECONDS)
        self._last = decoded + self._shift
        return self._shift


@dataclass(frozen=True, slots=True)
class Stamped:
    """A live source's packet: what its timestamp says, when it came, and what its time was taken to be."""

    stamp: float
    at: float
    seconds: float

    def leap_seconds(self, stamp: float, at: float) -> float:
        """By how much more, or less, than time a later packet's timestamp went on; 0 where that is not too much."""
        passed = at - self.at
        leap = stamp - self.stamp - passed
        return leap if abs(leap) > max(MAX_LEAP_SECONDS, MAX_LEAP_STEPS * passed) else 0.0


class StampRate:
    """Notices that a live source's timestamps run much quicker or slower than time, or no longer do.

    Of each span the packet that came quickest counts, and several spans must agree: what the network holds back and
    brings at once, or a server sends ahead at first, is no other rate.
    """

    def __init__(self) -> None:
        self.is_wrong = False
        self._began_at = 0.0
        self._num_packets = 0
        self._quickest = self._former = (-math.inf, 0.0)
        """timestamp and time of arrival; that of the span before"""
        self._drift, self._num_off, self._num_right = 0.0, 0, 0

    def saw(self, stamp: float, at: float) -> None:
        """A packet came, whose timestamp may be true."""
        if not self._num_packets:
            self._began_at, self._quickest = at, (stamp, at)
        self._num_packets += 1
        self._quickest = max(self._quickest, (stamp, at), key=lambda seen: seen[0] - seen[1])
        if self._num_packets >= RATE_PACKETS and at - self._began_at >= RATE_SECONDS:
            (stamp, at), (former, former_at) = self._quickest, self._former
            self._former, self._num_packets = self._quickest, 0
            if former > -math.inf:
                self._judge(stamp - former, at - former_at)

    def _judge(self, advanced: float, passed: float) -> None:
        drift = advanced - passed
        if passed / MAX_RATE <= advanced <= passed * MAX_RATE or abs(drift) < LEAST_DRIFT_SECONDS:
            self._drift, self._num_off, self._num_right = 0.0, 0, self._num_right + 1
            self.is_wrong = self.is_wrong and self._num_right < NUM_SPANS
            return
        if drift * self._drift < 0:
            self._drift, self._num_off = 0.0, 0
        self._drift, self._num_off, self._num_right = self._drift + drift, self._num_off + 1, 0
        self.is_wrong |= self._num_off >= NUM_SPANS and abs(self._drift) >= MAX_DRIFT_SECONDS


class ArrivalClock:
    """Corrects a live source's timestamps by when its packets arrive; those that can be true stay as they are.

    Timestamps that stand still, or run at a wrong rate, are replaced by times of arrival. One that leaps, forward or
    back, by more than 5 s while time does not, is replaced, too; where those that follow go on from there, it was the
    camera's clock that was set, and they are shifted. Forward leaps that only make up for time in which nothing came
    are gaps, and true.
    """

    def __init__(self) -> None:
        self._shift = 0.0
        self._last: Stamped | None = None
        """the newest packet that was believed"""
        self._stray: Stamped | None = None
        """the newest packet, where it was not"""
        self._lead: float = -math.inf
        """the most by which a packet was ever ahead of time, in `seconds` - `at`"""
        self._num_still = 0
        self._rate = StampRate()

    def seconds(self, stamp: float | None, at: float) -> float | None:
        """The time of the next packet in decoding order, that arrived `at`, on a clock that only runs forward.

        `stamp` is its own, None where it has none; then nothing is known of it here either, unless the clock of the
        source stands still, or runs at a wrong rate.
        """
        last, is_useless = self._last, self._num_still >= NUM_STILL or self._rate.is_wrong
        if stamp is None:
            return last.seconds + at - last.at if last and is_useless else None
        if last is None:
            return self._believed(stamp, at)
        if stamp == last.stamp:
            self._num_still += 1
            return last.seconds + (at - last.at if is_useless else 0.0)
        if is_useless:
            self._shift = last.seconds + at - last.at - stamp
        elif not self._is_true(last, stamp, at):
            return self._strayed(last, stamp, at)
        return self._believed(stamp, at)

    def _is_true(self, last: Stamped, stamp: float, at: float) -> bool:
        """A timestamp may lag behind, as long as it does not fall back, and catch up: the network was slow."""
        leap = last.leap_seconds(stamp, at)
        if leap > 0:
            return stamp + self._shift - at <= self._lead + MAX_LEAP_SECONDS
        return not leap or stamp >= last.stamp

    def _strayed(self, last: Stamped, stamp: float, at: float) -> float:
        stray = self._stray
        if stray and not stray.leap_seconds(stamp, at):
            self._shift = stray.seconds - stray.stamp
            return self._believed(stamp, at)
        self._stray = Stamped(stamp, at, last.seconds + at - last.at)
        return self._stray.seconds

    def _believed(self, stamp: float, at: float) -> float:
        seconds = stamp + self._shift
        self._last, self._stray, self._num_still = Stamped(stamp, at, seconds), None, 0
        self._lead = max(self._lead, seconds - at)
        self._rate.saw(stamp, at)
        return seconds


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
