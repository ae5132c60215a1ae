"""How late frames are committed: by which clock, how often, and an example of each bucket of the histogram."""

import math
import time
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

from shared.clock import ClockSteps

LATENCY_BUCKETS = (0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30, 60, 300)
Bucket = tuple[str, float] | tuple[str, float, Exemplar]
"""Upper bound, how many lie below it, and an example of them, if there is one."""
REMEMBERED_MS: Final = 120_000
"""A frame of a live stream waits no longer: its queue is full by then."""


class Lateness:
    """How late a frame is committed, though the clock that it was dated by was set meanwhile: pure policy.

    Looks at this host's clock from time to time, and remembers for two minutes that it was set.

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
        if not self._step_ms:
            return max(0, late_ms) / 1000
        return min((each for each in (late_ms, late_ms - self._step_ms) if each >= 0), default=0.0) / 1000


class Latencies(Collector):
    """A histogram of how late frames are committed, for each pace; a batch's are noted in one go.

    Of each bucket it keeps the newest frame that was traced.
    """

    def __init__(self) -> None:
        self._bounds = np.array(LATENCY_BUCKETS)
        self._by_pace: dict[str, tuple[NDArray[np.int64], float]] = {}
        self._examples: dict[tuple[str, int], Exemplar] = {}
        """Pace, bucket → the one there."""

    def note(self, pace: str, seconds: Sequence[float]) -> None:
        """Frames were committed so late. For one thread."""
        size = len(LATENCY_BUCKETS) + 1
        counts, total = self._by_pace.get(pace, (np.zeros(size, np.int64), 0.0))
        places = self._bounds.searchsorted(seconds)
        self._by_pace[pace] = counts + np.bincount(places, minlength=size), total + sum(seconds)

    def note_traced(self, pace: str, seconds: float, trace_id: str) -> None:
        """One of those that were noted was traced. For the same thread."""
        example = Exemplar({"trace_id": trace_id}, seconds, time.time())
        self._examples[pace, int(self._bounds.searchsorted(seconds))] = example

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """One histogram a pace."""
        family = HistogramMetricFamily(
            "afterimage_decode_to_commit_seconds",
            "From the decoder (for a file that is played live: from when a frame was due) to the commit",
            labels=["pace"],
        )
        for pace, (counts, total) in list(self._by_pace.items()):
            counted = np.cumsum(counts).tolist()
            buckets: list[Bucket] = []
            bounds = map(floatToGoString, (*LATENCY_BUCKETS, math.inf))
            for place, pair in enumerate(zip(bounds, counted, strict=True)):
                example = self._examples.get((pace, place))
                buckets.append((*pair, example) if example else pair)
            family.add_metric([pace], buckets, total)
        return [family]
