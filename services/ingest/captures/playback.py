"""Files: when their frames are due, and whether one that gives nothing may yet come."""

import os
import stat
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.ingest.captures.account import Account
from services.ingest.readers.messages import Picture
from services.ingest.readers.starting import REASONS, lost
from services.ingest.sources.decoding.sampler import first_point_after, point_time_ms
from shared.clock import now_ms, wall_offset_ms
from shared.errors import SourceAbsent, SourceFailed
from shared.streams import StreamSpec
from shared.waiting import pause

QUIET_SECONDS: Final = 3.0
"""A file is finished once nobody has written to it for so long."""
LOOK_SECONDS: Final = 0.5
LOOKOUT_SECONDS: Final = 5.0
LOOKOUT_FOR_SECONDS: Final = 3_600.0


Signature = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A file that gave nothing, and as what it was seen then; None: not at all."""

    path: Path
    signature: Signature | None


class FileTimes:
    """A file's frames, after the last one that was published.

    A file that is played again takes up where it was left; a looped one begins a new pass, one grid step later, or now
    where it is live and was not played for a while.
    """

    def __init__(self, spec: StreamSpec, account: Account, stop: threading.Event) -> None:
        self._spec = spec
        self._account = account
        self._stop = stop
        self._pacer: Pacer | None = None
        self._pass_begins = 0
        self._has_begun = account.last_ms > 0

    def begin(self) -> int:
        """Before each opening but those of further passes; the first point of the grid that is wanted."""
        is_live, loops = self._spec.pace == "live", self._spec.loop
        self._pacer = Pacer(self._stop) if is_live else None
        first = self._first_point(now_ms() if is_live and loops and self._has_begun else 0)
        self._has_begun = True
        self._pass_begins, skipped = (first, 0) if loops else (0, first)
        return skipped

    def begin_pass(self) -> int:
        """Before a further pass of a looped file; the first point of the grid that is wanted."""
        self._pass_begins = self._first_point()
        return 0

    def _first_point(self, from_ms: int = 0) -> int:
        """The first that lies neither before a time nor among those that were published."""
        return first_point_after(max(self._account.last_ms, from_ms - 1), self._spec.base_ms, self._spec.fps)

    def of(self, picture: Picture) -> tuple[int, int]:
        """Waits until a picture is due; its time, and when it was due, on the wall clock in ms. Raises Stopped."""
        captured_at_ms = point_time_ms(self._spec.base_ms, self._pass_begins + picture.point, self._spec.fps)
        due_at_ms = (
            self._pacer.wait_until_due(captured_at_ms) if self._pacer else picture.decoded_at_ms + wall_offset_ms()
        )
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


class FileWatch:
    """Tells a file that may yet come, or go on, from one that is damaged, or has ended.

    One that is still being written changes while it is read, or in the 3 seconds after it was last written to.
    """

    def __init__(self, location: str, stop: threading.Event) -> None:
        self._path = Path(location)
        self._stop = stop
        self._seen: Signature | None = None
        self._was_file = False

    @property
    def given_up(self) -> "GivenUp":
        """The file as it was when it was last opened."""
        return GivenUp(self._path, self._seen)

    def look(self) -> None:
        """Before the file is opened: raises SourceAbsent where it cannot be now, SourceFailed where it is no file.

        What was a file once may have become something else: its reader finds out.
        """
        found = self._stat()
        is_file = stat.S_ISREG(found.st_mode)
        self._seen = _signature(found)
        if not (is_file or self._was_file):
            is_folder = stat.S_ISDIR(found.st_mode)
            raise SourceFailed("is a directory; give one video file" if is_folder else "not a regular file")
        try:
            if is_file:
                self._path.open("rb").close()
        except OSError as err:
            raise _unreadable(err) from err
        self._was_file = True

    def goes_on(self) -> bool:
        """Whether more was written to it since it was opened; raises Stopped."""
        with suppress(SourceAbsent):
            return self._is_unfinished()
        return False  # whoever deleted it wanted no more of it

    def judged(self, err: SourceFailed) -> SourceFailed:
        """The error of a reader, or SourceAbsent where that may be for want of a whole file; raises Stopped."""
        try:
            is_unfinished = self._was_file and self._is_unfinished()
        except SourceFailed as found:
            return found
        return SourceAbsent(f"{err} (it is still being written)") if is_unfinished else err

    def _is_unfinished(self) -> bool:
        while _signature(found := self._stat()) == self._seen:
            left = QUIET_SECONDS - abs(time.time() - found.st_mtime)
            if left <= 0:
                return False
            pause(self._stop, min(left, LOOK_SECONDS))
        return True

    def _stat(self) -> os.stat_result:
        try:
            return self._path.stat()
        except OSError as err:
            raise _unreadable(err) from err


class Lookout:
    """Looks after files that were given up, for an hour: one that has changed may be whole by now.

    It has a thread of its own, since a share that is away may hold it up.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, tuple[GivenUp, float]] = {}
        self._changed: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        """Looks every few seconds until `stop` is set."""
        while not stop.wait(LOOKOUT_SECONDS):
            self.look(time.monotonic())

    def note(self, stream_id: str, file: GivenUp, now: float) -> None:
        """A stream's file was given up at `now`, on a clock that only runs forward, in seconds."""
        with self._lock:
            self._files[stream_id] = file, now

    def forget(self, stream_id: str) -> None:
        """The stream is gone, or plays something else."""
        with self._lock:
            self._files.pop(stream_id, None)

    def look(self, now: float) -> None:
        """Finds those that have changed, and lets go of those that have not for an hour."""
        with self._lock:
            files = dict(self._files)
        for stream_id, (file, since) in files.items():
            has_changed = _signature_at(file.path) != file.signature
            if has_changed or now - since >= LOOKOUT_FOR_SECONDS:
                self.forget(stream_id)
            if has_changed:
                self._changed.add(stream_id)

    def take(self) -> list[str]:
        """The streams whose file has changed since the last call."""
        taken = list(self._changed)
        self._changed.difference_update(taken)
        return taken


def _signature_at(path: Path) -> Signature | None:
    try:
        return _signature(path.stat())
    except OSError:
        return None


def _unreadable(err: OSError) -> SourceFailed:
    if err.errno in REASONS:
        return lost(err)
    return SourceAbsent("no such file" if isinstance(err, FileNotFoundError) else err.strerror or "cannot be read")


def _signature(found: os.stat_result) -> Signature:
    """What changes with a file; of what is none, it changes as something else takes its place."""
    if not stat.S_ISREG(found.st_mode):
        return found.st_ino, -1, -1
    return found.st_ino, found.st_size, found.st_mtime_ns
