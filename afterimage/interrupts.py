"""Ctrl-C, SIGTERM and SIGHUP: the first asks to stop in order, the second to stop at once."""

import signal
import threading

from shared.service.lifecycle import on_signals

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequest:
    """Whether the user wants an end (`stop`), and whether an end at any price (`kill`)."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.kill = threading.Event()

    def listen(self) -> None:
        """Takes over the signals of this process; call it from the main thread."""
        on_signals(SIGNALS, self._ask)

    def _ask(self) -> None:
        (self.kill if self.stop.is_set() else self.stop).set()
