"""Reading labelled videos for the commands that learn from them or measure on them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.datasets.dataset import Dataset

MAX_PROBLEMS_SHOWN = 10


def read_and_tell(annotations: Path, videos: Path | None) -> "Dataset":
    """A data set; what is wrong with it goes to standard error, and what is usable is used."""
    from training.datasets.reading import read_dataset

    dataset = read_dataset(annotations, videos)
    for problem in dataset.problems[:MAX_PROBLEMS_SHOWN]:
        sys.stderr.write(f"{problem}\n")
    if (more := len(dataset.problems) - MAX_PROBLEMS_SHOWN) > 0:
        sys.stderr.write(f"and {more} problems more: `afterimage dataset check {annotations}` lists them\n")
    return dataset


def chosen_subset(dataset: "Dataset", subset: str | None) -> "Dataset":
    """The subset that was asked for, or all; raises DatasetUnusable where no video is in it."""
    from shared.errors import DatasetUnusable

    chosen = dataset if subset is None else dataset.subset(subset)
    if not chosen.videos:
        raise DatasetUnusable(f"subset {subset!r}: no video that can be used; there are {list(dataset.subsets)}")
    return chosen
