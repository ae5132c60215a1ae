"""When a file's frames are due: as quick as inference goes, or as a clock would; once or without end."""

import threading
import time

from services.ingest.captures.account import Account
from services.ingest.readers.messages import Picture
from services.ingest.sources.decoding.sampler import first_point_after, point_time_ms
from shared.clock import now_ms
from shared.streams import StreamSpec
from shared.waiting import pause


class FileTimes:
    """A file's frames, after the last one that was published.

    A file that is played again takes up where it was left; a looped one begins a new pass, one grid step later.
    """

    def __init__(self, spec: StreamSpec, account: Account, stop: threading.Event) -> None:
        self._spec = spec
        self._account = account
        self._stop = stop
        self._pacer: Pacer | None = None
        self._pass_begins = 0

    def begin(self) -> int:
        """Before each opening but those of further passes; the first point of the grid that is wanted."""
        self._pacer = Pacer(self._stop) if self._spec.pace == "live" else None
        first = self._first_point()
        self._pass_begins, skipped = (first, 0) if self._spec.loop else (0, first)
        return skipped

    def begin_pass(self) -> int:
        """Before a further pass of a looped file; the first point of the grid that is wanted."""
        self._pass_begins = self._first_point()
        return 0

    def _first_point(self) -> int:
        return first_point_after(self._account.last_ms, self._spec.base_ms, self._spec.fps)

    def of(self, picture: Picture) -> tuple[int, int]:
        """Waits until a picture is due; its time, and when it was due, on the wall clock in ms. Raises Stopped."""
        captured_at_ms = point_time_ms(self._spec.base_ms, self._pass_begins + picture.point, self._spec.fps)
        due_at_ms = self._pacer.wait_until_due(captured_at_ms) if self._pacer else picture.decoded_at_ms
        return captured_at_ms, due_at_ms


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
