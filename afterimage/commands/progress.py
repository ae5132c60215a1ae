"""A progress bar for what may be done at once."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

QUIET_SECONDS = 2.0
"""What is done in less needs no progress bar."""


@contextmanager
def progress(doing: str) -> Iterator[Callable[[int, int], None]]:
    """What is told (done, total); on standard error, once it has taken a while."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    began = time.monotonic()
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task(doing)

    def show(done: int, total: int) -> None:
        if not bar.live.is_started and time.monotonic() - began > QUIET_SECONDS:
            bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield show
    finally:
        if bar.live.is_started:
            bar.stop()
