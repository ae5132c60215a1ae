"""How a service process begins and ends."""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from shared.errors import AfterimageError
from shared.redaction import redact

STOP_WITH_PARENT = "AFTERIMAGE_STOP_WITH_PARENT"
_PR_SET_PDEATHSIG = 1


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set; call it from the main thread."""
    stop = threading.Event()

    def request_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, request_stop)
    signal.signal(signal.SIGINT, request_stop)
    return stop


def follow_parent() -> None:
    """Makes this process get SIGTERM when its parent dies, where the parent asked for it (Linux only)."""
    if os.environ.get(STOP_WITH_PARENT) != "1" or sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == 1:
        sys.exit(0)


def run_service(main: Callable[[], int]) -> NoReturn:
    """Runs a service's main function and exits with its code; an AfterimageError is one line and exit code 2."""
    follow_parent()
    try:
        sys.exit(main())
    except AfterimageError as err:
        sys.stderr.write(f"error: {redact(str(err))}\n")
        sys.exit(2)
