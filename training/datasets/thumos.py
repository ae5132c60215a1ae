"""Annotations in THUMOS' text form: a file `<Label>_<subset>.txt` per class, its lines `video start end`.

Beside them `detclasslist.txt` (lines `number Label`) may state the labels in their order. `Ambiguous_<subset>.txt`
holds intervals that the challenge leaves unjudged, and is not read. Source: THUMOS Challenge 2014, evaluation kit.
"""

from pathlib import Path
from typing import Final

from shared.errors import DatasetUnusable
from shared.words.validation import shown
from training.datasets.annotations import MAX_WORD_CHARACTERS, Listing, read_text

CLASS_LIST: Final = "detclasslist.txt"
UNJUDGED: Final = "ambiguous"
SUBSETS: Final = {"train": "training", "val": "validation", "test": "testing"}
LOOKED_AT: Final = 4096


def is_thumos(text: str) -> bool:
    """Whether one of a text's first lines is `video start end`."""
    rows = [line.split() for line in text[:LOOKED_AT].splitlines()]
    return any(len(row) == 3 and all(isinstance(as_number(word), float) for word in row[1:]) for row in rows)


def thumos_files(folder: Path) -> list[Path]:
    """The class files in a folder, sorted: `.txt` whose name ends in a subset; none where it is no THUMOS folder."""
    return sorted(path for path in folder.glob("*.txt") if path.stem.rpartition("_")[2] in SUBSETS)


def read_thumos_folder(files: list[Path], listing: Listing) -> None:
    """Reads class files, and the class list beside them if there is one, into the listing."""
    _class_list(files[0].parent / CLASS_LIST, listing)
    for file in files:
        read_thumos(file, read_text(file), listing)


def read_thumos(file: Path, text: str, listing: Listing) -> None:
    """Reads one class file's text into the listing; its name says label and subset."""
    label, subset = _label_and_subset(file)
    if label.lower() == UNJUDGED:
        return
    if len(label) > MAX_WORD_CHARACTERS:
        raise DatasetUnusable(f"{file}: label {shown(label)} is longer than {MAX_WORD_CHARACTERS} characters")
    disputed: set[str] = set()
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) != 3:
            listing.problem(number, f"{shown(line.strip())} is not `video start end`", file)
            continue
        entry = listing.entry(words[0], number, file)
        if entry is not None:
            if entry.subset not in {None, subset} and entry.name not in disputed:
                disputed.add(entry.name)
                what = f"video {shown(entry.name)}: subset {subset!r}, but {entry.subset!r} in {entry.file.name}"
                listing.problem(number, what, file)
            entry.subset = entry.subset or subset
            listing.span(entry, label, (as_number(words[1]), as_number(words[2])), number, file)


def as_number(text: str) -> object:
    """A text as the number it states, or as it is."""
    try:
        return float(text)
    except ValueError:
        return text


def _label_and_subset(file: Path) -> tuple[str, str | None]:
    label, _, subset = file.stem.rpartition("_")
    return (label, SUBSETS[subset]) if label and subset in SUBSETS else (file.stem, None)


def _class_list(file: Path, listing: Listing) -> None:
    if not file.exists():
        return
    listing.labels, listing.labels_file = [], file
    for number, line in enumerate(read_text(file).split("\n"), start=1):
        words = line.split()
        if len(words) == 2:
            listing.labels.append((words[1], number))
        elif words:
            listing.problem(number, f"{shown(line.strip())} is not `number label`", file)
