"""When a source that failed is tried again. Pure policy."""

import random
from dataclasses import dataclass
from typing import Final

from shared.errors import SourceCrashed, SourceFailed
from shared.streams import StreamState
from shared.waiting import Backoff

HEALTHY_SECONDS: Final = 60.0
MAX_CRASHES: Final = 5
SLOW_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Retry:
    """How a stream stands until its next attempt, and how long that is."""

    state: StreamState
    seconds: float


class Attempts:
    """Counts a source's attempts in a row.

    After a failure the next one comes in half a second to half a minute, each time later. A source that ended its
    reader five times in a row has failed, and is tried again every five minutes. A healthy minute forgives everything.
    """

    def __init__(self) -> None:
        self._backoff = Backoff()
        self._num_crashes = 0
        self._live_since: float | None = None

    def live(self, now: float) -> None:
        """A picture came, at `now` on a clock that only runs forward, in seconds."""
        if self._live_since is None:
            self._live_since = now

    def failed(self, err: SourceFailed, now: float) -> Retry:
        """The attempt is over."""
        if self._live_since is not None and now - self._live_since >= HEALTHY_SECONDS:
            self._backoff.reset()
            self._num_crashes = 0
        self._live_since = None
        self._num_crashes = self._num_crashes + 1 if isinstance(err, SourceCrashed) else 0
        if self._num_crashes >= MAX_CRASHES:
            return Retry(StreamState.FAILED, random.uniform(0.8, 1.2) * SLOW_SECONDS)
        return Retry(StreamState.WAITING, self._backoff.next_seconds())
