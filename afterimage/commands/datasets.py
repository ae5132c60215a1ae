"""Reading labelled videos for the commands that learn from them or measure on them."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.datasets.dataset import Dataset

MAX_SHOWN = 10
ALL = "all"
"""What takes every video, unless a subset is called so."""


def read_and_tell(annotations: Path, videos: Path | None) -> "Dataset":
    """A data set; what is wrong with it goes to standard error, and what is usable is used."""
    from training.datasets.reading import read_dataset

    dataset = read_dataset(annotations, videos)
    for problem in dataset.problems[:MAX_SHOWN]:
        sys.stderr.write(f"{problem}\n")
    if (more := len(dataset.problems) - MAX_SHOWN) > 0:
        sys.stderr.write(f"and {more} problems more: `afterimage dataset check {annotations}` lists them\n")
    return dataset


def read_subset(
    annotations: Path, videos: Path | None, subset: str | None, usual: Sequence[str]
) -> tuple["Dataset", str]:
    """The subset asked for, or else the first of the usual ones that there is, or all, and what it is in words.

    Which was taken goes to standard error. Raises DatasetUnusable where no usable video is in the one asked for.
    """
    from shared.errors import DatasetUnusable

    dataset = read_and_tell(annotations, videos)
    chosen, name = dataset, annotations.name
    word = subset or next((each for each in usual if dataset.subset(each).videos), ALL)
    if word != ALL or dataset.subset(ALL).videos:
        chosen, name = dataset.subset(word), f"{name}, subset {word}"
    if not chosen.videos:
        raise DatasetUnusable(f"subset {word!r}: no video that can be used; there are {list(dataset.subsets)}")
    there = ", ".join(dataset.subsets[:MAX_SHOWN]) or "none"
    sys.stderr.write(f"{name}: {len(chosen.videos)} of {len(dataset.videos)} videos (subsets: {there})\n")
    return chosen, name
