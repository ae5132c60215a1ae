"""Plays a file: as quick as inference goes, or as a clock would; once or without end."""

import threading
import time

from services.ingest.captures.outlet import Outlet
from services.ingest.sources.decoding.sampler import first_point_after, point_time_ms
from shared.clock import now_ms
from shared.streams import StreamSpec
from shared.waiting import pause


def play(spec: StreamSpec, outlet: Outlet, stop: threading.Event) -> None:
    """Publishes the file's frames after the outlet's last one, then returns; raises SourceFailed or Stopped.

    A file that is played again takes up where it was left; a looped one begins a new pass, one grid step later.
    """
    pacer = Pacer(stop) if spec.pace == "live" else None
    first = first_point_after(outlet.last_ms, spec.base_ms, spec.fps)
    pass_begins, skipped = (first, 0) if spec.loop else (0, first)
    outlet.skip_to(skipped)
    while True:
        with outlet.opened() as source:
            for picture in source.pictures():
                captured_at_ms = point_time_ms(spec.base_ms, pass_begins + picture.point, spec.fps)
                due_at_ms = pacer.wait_until_due(captured_at_ms) if pacer else picture.decoded_at_ms
                outlet.send(picture, captured_at_ms, due_at_ms)
        if not spec.loop:
            return
        pass_begins = first_point_after(outlet.last_ms, spec.base_ms, spec.fps)


class Pacer:
    """Says when frames are due: the first at once, every other as much later as its time says."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._started: tuple[int, float] | None = None

    def wait_until_due(self, captured_at_ms: int) -> int:
        """Waits for a frame's turn and returns its wall-clock time in ms, which lies back where it is late."""
        now = time.monotonic()
        if self._started is None:
            self._started = captured_at_ms, now
        first_ms, began = self._started
        early = began + (captured_at_ms - first_ms) / 1000 - now
        due_at_ms = now_ms() + round(early * 1000)
        if early > 0:
            pause(self._stop, early)
        return due_at_ms
