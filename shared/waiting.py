"""How services wait: never longer than until it is asked to stop, and longer each time something fails again."""

import logging
import random
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from shared.errors import StoreUnavailable

FIRST_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 30.0
LONGEST_FOR_STORE_SECONDS: Final = 5.0

logger = logging.getLogger(__name__)
T = TypeVar("T")


class Stopped(Exception):
    """Work was broken off because the stream or the process is to stop."""


class Backoff:
    """Waiting times that double from half a second to `longest_seconds`, each drawn from its upper half."""

    def __init__(self, longest_seconds: float = LONGEST_SECONDS) -> None:
        self._longest = longest_seconds
        self._failures = 0

    def next_seconds(self) -> float:
        """How long to wait after one more failure."""
        limit = min(self._longest, FIRST_SECONDS * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return random.uniform(limit / 2, limit)

    def reset(self) -> None:
        """Starts from the shortest time again, after a success."""
        self._failures = 0


def pause(stop: threading.Event, seconds: float) -> None:
    """Waits; raises Stopped as soon as `stop` is set."""
    if stop.wait(max(0.0, seconds)):
        raise Stopped


def until_stored(action: Callable[[], T], stop: threading.Event, on_failure: Callable[[], None] = lambda: None) -> T:
    """The action's result, repeated while Redis is away, `on_failure` called each time; raises Stopped."""
    backoff = Backoff(LONGEST_FOR_STORE_SECONDS)
    told = False
    while True:
        try:
            return action()
        except StoreUnavailable as err:
            if not told:
                logger.warning("waiting for Redis: %s", err)
            told = True
            on_failure()
            pause(stop, backoff.next_seconds())
