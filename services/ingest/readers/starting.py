"""Starts reader processes, not too many at once, and starts anew the process that they are forked from if it dies."""

import errno
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Final

from services.ingest.readers.gate import Gate
from services.ingest.readers.nursery import REQUEST, STATUS
from services.ingest.readers.reader import ReadJob
from services.ingest.readers.reader_process import ReaderProcess, is_told
from shared.errors import ReaderLost
from shared.waiting import Stopped

PATIENCE_SECONDS: Final = 60.0
"""How long a start may take: the first one imports everything, on a machine that may be busy."""
STEP_SECONDS: Final = 0.25
POLL_SECONDS: Final = 0.01
END_SECONDS: Final = 5.0
COMMAND: Final = "import sys; sys.path[:] = {path!r}; from services.ingest.readers.nursery import serve; serve({fd})"
REASONS: Final = {
    errno.EAGAIN: "this machine lets no more processes start",
    errno.ENOMEM: "this machine has no memory for one more process",
    errno.EMFILE: "this process may not open more files",
    errno.ENFILE: "this machine has no more files to open",
}
LOST: Final = "the process that starts readers has ended"

logger = logging.getLogger(__name__)


def lost(err: OSError) -> ReaderLost:
    """Why this machine does not start a reader."""
    return ReaderLost(REASONS.get(err.errno or 0, f"this machine starts no reader: {err.strerror}"))


class Starter:
    """Starts readers for all threads of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gate = Gate()
        self._nursery: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self, job: ReadJob, stop: threading.Event) -> tuple[ReaderProcess, Connection]:
        """A reader at work, once it is its turn.

        Raises ReaderLost where this machine starts none, Stopped once `stop` is set.
        """
        self._await_turn(stop, is_retry=job.is_retry)
        try:
            started = self._connected(job, stop)
        except (OSError, ReaderLost) as err:
            with self._lock:
                self._gate.refused(time.monotonic())
            raise lost(err) if isinstance(err, OSError) else err from err
        finally:
            with self._lock:
                self._gate.answered()
        with self._lock:
            self._gate.started()
        return started

    def close(self) -> None:
        """Ends what readers are forked from, and them."""
        if self._control:
            self._control.close()
            self._control = None
        if self._nursery:
            _lives(self._nursery, END_SECONDS)
            self._nursery = None

    def _await_turn(self, stop: threading.Event, *, is_retry: bool = False) -> None:
        while True:
            with self._lock:
                queue = self._gate.queue(now := time.monotonic(), is_retry=is_retry)
                at = queue.turn(now)
            if stop.wait(max(0.0, at - now)):
                with self._lock:
                    queue.left(time.monotonic())
                raise Stopped
            with self._lock:
                if self._gate.enters(time.monotonic(), is_retry=is_retry):
                    return

    def _connected(self, job: ReadJob, stop: threading.Event) -> tuple[ReaderProcess, Connection]:
        """A reader that has its job; raises what `_pid` does."""
        with ExitStack() as on_failure:
            ours, theirs = Pipe()
            on_failure.callback(ours.close)
            with theirs:
                status_fd, told_fd = os.pipe()
                on_failure.callback(os.close, status_fd)
                try:
                    with self._lock:
                        socket.send_fds(self._line(), [REQUEST], [told_fd, theirs.fileno()])
                        nursery = self._nursery
                finally:
                    os.close(told_fd)
            process = ReaderProcess(_pid(status_fd, nursery, stop), status_fd)
            ours.send(job)
            on_failure.pop_all()
        return process, ours

    def _line(self) -> socket.socket:
        """The line to the nursery, which is started if there is none."""
        if self._nursery and self._nursery.poll() is not None:
            logger.warning("%s (%d): starting it anew", LOST, self._nursery.returncode)
            self.close()
        if self._control is None:
            ours, theirs = socket.socketpair()
            try:
                with theirs:
                    self._nursery = _nursery(theirs.fileno())
            except BaseException:
                ours.close()
                raise
            ours.settimeout(0)  # with hundreds of requests in it, one more is refused
            self._control = ours
        return self._control


def _lives(process: subprocess.Popen[bytes], wait_seconds: float) -> bool:
    """Whether it does so after a while; subprocess' own waiting sleeps by a clock that may be set."""
    deadline, never = time.monotonic() + wait_seconds, threading.Event()
    while (lives := process.poll() is None) and time.monotonic() < deadline:
        never.wait(POLL_SECONDS)
    return lives


def _nursery(control_fd: int) -> subprocess.Popen[bytes]:
    code = COMMAND.format(path=sys.path, fd=control_fd)
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.DEVNULL, pass_fds=[control_fd])


def _pid(status_fd: int, nursery: subprocess.Popen[bytes] | None, stop: threading.Event) -> int:
    """What the nursery answers; raises ReaderLost, Stopped or the OSError that it met.

    A nursery that does not answer is ended: the next start begins with a new one.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_told(status_fd, STEP_SECONDS):
        if stop.is_set():
            raise Stopped
        if time.monotonic() > deadline:
            if nursery:
                nursery.kill()
            raise ReaderLost(f"no reader started within {PATIENCE_SECONDS:g} s")
    told = os.read(status_fd, STATUS.size)
    if not told:
        if nursery and _lives(nursery, STEP_SECONDS):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))  # not even this line had room there
        raise ReaderLost(LOST)
    [pid] = STATUS.unpack(told)
    if pid < 0:
        raise OSError(-pid, os.strerror(-pid))
    return int(pid)
