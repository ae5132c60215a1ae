"""How a process begins and ends."""

import atexit
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from types import FrameType
from typing import NoReturn

from shared.errors import AfterimageError
from shared.words.redaction import redact


def on_signals(numbers: Iterable[signal.Signals], act: Callable[[], None]) -> None:
    """Calls `act` once for every such signal, in a thread of its own; call this from the main thread.

    A handler breaks in anywhere in the main thread, also while that holds an event's lock, and would wait for that lock
    for ever: so the handler only puts, and `SimpleQueue.put` is made to be broken in on.
    """
    arrived: queue.SimpleQueue[int] = queue.SimpleQueue()

    def take() -> None:
        while arrived.get():
            act()

    def put(number: int, _frame: FrameType | None) -> None:
        arrived.put(number)

    threading.Thread(target=take, name="signals", daemon=True).start()
    for number in numbers:
        signal.signal(number, put)


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set; call it from the main thread."""
    stop = threading.Event()
    on_signals((signal.SIGTERM, signal.SIGINT), stop.set)
    return stop


def run_service(main: Callable[[], int]) -> NoReturn:
    """Runs a service's main function and exits with its code; an AfterimageError is one line and exit code 2."""
    try:
        code = main()
    except AfterimageError as err:
        sys.stderr.write(f"error: {redact(str(err))}\n")
        code = 2
    _leave(code)


def _leave(code: int) -> NoReturn:
    """Ends the process without taking its modules apart: all is done, and with torch among them that costs a core a
    second, which on a busy machine is longer than a process is given."""
    atexit._run_exitfuncs()  # noqa: SLF001  (what else tidies up, as readers' nursery)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
