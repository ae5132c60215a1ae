"""When a camera's pictures were taken, whatever happens to its clock and to ours."""

import threading
from typing import Final

from services.ingest.captures.account import Account
from services.ingest.readers.messages import Picture
from services.ingest.sources.timing.anchor import Anchor
from shared.clock import STEP_MS, ClockSteps, wall_offset_ms
from shared.streams import StreamSpec

SLEW: Final = 0.02
"""By how much a stream's time runs faster or slower than time, until it agrees with the host's clock again."""
FAR_MS: Final = 86_400_000.0
"""A host's clock that is set forward by more than a day had never been set: it is followed at once. One that was ahead
by more than that would be agreed with again in months: that is not tried."""
LONG_MS: Final = 3_600_000.0
MOST_GLIDE_MS: Final = 250.0
"""What comes sooner than anything before shows that all that was late, as a busy machine sees the first pictures: by up
to so much dates then run ahead of arrivals, and SLEW slower until they no longer do. A burst is dated back."""
NEWS_MS: Final = 60_000
FURTHEST_STEP_MS: Final = 1_000.0
"""Where a host's clock is behind, the first frame follows the last by a step of the grid, but by no more than this."""


class StreamClock:
    """A stream's own time: that of the host's clock, but for a while after that was set.

    Frames are identified by their times, so these must rise, and what happens is told by their distances. Between two
    frames passes as much time as on the steady clock, give or take 2 % while the host's clock says otherwise. A clock
    that is set back by 40 s has the stream ahead of it, and agrees with it again half an hour later. One that is set
    forward has it behind, until the source is opened anew after more than `gap_ms`: then the memory of what was is
    reset anyway.

    `last_ms` is when another process's last frame was, maybe by a host whose clock is ahead. Pure policy.
    """

    def __init__(self, last_ms: int, step_ms: float, gap_ms: float) -> None:
        self._last_ms = last_ms
        self._ms = float(last_ms)
        self._step_ms = step_ms
        self._gap_ms = gap_ms
        self._steady_ms: float | None = None
        self._is_new = True
        self.ahead_ms = 0.0
        """how far the last frame's time lies ahead of the host's clock, as that was set then"""

    def begin(self) -> None:
        """The source is opened anew."""
        self._is_new = True

    def date(self, taken_ms: float, offset_ms: float) -> int:
        """The time of a picture that was taken at `taken_ms` on the steady clock, which is `offset_ms` behind the wall
        clock; later than the last one's."""
        wall_ms = taken_ms + offset_ms
        if self._steady_ms is None:
            self._ms = wall_ms if wall_ms > self._last_ms else self._ms + self._step_ms
            self._steady_ms = taken_ms
        else:
            step = max(0.0, taken_ms - self._steady_ms)
            behind_ms = wall_ms - (self._ms + step)
            if behind_ms > FAR_MS or (behind_ms > 0 and self._is_new and step > self._gap_ms):
                self._ms = wall_ms
            else:
                slew = SLEW * step if behind_ms >= -FAR_MS else 0.0
                self._ms += step + max(-slew, min(behind_ms, slew))
            self._steady_ms += step
        self._is_new = False
        self._last_ms = max(round(self._ms), self._last_ms + 1)
        self._ms = max(self._ms, float(self._last_ms) - 0.5)
        self.ahead_ms = self._ms - wall_ms
        return self._last_ms


class Glide:
    """When pictures were taken on the steady clock, as arrivals tell: what moves that a little moves it by and by."""

    def __init__(self) -> None:
        self._anchor = Anchor()
        self._num_anchored = 0
        self._last: tuple[float, float] | None = None
        """a picture's own seconds, and when it was taken as the anchor had it then"""
        self._ahead_ms = 0.0

    def taken_ms(self, media_seconds: float, arrived_at_ms: float) -> float:
        """When the next picture was taken; later than it arrived by MOST_GLIDE_MS at most."""
        at_ms = arrived_at_ms - 1000 * self._anchor.late_seconds(media_seconds, arrived_at_ms / 1000)
        if self._last is None or self._anchor.num_anchored != self._num_anchored:
            self._ahead_ms = 0.0
        else:
            step_ms = 1000 * (media_seconds - self._last[0])
            sooner_ms = max(0.0, self._last[1] + step_ms - at_ms)
            self._ahead_ms = max(0.0, min(self._ahead_ms + sooner_ms, MOST_GLIDE_MS) - SLEW * max(0.0, step_ms))
        self._num_anchored, self._last = self._anchor.num_anchored, (media_seconds, at_ms)
        return at_ms + self._ahead_ms


class CameraTimes:
    """A camera's frames: each has its picture's time, by the camera's clock and the stream's."""

    def __init__(self, spec: StreamSpec, account: Account) -> None:
        step_ms = min(1000 / spec.fps, FURTHEST_STEP_MS)
        self._stream_clock = StreamClock(account.last_ms, step_ms, 1000 * spec.reset_after_seconds)
        self._glide = Glide()

    def ahead_seconds(self) -> float:
        """How far the last frame's time lies ahead of the host's clock."""
        return self._stream_clock.ahead_ms / 1000

    def begin(self) -> int:
        """Before each opening; the first point of the grid that is wanted."""
        self._glide = Glide()
        self._stream_clock.begin()
        return 0

    def begin_pass(self) -> int:
        """Before a recording is played once more; the first point of the grid that is wanted."""
        return self.begin()

    def of(self, picture: Picture) -> tuple[int, int]:
        """When a picture was taken by the stream's time, and when it was decoded by the wall clock, in ms."""
        offset_ms = wall_offset_ms()
        taken_ms = self._glide.taken_ms(picture.media_seconds, picture.arrived_at_ms)
        return self._stream_clock.date(taken_ms, offset_ms), picture.decoded_at_ms + offset_ms


def outlook(ahead_ms: float) -> str:
    """What becomes of times that lie so far ahead of the host's clock, for the log, where that takes long."""
    if ahead_ms <= LONG_MS:
        return ""
    if ahead_ms > FAR_MS:
        return "; cameras' times stay ahead of it until they are registered anew"
    return f"; cameras' times agree with it again in {ahead_ms / SLEW / FAR_MS:.0f} days, or once registered anew"


class HostClock(ClockSteps):
    """Notices that this host's clock was set, and says what is worth a line in the log; all threads share it."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._told_at_ms: float | None = None

    def is_news(self, ahead_ms: float, steady_ms: float) -> bool:
        """Whether to tell that a stream which is taken up lies so far ahead: for the first of many, once a minute."""
        with self._lock:
            is_old = self._told_at_ms is not None and steady_ms - self._told_at_ms < NEWS_MS
            if ahead_ms <= STEP_MS or is_old:
                return False
            self._told_at_ms = steady_ms
            return True
