"""When a source that failed is tried again. Pure policy."""

import random
from dataclasses import dataclass
from typing import Final

from shared.errors import SourceAbsent, SourceCrashed, SourceFailed, SourceSilent
from shared.streams import StreamState
from shared.waiting import Backoff

HEALTHY_SECONDS: Final = 60.0
MAX_CRASHES: Final = 5
FEW_PICTURES: Final = 3
MAX_PATIENCE: Final = 8
SLOW_SECONDS: Final = 300.0
ABSENT_SECONDS: Final = 3_600.0
"""How long a file that is played once may be away, or unfinished."""
FIRST_ABSENT_SECONDS: Final = 3.0
ABSENT_SHARE: Final = 0.25
"""Of the time that a file has been away passes until it is looked for again: 3 s at first, 5 minutes after 20."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How a stream stands until its next attempt, and how long that is; None where there will be none."""

    state: StreamState
    seconds: float | None


class Attempts:
    """Counts a source's attempts in a row.

    After a failure the next one comes in half a second to half a minute, each time later. A source that ended its
    reader, or met a defect of ours, five times in a row has failed, and is tried again every five minutes. A healthy
    minute forgives everything.

    A file that is not there is tried again after a quarter of the time that it has been away, and so is one that is
    there and gives nothing, which counts as failed meanwhile. One that `ends` is given up then, and when it has been
    away for an hour, or has ended five readers.
    """

    def __init__(self, *, is_file: bool = False, ends: bool = False) -> None:
        self._is_file = is_file
        self._ends = ends
        self._backoff = Backoff()
        self._num_crashes = 0
        self._live_since: float | None = None
        self._away_since: float | None = None
        self._num_pictures = 0
        self.patience = 1
        """how many times as long as usual the source may be silent, as it seems: it gives few pictures, far apart"""

    def live(self, now: float) -> None:
        """A picture came, at `now` on a clock that only runs forward, in seconds."""
        self._num_pictures += 1
        if self._live_since is None:
            self._live_since = now
            self._away_since = None

    def goes_on(self) -> bool:
        """Whether a source that must be opened anew may be at once, which is no failure then: it gave a picture."""
        gave_pictures, self._num_pictures = self._num_pictures > 0, 0
        return gave_pictures

    def failed(self, err: Exception, now: float) -> Retry:
        """The attempt is over; whatever is no SourceFailed is a defect of ours."""
        if self._live_since is not None and now - self._live_since >= HEALTHY_SECONDS:
            self._backoff.reset()
            self._num_crashes = 0
        self._live_since = None
        if isinstance(err, SourceSilent) and 0 < self._num_pictures <= FEW_PICTURES:
            self.patience = min(2 * self.patience, MAX_PATIENCE)
        self._num_pictures = 0
        if isinstance(err, SourceAbsent):
            return self._away(now, StreamState.WAITING)
        if self._is_file and type(err) is SourceFailed:
            return Retry(StreamState.FAILED, None) if self._ends else self._away(now, StreamState.FAILED)
        self._away_since = None
        if isinstance(err, SourceCrashed) or not isinstance(err, SourceFailed):
            self._num_crashes += 1
        else:
            self._num_crashes = 0
        if self._num_crashes >= MAX_CRASHES:
            return Retry(StreamState.FAILED, None if self._ends else random.uniform(0.8, 1.2) * SLOW_SECONDS)
        return Retry(StreamState.WAITING, self._backoff.next_seconds())

    def _away(self, now: float, state: StreamState) -> Retry:
        if self._away_since is None:
            self._away_since = now
        away_seconds = now - self._away_since
        if self._ends and away_seconds >= ABSENT_SECONDS:
            return Retry(StreamState.FAILED, None)
        seconds = min(max(FIRST_ABSENT_SECONDS, ABSENT_SHARE * away_seconds), SLOW_SECONDS)
        return Retry(state, random.uniform(0.8, 1.2) * seconds)
