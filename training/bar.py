"""The progress bar of a training run."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def training_bar(*, show: bool) -> Progress:
    """A bar on standard error, and a console above it for each epoch's figures; neither says a word where not shown."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True, quiet=not show), disable=not show)
