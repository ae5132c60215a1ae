"""Results as tables for the terminal, none wider than 80 columns for usual labels."""

import math
from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from training.cautions import cautions, floor_words
from training.evaluation import Evaluation, EventResult
from training.memory_use import summary, verdicts


def evaluation_tables(evaluation: Evaluation) -> Group:
    """Frames, events and what memory is for, label by label, and in words."""
    minutes = evaluation.seconds / 60
    title = f"{evaluation.model} on {evaluation.data}: {evaluation.num_videos} videos, {minutes:.1f} minutes"
    found = verdicts(evaluation)
    accuracy = evaluation.with_memory.clip_accuracy
    return Group(
        Text(title, style="bold"),
        *caution_lines(evaluation),
        _event_table(evaluation),
        *([] if math.isnan(accuracy) else [Text(f"clips of one label called rightly: {accuracy:.3f}")]),
        *map(Text, floor_words(evaluation)),
        _memory_table(evaluation),
        *(Text(f"{each.label}: {each.words}") for each in found),
        Text(summary(found), style="bold"),
        *(Text(f"note: {note}") for note in evaluation.notes),
    )


def caution_lines(evaluation: Evaluation) -> list[Text]:
    """What must be said before the figures, in red."""
    return red(cautions(evaluation))


def red(sentences: Sequence[str]) -> list[Text]:
    """Sentences that nobody is to miss."""
    return [Text(sentence, style="bold red") for sentence in sentences]


def shown(value: float, decimals: int = 3) -> str:
    """A figure as text; a dash for what is not a number."""
    return "–" if math.isnan(value) else f"{value:.{decimals}f}"


def event_cells(events: EventResult) -> list[str]:
    """Precision, recall, F1, median delay in seconds, false events per hour, number of true events."""
    return [
        *(shown(value) for value in (events.precision, events.recall, events.f1)),
        shown(events.onset_delay_median_seconds, 2),
        shown(events.false_per_hour, 1),
        str(events.matches.found + events.matches.missed),
    ]


def _event_table(evaluation: Evaluation) -> Table:
    found = evaluation.with_memory
    table = _table("events", "AP", "precision", "recall", "F1", "delay s", "false/h", "true")
    for label in evaluation.labels:
        table.add_row(label, shown(found.average_precision[label]), *event_cells(found.events[label]))
    table.add_section()
    table.add_row("all", shown(found.mean_average_precision), *event_cells(found.all_events))
    return table


def _memory_table(evaluation: Evaluation) -> Table:
    passes = (evaluation.with_memory, evaluation.without_memory, evaluation.shuffled)
    table = _table("AP", "memory", "one frame", "shuffled")
    table.add_column("needs", no_wrap=True)
    for verdict in verdicts(evaluation):
        precisions = [shown(each.average_precision[verdict.label]) for each in passes]
        table.add_row(verdict.label, *precisions, verdict.need.value)
    table.add_section()
    table.add_row("mean", *(shown(each.mean_average_precision) for each in passes), "")
    return table


def _table(first: str, *figures: str) -> Table:
    table = Table()
    table.add_column(first, overflow="fold", min_width=10)
    for figure in figures:
        table.add_column(figure, justify="right", no_wrap=True)
    return table
