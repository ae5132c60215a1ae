"""Which frames are traced: one in so many of all that this process publishes."""

import random
import threading

from shared.entries import Frame
from shared.tracing.spans import StageSpan, Tracer


class OneIn:
    """Says of exactly one in each `every` turns, drawn anew each time, that it is the one; for any thread.

    Were it always the same, streams that take turns would be traced always or never.
    """

    def __init__(self, every: int, dice: random.Random | None = None) -> None:
        self._every = every
        self._dice = dice or random.Random()
        self._lock = threading.Lock()
        self._turn = self._chosen = 0

    def take(self) -> bool:
        """Whether this turn is it."""
        with self._lock:
            if self._turn == 0:
                self._chosen = self._dice.randrange(self._every)
            is_it = self._turn == self._chosen
            self._turn = (self._turn + 1) % self._every
        return is_it


class FrameTraces:
    """Begins the traces of all streams of the process."""

    def __init__(self, tracer: Tracer, every: int) -> None:
        self._tracer = tracer
        self._turns = OneIn(every)

    def begin(self, stream_id: str, frame: Frame) -> StageSpan | None:
        """The span of a frame's way into the queue, where it is to be traced."""
        if not self._turns.take():
            return None
        return self._tracer.begin("ingest.publish", told={"stream_id": stream_id, "frame_ms": frame.captured_at_ms})
