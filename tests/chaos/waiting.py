"""Waiting for a condition, with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

POLL_SECONDS = 0.01
T = TypeVar("T")


class ChaosFailed(AssertionError):
    """The system did not do in time what it must."""


def until(condition: Callable[[], T], what: str, seconds: float) -> T:
    """The condition's first true value; raises ChaosFailed where none comes in time."""
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        if time.monotonic() >= deadline:
            raise ChaosFailed(f"{what}: not within {seconds:g} s")
        time.sleep(POLL_SECONDS)
