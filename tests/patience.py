"""Waiting for a condition, and doing without what is not there."""

import os
import time
from collections.abc import Callable
from typing import NoReturn, TypeVar

import pytest

PATIENCE_SECONDS = 60.0
TOOL_SECONDS = 170.0
"""For a program that a test calls: it hangs then. Disks of busy machines have made one of 3 s take 60."""
T = TypeVar("T")


def eventually(condition: Callable[[], T], what: str) -> T:
    """The condition's first true value; fails where none comes in time. To look takes half of a core at most."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (began := time.monotonic()) < deadline:
        if value := condition():
            return value
        time.sleep(max(0.01, time.monotonic() - began))
    pytest.fail(f"{what}: not within {PATIENCE_SECONDS:.0f} s")


def unavailable(what: str) -> NoReturn:
    """Skips the test for want of something, by name; in CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing, and CI must have it")
    pytest.skip(f"{what} is missing")
