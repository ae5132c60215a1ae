"""Picture strips of what a model missed or raised falsely: the pictures at the time, and the scores beneath."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Final

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from services.ingest.sources.options import ReadOptions
from services.ingest.sources.video import open_video
from shared.sources import Source
from training.bench.staging.takes import KINDS
from training.events import Detection
from training.plots import DPI, EVENT, INK, MEMORY, bands, plain, save_figure, shortened
from training.truth import Interval

STRIP_FPS: Final = 8.0
SHORT_SIDE: Final = 180
AROUND_SECONDS: Final = 8.0
MAX_CURVES: Final = 3
MIN_SCORE: Final = 0.1
"""A score that stays below is not drawn."""


@dataclass(frozen=True, slots=True)
class Viewing:
    """A file as a model saw it."""

    file: Path
    labels: tuple[str, ...]
    times_seconds: NDArray[np.float32]
    scores: NDArray[np.float32]
    """[T, L]"""
    alarms: tuple[Detection, ...]
    seconds: float


def draw_viewing(viewing: Viewing, title: str, at: Sequence[float], truth: Interval | None, path: Path) -> None:
    """Writes a PNG: the pictures at these times, and around them the scores of the labels that matter."""
    first, last = max(0.0, min(at) - AROUND_SECONDS), min(viewing.seconds, max(at) + AROUND_SECONDS)
    inside = (viewing.times_seconds >= first) & (viewing.times_seconds <= last)
    labels = _labels(viewing, inside, truth)
    figure = Figure(figsize=(2.1 * len(at), 2.1 + 0.6 * len(labels)), dpi=DPI, layout="constrained")
    figure.suptitle(shortened(title), fontsize=9, color=INK, x=0.01, ha="left")
    grid = figure.add_gridspec(1 + len(labels), len(at), height_ratios=[3.0, *[1.0] * len(labels)])
    for column, (seconds, picture) in enumerate(zip(at, _pictures(viewing.file, at), strict=True)):
        panel = figure.add_subplot(grid[0, column])
        panel.imshow(picture)
        panel.set_title(f"{seconds:.1f} s", fontsize=8, color=INK)
        panel.set_axis_off()
    for row, label in enumerate(labels, start=1):
        panel = figure.add_subplot(grid[row, :])
        plain(panel)
        bands(panel, [truth] if truth and truth.label == label else [])
        panel.plot(viewing.times_seconds[inside], viewing.scores[inside, viewing.labels.index(label)], color=MEMORY)
        for alarm in viewing.alarms:
            if alarm.interval.label == label:
                panel.plot([alarm.opened_seconds, alarm.interval.end_seconds], [1.12, 1.12], color=EVENT, linewidth=3)
        panel.set_xlim(first, last)
        panel.set_ylim(-0.05, 1.22)
        panel.set_yticks([0, 1])
        panel.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8, color=INK)
    save_figure(figure, path)


def _labels(viewing: Viewing, inside: NDArray[np.bool_], truth: Interval | None) -> list[str]:
    """What is true, then what scores most."""
    highest = {
        label: float(viewing.scores[inside, column].max(initial=0.0))
        for column, label in enumerate(viewing.labels)
        if label in KINDS
    }
    true = [truth.label] if truth and truth.label in highest else []
    ranked = sorted(highest, key=lambda label: -highest[label])
    others = [label for label in ranked if label not in true and highest[label] >= MIN_SCORE]
    return [*true, *others][:MAX_CURVES] or ranked[:1]


def _pictures(file: Path, at: Sequence[float]) -> list[NDArray[np.uint8]]:
    """The pictures at these times, the last one there is where the file ends before; [H, W, 3] RGB."""
    points = [round(seconds * STRIP_FPS) for seconds in at]
    found: dict[int, NDArray[np.uint8]] = {}
    with open_video(Source(str(file)), ReadOptions(short_side=SHORT_SIDE)) as video:
        for frame in video.frames(STRIP_FPS, Event()):
            picture = np.asarray(cv2.cvtColor(frame.image, cv2.COLOR_BGR2RGB), np.uint8)
            found |= {point: picture for point in points if point >= frame.point or point not in found}
            if frame.point > max(points):
                break
    return [found[point] for point in points]
