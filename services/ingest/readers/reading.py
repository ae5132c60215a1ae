"""The service's side of a reader process: starts it, hears it, and ends it when it is silent for too long."""

import atexit
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final

from services.ingest.readers.messages import (
    MAX_MESSAGE_BYTES,
    Counted,
    Marked,
    Message,
    Opened,
    Over,
    Picture,
    Waiting,
    unpack,
)
from services.ingest.readers.reader import LAST_SECONDS, ReadJob
from services.ingest.readers.reader_process import ReaderProcess
from services.ingest.readers.starting import LOST, Starter
from services.ingest.sources.decoding.tally import Tally
from services.ingest.sources.video import VideoInfo
from shared.errors import ReaderLost, SourceCrashed, SourceFailed
from shared.waiting import Stopped

POLL_SECONDS: Final = 0.1
STALLS: Final = 2
GRACE_SECONDS: Final = 2.0
"""A reader that lives gives a silent source up by itself, and says why: after `stall_seconds` from the last picture,
of which it need not have told, or from what came last of something else. One that says nothing for twice as long and
so much longer hangs."""
CLOSING_SECONDS: Final = LAST_SECONDS + 0.5
END_SECONDS: Final = 5.0
"""How long it may take until it is known how a reader ended that says no more: the machine may be busy."""

_starter = Starter()
atexit.register(_starter.close)


def _unheard(_news: object) -> None:
    """Where nobody listens."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who hears what a reader says beside its pictures."""

    counted: Callable[[Tally], None]
    changed: Callable[[VideoInfo], None]
    waiting: Callable[[str], None]
    marked: Callable[[str], None]


@contextmanager
def reading(
    job: ReadJob,
    stop: threading.Event,
    observe: Callable[[Tally], None] = _unheard,
    changed: Callable[[VideoInfo], None] = _unheard,
    waiting: Callable[[str], None] = _unheard,
    marked: Callable[[str], None] = _unheard,
) -> Iterator["Reading"]:
    """A source, opened and read by a process of its own that ends with the block.

    `observe` hears all counts, `changed` that the picture has another size or codec, `waiting` why a source that lives
    gives no picture, even before it is open, `marked` what the next job is to read `after`. Raises SourceFailed with
    the reason, SourceCrashed where the process died or hung, ReaderLost where this machine started none or lost it,
    Stopped once `stop` is set; and so does what is done with it.
    """
    process, ours = _starter.start(job, stop)
    with ours:
        listeners = Listeners(observe, changed, waiting, marked)
        source = Reading(process, ours, stop, job.options.stall_seconds, listeners)
        try:
            source.open()
            yield source
        finally:
            ours.close()
            process.end(CLOSING_SECONDS)


class Reading:
    """What a reader process says; `reading` makes it. `info` is what the source says of itself."""

    info: VideoInfo

    def __init__(
        self,
        process: ReaderProcess,
        connection: Connection,
        stop: threading.Event,
        stall_seconds: float,
        listeners: Listeners,
    ) -> None:
        self._process = process
        self._connection = connection
        self._stop = stop
        self._limit_seconds = STALLS * stall_seconds + GRACE_SECONDS
        self._hear = listeners
        self.remark: str | None = None
        """what is odd about the source's end, where it is no failure"""

    def open(self) -> None:
        """Waits until the source is open: as long as it lives, since one may tell its size with a late keyframe."""
        while isinstance(message := self._next(), Counted | Waiting):
            pass
        if not isinstance(message, Opened):
            raise SourceFailed((isinstance(message, Over) and message.reason) or "holds no pictures")
        self.info = message.info

    def pictures(self) -> Iterator[Picture]:
        """The sampled frames until the source ends."""
        while True:
            message = self._next()
            match message:
                case Opened(info):
                    self.info = info
                    self._hear.changed(info)
                case Marked(mark):
                    self._hear.marked(mark)
                case Picture():
                    yield message
                case Over(_, reason, kind, remark):
                    self.remark = remark
                    if reason:
                        raise kind(reason)
                    return

    def _next(self) -> Message:
        message = unpack(self._receive())
        if isinstance(message, Waiting):
            self._hear.waiting(message.reason)
        elif not isinstance(message, Opened | Marked):
            self._hear.counted(message.tally)
        return message

    def _receive(self) -> bytes:
        """The next message; the time that passes before it is asked for is no silence. Raises Stopped."""
        deadline = time.monotonic() + self._limit_seconds
        try:
            while True:
                if self._stop.is_set():  # however quickly they come
                    raise Stopped
                if self._connection.poll(POLL_SECONDS):
                    return self._connection.recv_bytes(MAX_MESSAGE_BYTES)
                if time.monotonic() >= deadline:
                    self._process.kill()
                    raise SourceCrashed(f"no sign of life for {self._limit_seconds:g} s: its reader was ended")
        except (EOFError, OSError) as err:
            raise self._how_it_ended() from err

    def _how_it_ended(self) -> SourceFailed:
        code = self._process.exit_code(END_SECONDS)
        if code is None and self._process.is_lost(0):
            return ReaderLost(LOST)
        if code is not None and code < 0:
            return SourceCrashed(f"the decoder crashed ({signal.Signals(-code).name})")
        return SourceCrashed("its reader ended without a word")
