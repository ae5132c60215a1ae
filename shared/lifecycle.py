"""How a service process begins and ends."""

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from shared.errors import AfterimageError
from shared.redaction import redact


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set; call it from the main thread."""
    stop = threading.Event()

    def request_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, request_stop)
    signal.signal(signal.SIGINT, request_stop)
    return stop


def run_service(main: Callable[[], int]) -> NoReturn:
    """Runs a service's main function and exits with its code; an AfterimageError is one line and exit code 2."""
    try:
        sys.exit(main())
    except AfterimageError as err:
        sys.stderr.write(f"error: {redact(str(err))}\n")
        sys.exit(2)
