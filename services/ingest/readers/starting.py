"""Starts reader processes, not too many at once, and starts anew the process that they are forked from if it dies."""

import errno
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Final

from services.ingest.readers.nursery import REQUEST, STATUS
from services.ingest.readers.reader import ReadJob
from shared.errors import ReaderLost
from shared.waiting import Backoff, Stopped

SPACING_SECONDS: Final = 0.02
"""Between two starts: opening a source takes some of a core, so what is to start at once starts one by one."""
PATIENCE_SECONDS: Final = 60.0
"""How long a start may take: the first one imports everything, on a machine that may be busy."""
STEP_SECONDS: Final = 0.25
UNKILLABLE_SECONDS: Final = 5.0
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


class Gate:
    """Says when the next reader may start; pure policy on a clock that only runs forward, in seconds.

    One each 20 ms. Once the machine refuses, nobody tries for half a second, and longer each time it refuses again: a
    limit that is reached is not run against by all streams.
    """

    def __init__(self) -> None:
        self._backoff = Backoff()
        self._next_at = 0.0
        self._closed_until = 0.0

    def turn(self, now: float) -> float:
        """When the caller may start, if the gate is open then."""
        at = max(now, self._next_at)
        self._next_at = at + SPACING_SECONDS
        return at

    def is_open(self, now: float) -> bool:
        """Whether the machine takes starts, as far as is known."""
        return now >= self._closed_until

    def started(self) -> None:
        """A reader runs."""
        self._backoff.reset()

    def refused(self, now: float) -> None:
        """The machine let none start."""
        if self.is_open(now):
            self._closed_until = self._next_at = now + self._backoff.next_seconds()


class ReaderProcess:
    """A reader that was started."""

    def __init__(self, pid: int, status_fd: int) -> None:
        self.pid = pid
        self._status_fd = status_fd
        self._is_over = False
        self._exit_code: int | None = None

    def exit_code(self, wait_seconds: float) -> int | None:
        """How it ended, negative for a signal; None while it lives, and where nobody is left who knows."""
        if not self._is_over and _is_told(self._status_fd, wait_seconds):
            told = os.read(self._status_fd, STATUS.size)
            self._is_over, self._exit_code = True, STATUS.unpack(told)[0] if told else None
        return self._exit_code

    def is_lost(self, wait_seconds: float) -> bool:
        """Whether what it was forked from has died, and it with it."""
        return self.exit_code(wait_seconds) is None and self._is_over

    def kill(self) -> None:
        """Ends it, as far as it is not over."""
        if self.exit_code(0) is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def end(self, grace_seconds: float) -> None:
        """Waits for its end, then brings it about."""
        self.exit_code(grace_seconds)
        if not self._is_over:
            self.kill()
            self.exit_code(UNKILLABLE_SECONDS)
        if not self._is_over:
            logger.warning("reader %d: not ended, as the kernel does not let go of it", self.pid)
        os.close(self._status_fd)


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
        self._await_turn(stop)
        try:
            started = self._connected(job, stop)
        except (OSError, ReaderLost) as err:
            with self._lock:
                self._gate.refused(time.monotonic())
            raise lost(err) if isinstance(err, OSError) else err from err
        with self._lock:
            self._gate.started()
        return started

    def close(self) -> None:
        """Ends what readers are forked from, and them."""
        if self._control:
            self._control.close()
            self._control = None
        if self._nursery:
            with suppress(subprocess.TimeoutExpired):
                self._nursery.wait(UNKILLABLE_SECONDS)
            self._nursery = None

    def _await_turn(self, stop: threading.Event) -> None:
        with self._lock:
            at = self._gate.turn(time.monotonic())
        while True:
            while (left := at - time.monotonic()) > 0 and not stop.is_set():
                stop.wait(min(left, STEP_SECONDS))
            if stop.is_set():
                raise Stopped
            with self._lock:
                if self._gate.is_open(now := time.monotonic()):
                    return
                at = self._gate.turn(now)

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


def _lives(process: subprocess.Popen[bytes]) -> bool:
    with suppress(subprocess.TimeoutExpired):
        process.wait(STEP_SECONDS)
        return False
    return True


def _nursery(control_fd: int) -> subprocess.Popen[bytes]:
    code = COMMAND.format(path=sys.path, fd=control_fd)
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.DEVNULL, pass_fds=[control_fd])


def _pid(status_fd: int, nursery: subprocess.Popen[bytes] | None, stop: threading.Event) -> int:
    """What the nursery answers; raises ReaderLost, Stopped or the OSError that it met.

    A nursery that does not answer is ended: the next start begins with a new one.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _is_told(status_fd, STEP_SECONDS):
        if stop.is_set():
            raise Stopped
        if time.monotonic() > deadline:
            if nursery:
                nursery.kill()
            raise ReaderLost(f"no reader started within {PATIENCE_SECONDS:g} s")
    told = os.read(status_fd, STATUS.size)
    if not told:
        if nursery and _lives(nursery):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))  # not even this line had room there
        raise ReaderLost(LOST)
    [pid] = STATUS.unpack(told)
    if pid < 0:
        raise OSError(-pid, os.strerror(-pid))
    return int(pid)


def _is_told(descriptor: int, wait_seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(1000 * wait_seconds))
