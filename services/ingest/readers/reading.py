"""The service's side of a reader process: starts it, hears it, and ends it when it is silent for too long."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Final

from services.ingest.readers.messages import MAX_MESSAGE_BYTES, Message, Opened, Over, Picture, unpack
from services.ingest.readers.reader import LAST_SECONDS, ReadJob, read
from services.ingest.sources.decoding.tally import Tally
from services.ingest.sources.video import VideoInfo
from shared.errors import SourceCrashed, SourceFailed
from shared.waiting import Stopped

POLL_SECONDS: Final = 0.1
GRACE_SECONDS: Final = 0.5
"""A reader that gives up by itself says why; it has so much longer for that."""

_processes = get_context("forkserver")
_processes.set_forkserver_preload(["services.ingest.readers.reader"])  # a fork of what has imported all: 10 ms, not 500


def _unheard(_news: object) -> None:
    """Where nobody listens."""


@contextmanager
def reading(
    job: ReadJob,
    stop: threading.Event,
    observe: Callable[[Tally], None] = _unheard,
    changed: Callable[[VideoInfo], None] = _unheard,
) -> Iterator["Reading"]:
    """A source, opened and read by a process of its own that ends with the block.

    `observe` hears all counts, `changed` that the picture has another size. Raises SourceFailed with the reason,
    SourceCrashed where the process died or hung, Stopped once `stop` is set; and so does what is done with it.
    """
    ours, theirs = _processes.Pipe()
    process = _processes.Process(target=read, args=(job, theirs), name="reader", daemon=True)
    with ours:
        with theirs:
            process.start()
        source = Reading(process, ours, stop, job.options.stall_seconds, observe, changed)
        try:
            source.open()
            yield source
        finally:
            ours.close()
            process.join(LAST_SECONDS + GRACE_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()


class Reading:
    """What a reader process says; `reading` makes it. `info` is what the source says of itself."""

    info: VideoInfo

    def __init__(
        self,
        process: ForkServerProcess,
        connection: Connection,
        stop: threading.Event,
        stall_seconds: float,
        observe: Callable[[Tally], None],
        changed: Callable[[VideoInfo], None],
    ) -> None:
        self._process = process
        self._connection = connection
        self._stop = stop
        self._stall_seconds = stall_seconds
        self._observe = observe
        self._changed = changed

    def open(self) -> None:
        """Waits until the source is open."""
        message = self._next()
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
                    self._changed(info)
                case Picture():
                    yield message
                case Over(_, reason):
                    if reason:
                        raise SourceFailed(reason)
                    return

    def _next(self) -> Message:
        message = unpack(self._receive())
        if not isinstance(message, Opened):
            self._observe(message.tally)
        return message

    def _receive(self) -> bytes:
        """The next message; the time that passes before it is asked for does not count as silence."""
        deadline = time.monotonic() + self._stall_seconds + GRACE_SECONDS
        try:
            while not self._is_told():
                if time.monotonic() >= deadline:
                    self._process.kill()
                    raise SourceCrashed(f"no sign of life for {self._stall_seconds:g} s: its reader was ended")
            return self._connection.recv_bytes(MAX_MESSAGE_BYTES)
        except (EOFError, OSError) as err:
            raise SourceCrashed(self._how_it_ended()) from err

    def _is_told(self) -> bool:
        """Whether a message has come; raises Stopped however quickly they come."""
        if self._stop.is_set():
            raise Stopped
        return self._connection.poll(POLL_SECONDS)

    def _how_it_ended(self) -> str:
        self._process.join(GRACE_SECONDS)
        code = self._process.exitcode
        if code is not None and code < 0:
            return f"the decoder crashed ({signal.Signals(-code).name})"
        return "its reader ended without a word"
