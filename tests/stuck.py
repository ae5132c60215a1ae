"""A file source that hangs, as one on a share that is away does: its reader says nothing more, and cannot be asked."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass

from shared.sources import Source

NEVER_SECONDS = 3600.0

_asked: Iterator[int] = itertools.count(1)


@dataclass(frozen=True, slots=True)
class StuckSource(Source):
    """Hangs its reader when it is asked for the `patience`-th time whether it is a file: at first, in opening it."""

    patience: int = 1

    @property
    def is_file(self) -> bool:
        if next(_asked) >= self.patience:
            time.sleep(NEVER_SECONDS)
        return True
