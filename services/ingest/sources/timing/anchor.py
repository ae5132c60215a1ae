"""When a source's time began by ours, as the quickest of what it sent lately tells; pure policy."""

import math
from typing import Final

FURTHEST_APART_SECONDS: Final = 2.0
"""By so much both clocks may part before the source's is anchored anew; what is less is made up for slowly."""
SLEW: Final = 0.02
DRIFT_SECONDS: Final = 30.0
"""So long everything must be late, by the source's own time, before that is drift..."""
STOOD_STILL_SECONDS: Final = 3.0
NUM_JUDGED: Final = 5
CATCHES_UP_SECONDS: Final = 0.1
"""...or, where it is so by more than may be, before the source itself stood still: so long, and so many pictures, none
of which catches up by more. What a network held back comes at once, or nearly, once it comes."""
STALLS_SECONDS: Final = 1.5
"""What comes so much later than others of its span was held back anew."""
MAX_EARLY_SECONDS: Final = 5.0


class Anchor:
    """When a source's time began, in seconds of ours: nothing comes before it was taken, so it can only be late.

    What comes sooner than anything before, by more than `slack_seconds`, moves it at once. What comes later leaves it
    where it is as long as that may be the network's doing: what a stall held back catches up. Where it does not, the
    anchor follows.
    """

    def __init__(self, slack_seconds: float = 0.0) -> None:
        self._slack_seconds = slack_seconds
        self.num_anchored = 0
        """how often it was set because both clocks had parted, the first time included"""
        self._began_at: float | None = None
        self._seconds = 0.0

    def late_seconds(self, seconds: float, now: float) -> float:
        """By how much too late something comes that is at `seconds` of the source; negative within the slack."""
        began_at = now - seconds
        passed, self._seconds = seconds - self._seconds, seconds
        if self._began_at is None or passed < -FURTHEST_APART_SECONDS:
            self.num_anchored += 1
            return self._set(began_at)
        if began_at < self._began_at - self._slack_seconds:
            return self._set(began_at)
        if began_at <= self._began_at:
            self._watch(math.inf)
            return began_at - self._began_at
        self._began_at = max(self._began_at, min(self._drifts_to, self._began_at + SLEW * passed, began_at))
        if self._is_apart(began_at, self._began_at):
            self.num_anchored += 1
            self._set(self._quickest)
        return began_at - self._began_at

    def _set(self, began_at: float) -> float:
        self._began_at = self._drifts_to = began_at
        self._watch(math.inf)
        return 0.0

    def _watch(self, began_at: float) -> None:
        """Begins a span of lateness, of which the quickest counts."""
        self._first, self._first_seconds = began_at, self._seconds
        self._quickest, self._num_seen = began_at, 0

    def _is_apart(self, began_at: float, anchored_at: float) -> bool:
        """Whether all was too late for so long that the anchor must follow at once; notes where it drifts to."""
        if not -CATCHES_UP_SECONDS <= began_at - self._first <= STALLS_SECONDS:
            self._watch(began_at)
        self._quickest = min(self._quickest, began_at)
        self._num_seen += 1
        passed = self._seconds - self._first_seconds
        if passed >= STOOD_STILL_SECONDS and self._num_seen >= NUM_JUDGED:
            if self._quickest - anchored_at > FURTHEST_APART_SECONDS:
                return True
            if passed >= DRIFT_SECONDS:
                self._drifts_to = self._quickest
                self._watch(math.inf)
        return False


class Pace:
    """Says how much too early a packet is, by its own time since the first: HLS comes in segments, a recording as fast
    as the network goes.

    What is late is made up for at once, unless it stays late; where the times jump, counting begins anew.
    """

    def __init__(self) -> None:
        self._anchor = Anchor(MAX_EARLY_SECONDS)
        self._bare_seconds: float | None = 0.0

    def of_bare(self, seconds: float | None, frame_seconds: float) -> float | None:
        """A packet's time; of a bare stream of a codec, in which none has one, by its number."""
        if seconds is not None or self._bare_seconds is None:
            self._bare_seconds = None
            return seconds
        self._bare_seconds += frame_seconds
        return self._bare_seconds - frame_seconds

    def early_seconds(self, media_seconds: float, now: float) -> float:
        """How long to wait at `now`, on a clock that only runs forward; 5 s at most."""
        return max(0.0, -self._anchor.late_seconds(media_seconds, now))
