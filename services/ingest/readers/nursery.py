"""The process that readers are forked from: it has imported what they need, so that a start takes 10 ms, not 500.

It lives through what happens to them and through a machine that lets no more of them start. (multiprocessing's own fork
server does not: the first fork that is refused ends it, and every reader with it.)
"""

import errno
import gc
import os
import select
import signal
import socket
import struct
import sys
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Final, NoReturn

from services.ingest.readers.reader import read

STATUS: Final = struct.Struct("<q")
"""What is told of a reader: its id, or a negative errno where there is none; later the code with which it ended."""
REQUEST: Final = b"r"
"""Asks for one reader; two descriptors come along: where to tell its status, and its connection."""


def serve(control_fd: int) -> None:
    """The process: starts readers until the service closes its end, or has died."""
    with socket.socket(fileno=control_fd) as control:
        Nursery(control).run()


class Nursery:
    """Forks readers and tells how they ended."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._woken, self._waker = socket.socketpair()
        self._statuses: dict[int, int] = {}

    def run(self) -> None:
        """Works until nobody asks any more."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # the service ends it
        for end in (self._woken, self._waker):
            end.settimeout(0)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        gc.freeze()
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        is_wanted = True
        while is_wanted:
            for ready, _ in poll.poll():
                if ready == self._woken.fileno():
                    self._reap()
                else:
                    is_wanted = self._answer()

    def _answer(self) -> bool:
        """Starts a reader, if one is wanted; False where the service is gone."""
        message, descriptors, *_ = socket.recv_fds(self._control, len(REQUEST), 2)
        if not message:
            return False
        outcome = -errno.EMFILE  # as when not both have found room here
        if len(descriptors) == 2:
            try:
                outcome = os.fork()
            except OSError as err:
                outcome = -(err.errno or errno.EAGAIN)
            if outcome == 0:
                self._become_reader(descriptors[1])
        if descriptors:
            _tell(descriptors[0], outcome)
        if outcome > 0:
            self._statuses[outcome] = descriptors.pop(0)
        for descriptor in descriptors:
            os.close(descriptor)
        return True

    def _become_reader(self, descriptor: int) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for end in (self._control, self._woken, self._waker):
                end.close()
            for status in self._statuses.values():
                os.close(status)
            low = os.dup(descriptor)  # select(2), among others, knows no high ones
            os.close(descriptor)
            with Connection(low) as connection, suppress(EOFError, ConnectionResetError):
                read(connection.recv(), connection)
            code = 0
        except BaseException:  # noqa: BLE001 (a process's top: what is left is to say why)
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(code)

    def _reap(self) -> None:
        with suppress(BlockingIOError):
            while self._woken.recv(4096):
                """One byte a signal; one waiting may stand for several readers."""
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                if (descriptor := self._statuses.pop(pid, None)) is not None:
                    _tell(descriptor, os.waitstatus_to_exitcode(status))
                    os.close(descriptor)


def _tell(descriptor: int, number: int) -> None:
    """Says it to the service; a reader that nobody waits for any more is none of its business."""
    with suppress(BrokenPipeError):
        os.write(descriptor, STATUS.pack(number))
