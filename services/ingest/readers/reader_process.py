"""A reader process as the service sees it: whether it lives, how it ended, and how it is ended."""

import logging
import os
import select
import signal
from contextlib import suppress
from typing import Final

from services.ingest.readers.nursery import STATUS

UNKILLABLE_SECONDS: Final = 5.0

logger = logging.getLogger(__name__)


class ReaderProcess:
    """A reader that was started."""

    def __init__(self, pid: int, status_fd: int) -> None:
        self.pid = pid
        self._status_fd = status_fd
        self._is_over = False
        self._exit_code: int | None = None

    def exit_code(self, wait_seconds: float) -> int | None:
        """How it ended, negative for a signal; None while it lives, and where nobody is left who knows."""
        if not self._is_over and is_told(self._status_fd, wait_seconds):
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


def is_told(descriptor: int, wait_seconds: float) -> bool:
    """Whether something can be read, waiting for it."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(1000 * wait_seconds))
