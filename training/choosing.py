"""Which files of some footage a model is measured on: those that it neither learned from nor was tuned by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import DatasetUnusable
from training.cautions import learned_words
from training.datasets.fingerprint import video_fingerprint
from training.learned import UNKNOWN_PAST, read_learned
from training.scenes.footage import Footage
from training.scenes.seeds import Split


@dataclass(frozen=True, slots=True)
class ChosenFootage:
    """The files taken of some footage, and what the model knows of the others."""

    groups: Mapping[str, tuple[Path, ...]]
    """files of one group are about the same scene"""
    num_files: int
    """of the footage, taken or not"""
    learned_from: int | None
    """how many of these the model has learned from; None where its folder does not say"""
    tuned_on: int | None
    """how many others chose its epoch and thresholds"""
    whole: bool
    """whether these are taken, too"""

    @property
    def files(self) -> list[Path]:
        """All that are taken."""
        return [file for files in self.groups.values() for file in files]

    @property
    def footage(self) -> Footage | None:
        """The files taken as footage of which every part may be shown; None where there are none."""
        return Footage(tuple(self.files)) if self.groups else None

    def cautions(self) -> tuple[str, ...]:
        """What must be said in red of figures on these files."""
        if not self.whole:
            return ()
        words = learned_words(self.learned_from or 0, self.tuned_on or 0, self.num_files, "files")
        return (words,) if words else ()

    def notes(self) -> tuple[str, ...]:
        """What was left out, and why."""
        if self.learned_from is None or self.tuned_on is None:
            aside = f"; taken are the {len(self.files)} of {self.num_files} files that training's own rule keeps aside"
            return (f"{UNKNOWN_PAST}{'' if self.whole else aside}",)
        if self.whole or self.learned_from + self.tuned_on == 0:
            return ()
        return (
            f"{self.learned_from + self.tuned_on} of {self.num_files} files are left out: the model has learned from "
            f"{self.learned_from}, and {self.tuned_on} chose its epoch and thresholds",
        )

    def as_json(self) -> dict[str, Any]:
        """Counts of the files measured on, as for labelled videos, and of those left out."""
        is_told = self.learned_from is not None
        return {
            "learned_from": self.learned_from if self.whole or not is_told else 0,
            "tuned_on": self.tuned_on if self.whole or not is_told else 0,
            "left_out": self.num_files - len(self.files),
        }


def choose(model: Path, paths: Sequence[Path], *, whole: bool = False) -> ChosenFootage:
    """What of video files and folders a model folder is measured on: `whole` all, else what it does not know.

    It knows files again by what they hold (learned.json), whatever they are called, but no other encoding of them. Of
    a model whose folder has no record it takes what training's own rule keeps aside. Raises SourceRefused where a path
    is not there or holds no video, ModelUnusable where the record is broken.
    """
    footage = Footage(tuple(paths))
    groups = footage.files()
    num_files = sum(map(len, groups.values()))
    learned = read_learned(model)
    if learned is None:
        return ChosenFootage(groups if whole else footage.files(Split.EVALUATION), num_files, None, None, whole)
    uses = learned.uses()
    known = {file: uses.get(_fingerprint(file)) for files in groups.values() for file in files}
    if not whole:
        new = {group: tuple(file for file in files if known[file] is None) for group, files in groups.items()}
        groups = {group: files for group, files in new.items() if files}
    found = list(known.values())
    return ChosenFootage(groups, num_files, found.count("learned"), found.count("tuned"), whole)


def choose_some(model: Path, paths: Sequence[Path], *, whole: bool = False, advice: str = "") -> ChosenFootage:
    """As `choose`; raises DatasetUnusable, with advice, where nothing is left to take."""
    choice = choose(model, paths, whole=whole)
    if choice.groups:
        return choice
    given = ", ".join(map(str, paths))
    if choice.learned_from is None:
        raise DatasetUnusable(
            f"{given}: {UNKNOWN_PAST}, and of {choice.num_files} files training's own rule keeps none aside{advice}"
        )
    raise DatasetUnusable(
        f"{given}: no file is new to the model: of {choice.num_files} it has learned from {choice.learned_from}, and "
        f"{choice.tuned_on} chose its epoch and thresholds{advice}"
    )


def _fingerprint(file: Path) -> str:
    """Nothing where a file cannot be read: who opens it says so."""
    try:
        return video_fingerprint(file)
    except DatasetUnusable:
        return ""
