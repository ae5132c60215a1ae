"""A labelled data set as every reader gives it, whatever it was written in."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from training.truth import Interval

SUBSET_WORDS: Final = {"train": "training", "val": "validation", "valid": "validation", "test": "testing"}
"""Short words for subsets, and the ones that they stand for."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of a video's file before anybody looks at it; 0 where it does not say."""

    num_bytes: int
    num_pixels: int
    """of a picture"""
    fps: float
    seconds: float


@dataclass(frozen=True, slots=True)
class LabelledVideo:
    """A video file and what is true of it."""

    name: str
    """as the annotations call it"""
    path: Path
    intervals: tuple[Interval, ...]
    """in the video's own time, from its first frame"""
    group: str | None = None
    """videos of one group (an actor, a place) are never on both sides of a split"""
    subset: str | None = None
    """`training`, `validation`, `testing` or whatever the annotations say"""
    seconds: float | None = None
    """the video's length, where its file says so"""
    facts: FileFacts | None = None
    """None where nobody asked the file"""
    judged: tuple[Interval, ...] | None = None
    """where it is known whether a label holds, its intervals among them; None: everywhere, of every label"""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a data set, and where."""

    file: Path
    line: int | None
    """1-based, None where the problem has no line"""
    message: str

    def __str__(self) -> str:
        place = str(self.file) if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.message}"


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled videos that can be used, and everything that was wrong with those that cannot, or not wholly."""

    labels: tuple[str, ...]
    """sorted, unless the annotations state an order"""
    videos: tuple[LabelledVideo, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def subsets(self) -> tuple[str, ...]:
        """The subsets that videos name, sorted."""
        return tuple(sorted({video.subset for video in self.videos if video.subset is not None}))

    def subset(self, name: str) -> "Dataset":
        """The videos of one subset alone, `train` meaning `training` and so on; empty where no video names it."""
        chosen = (video for video in self.videos if video.subset is not None and _word(video.subset) == _word(name))
        return replace(self, videos=tuple(chosen))

    def with_labels(self, labels: Sequence[str]) -> "Dataset":
        """The same videos with these labels alone, in this order; other intervals become background."""
        videos = tuple(
            replace(video, intervals=tuple(each for each in video.intervals if each.label in labels))
            for video in self.videos
        )
        return replace(self, labels=tuple(labels), videos=videos)


def _word(subset: str) -> str:
    return SUBSET_WORDS.get(subset.lower(), subset.lower())
