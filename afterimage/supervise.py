"""Keeps children running: restarts what dies with exponential back-off, says why, and stops all in order."""

import threading
import time
from collections.abc import Callable
from itertools import groupby

from afterimage.child import Child, Command, explain_exit
from shared.errors import StackFailed

FIRST_DELAY_SECONDS = 0.5
MAX_DELAY_SECONDS = 30.0
HEALTHY_AFTER_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 20.0
SETTINGS_REFUSED = 2
MAX_REFUSALS = 2


class RestartDelay:
    """How long to wait before the next start: doubles from try to try, starts anew after a healthy minute."""

    def __init__(self) -> None:
        self.tries = 0

    def delay_after(self, uptime_seconds: float) -> float:
        """Seconds to wait after a run of so many seconds."""
        self.tries = 0 if uptime_seconds >= HEALTHY_AFTER_SECONDS else self.tries
        self.tries += 1
        return float(min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** min(self.tries - 1, 10)))


class Supervised:
    """A command that should be running."""

    def __init__(self, command: Command, echo: Callable[[str, str], None], say: Callable[[str], None]) -> None:
        self._command = command
        self.role = command.name.partition("-")[0]
        self._echo = echo
        self._say = say
        self._backoff = RestartDelay()
        self._refusals = 0
        self._start_at: float | None = None
        self._start()

    def watch(self, *, settled: bool) -> None:
        """Notices a death, or starts it again when that is due.

        Raises StackFailed where it refused its settings several times in a row before the stack had settled.
        """
        if self._start_at is not None:
            if time.monotonic() >= self._start_at:
                self._start()
            return
        code = self.child.exit_code()
        if code is None:
            return
        self._refusals = self._refusals + 1 if code == SETTINGS_REFUSED else 0
        last_words = self.child.last_line or "it said nothing"
        if self._refusals >= MAX_REFUSALS and not settled:
            raise StackFailed(f"{self._command.name} does not start: {last_words.removeprefix('error: ')}")
        delay = self._backoff.delay_after(time.monotonic() - self._started_at)
        self._start_at = time.monotonic() + delay
        self._say(f"{self._command.name} ended ({explain_exit(code)}): {last_words}; starting it again in {delay:g} s")

    def ask_to_stop(self) -> None:
        """Begins its end, and waits for nothing."""
        self.child.ask_to_stop()

    def stop(self, kill: threading.Event) -> None:
        """Ends it, by force where it does not follow."""
        if self.child.exit_code() is None and not self.child.stop(STOP_TIMEOUT_SECONDS, kill):
            self._say(f"{self._command.name} was killed: it did not stop by itself")

    def _start(self) -> None:
        self._started_at = time.monotonic()
        self._start_at = None
        self.child = Child(self._command, self._echo)


class ProcessSupervisor:
    """The children of a stack. All methods belong to one thread, which must outlive the children (see Child)."""

    def __init__(self, echo: Callable[[str, str], None], say: Callable[[str], None]) -> None:
        self._echo = echo
        self._say = say
        self._supervised: list[Supervised] = []

    def start(self, command: Command) -> None:
        """Starts a command, to be kept running."""
        self._supervised.append(Supervised(command, self._echo, self._say))

    def watch(self, *, settled: bool) -> None:
        """One look at every child; raises StackFailed where one cannot start at all."""
        for supervised in self._supervised:
            supervised.watch(settled=settled)

    def stop_all(self, kill: threading.Event) -> None:
        """Stops the children in the order they were started in, except that the first, Redis, outlives the others.

        Those of one role (`inference-1`, `inference-2`) end together, so that they need not take over from each other.
        """
        in_order = [*self._supervised[1:], *self._supervised[:1]]
        for _, mates in groupby(in_order, key=lambda supervised: supervised.role):
            together = list(mates)
            for supervised in together:
                supervised.ask_to_stop()
            for supervised in together:
                supervised.stop(kill)
        self._supervised.clear()
