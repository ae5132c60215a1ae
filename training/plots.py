"""Pictures of an evaluation: precision-recall curves, and scores beside the truth over time."""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from training.evaluation import Evaluation, Pass, Strip
from training.tables import shown
from training.truth import Interval

MEMORY: Final = "#1f5fbf"
ONE_FRAME: Final = "#9a9a9a"
SHUFFLED: Final = "#d98324"
TRUTH: Final = "#7cc48f"
EVENT: Final = "#1b1b1b"
INK: Final = "#333333"
DPI: Final = 110
MAX_COLUMNS: Final = 4
MAX_ROWS: Final = 12
MAX_TITLE: Final = 90


def draw_curves(evaluation: Evaluation, path: Path) -> None:
    """Writes a PNG with a panel for each label: its precision-recall curve with memory, without, and shuffled."""
    columns = min(MAX_COLUMNS, len(evaluation.labels))
    rows = -(-len(evaluation.labels) // columns)
    figure = Figure(figsize=(2.7 * columns + 0.5, 2.7 * rows + 0.9), dpi=DPI, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    passes = (
        ("with memory", evaluation.with_memory, MEMORY, 2.0),
        ("one frame (state reset)", evaluation.without_memory, ONE_FRAME, 1.4),
        ("frames shuffled", evaluation.shuffled, SHUFFLED, 1.2),
    )
    for panel, label in zip(panels.flat, evaluation.labels, strict=False):
        plain(panel)
        panel.set_title(label, fontsize=10, color=INK, pad=18)
        if label not in evaluation.with_memory.curves:
            panel.text(0.5, 0.5, "does not occur", fontsize=9, color=ONE_FRAME, ha="center")
            continue
        panel.axhline(evaluation.prevalence[label], color="#cccccc", linewidth=0.8, linestyle=":")
        for place, (_, found, colour, width) in enumerate(passes):
            _curve(panel, found, label, colour, width, place)
    for panel in panels.flat[len(evaluation.labels) :]:
        panel.set_axis_off()
    figure.supxlabel("recall", fontsize=10, color=INK)
    figure.supylabel("precision", fontsize=10, color=INK)
    lines = [Line2D([], [], color=colour, linewidth=width, label=name) for name, _, colour, width in passes]
    figure.legend(handles=lines, loc="outside upper center", ncols=len(lines), frameon=False, fontsize=9)
    save_figure(figure, path)


def draw_strip(strip: Strip, labels: tuple[str, ...], path: Path) -> None:
    """Writes a PNG of one video: time along x, a row for each label with its scores over the truth and the events."""
    rows = _rows(strip, labels)
    figure = Figure(figsize=(11.0, 0.62 * len(rows) + 1.1), dpi=DPI, layout="constrained")
    panels = figure.subplots(len(rows), 1, squeeze=False, sharex=True)[:, 0]
    figure.suptitle(shortened(strip.name), fontsize=10, color=INK, x=0.01, ha="left")
    for panel, label in zip(panels, rows, strict=True):
        index = labels.index(label)
        plain(panel)
        bands(panel, [true for true in strip.truth if true.label == label])
        panel.plot(strip.times_seconds, strip.without_memory[:, index], color=ONE_FRAME, linewidth=0.8)
        panel.plot(strip.times_seconds, strip.with_memory[:, index], color=MEMORY, linewidth=1.3)
        for event in strip.events:
            if event.label == label:
                panel.plot([event.start_seconds, event.end_seconds], [1.12, 1.12], color=EVENT, linewidth=3)
        panel.set_ylim(-0.05, 1.22)
        panel.set_yticks([0, 1])
        panel.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9, color=INK)
    panels[-1].set_xlim(0, max(float(strip.times_seconds[-1]), 0.1))
    panels[-1].set_xlabel("seconds", fontsize=9, color=INK)
    handles = [
        Line2D([], [], color=MEMORY, label="score with memory"),
        Line2D([], [], color=ONE_FRAME, linewidth=0.8, label="score of one frame"),
        Patch(color=TRUTH, alpha=0.45, label="truth"),
        Line2D([], [], color=EVENT, linewidth=3, label="event"),
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=4, frameon=False, fontsize=8)
    save_figure(figure, path)


def _rows(strip: Strip, labels: tuple[str, ...]) -> tuple[str, ...]:
    """All labels where they are few; else those that are true or found in this video."""
    if len(labels) <= MAX_ROWS:
        return labels
    present = {each.label for each in (*strip.truth, *strip.events)}
    return tuple(label for label in labels if label in present)[:MAX_ROWS] or labels[:1]


def _curve(panel: Axes, found: Pass, label: str, colour: str, width: float, place: int) -> None:
    figure = shown(found.average_precision[label], 2)
    where = 0.02 + 0.36 * place
    panel.text(where, 1.03, f"AP {figure}", fontsize=8.5, color=colour, transform=panel.transAxes)
    if curve := found.curves.get(label):
        recall = np.concatenate(([0.0], curve.recall))
        precision = np.concatenate((curve.precision[:1], curve.precision))
        panel.step(recall, precision, where="pre", color=colour, linewidth=width)
    panel.set_xlim(0, 1.02)
    panel.set_ylim(0, 1.02)


def bands(panel: Axes, truth: Iterable[Interval]) -> None:
    """Shades when the label of a panel holds."""
    for true in truth:
        panel.axvspan(true.start_seconds, true.end_seconds, color=TRUTH, alpha=0.45, linewidth=0)


def plain(panel: Axes) -> None:
    """Leaves of a panel's frame what is needed."""
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        panel.spines[side].set_color("#bbbbbb")
    panel.tick_params(labelsize=8, colors="#666666", length=2)


def shortened(name: str) -> str:
    """A title of bounded length, in which nothing is taken for a formula."""
    text = name if len(name) <= MAX_TITLE else f"{name[: MAX_TITLE - 1]}…"
    return text.replace("$", r"\$")


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a PNG."""
    FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a file's name may be in any script
        figure.savefig(path, metadata={"Software": None})
