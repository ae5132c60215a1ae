"""Model cards: the README.md of a model's folder, and the table in it of what memory is for, as figures.

The figures are written nowhere else: a folder holds weights, manifest and card. The headings are those that
`training/report.py` writes; a card without that table, or with another, is text alone.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.manifest import LABEL

CARD_FILE: Final = "README.md"
MAX_BYTES: Final = 256 << 10
MAX_ROWS: Final = 256
HEADINGS: Final = ["", "AP with memory", "one frame", "shuffled", "event F1 with memory", "one frame", "needs"]
FIGURE: Final = re.compile(r"(?:0|1)(?:\.\d{1,9})?")
WORDS: Final = re.compile(r"- `([^`]+)`: (.{1,500}?)\.?")


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """How well a label is found with memory, by one frame alone, and over shuffled frames; None: not measured."""

    label: str
    ap_with_memory: float | None
    ap_one_frame: float | None
    ap_shuffled: float | None
    f1_with_memory: float | None
    f1_one_frame: float | None
    needs: str
    words: str | None


@dataclass(frozen=True, slots=True)
class Card:
    """A card's text, and whether that is not all of it."""

    text: str
    is_cut: bool
    memory: Sequence[LabelFigures]


def read_card(folder: Path) -> Card | None:
    """A model folder's card; None where it has none that can be read."""
    path = folder / CARD_FILE
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError:
        return None
    text = content[:MAX_BYTES].decode(errors="replace")
    return Card(text, len(content) > MAX_BYTES, list(_figures(text.splitlines()))[:MAX_ROWS])


def _figures(lines: Sequence[str]) -> Iterator[LabelFigures]:
    """The rows of the table that are a label's."""
    begin = next((number for number, line in enumerate(lines) if _cells(line) == HEADINGS), len(lines))
    said = {found[1]: found[2] for line in lines[begin:] if (found := WORDS.fullmatch(line))}
    for line in lines[begin + 2 :]:
        cells = _cells(line)
        if len(cells) != len(HEADINGS):
            return
        label = cells[0].strip("`")
        if cells[0] == f"`{label}`" and LABEL.match(label):
            ap, ap_one, ap_shuffled, f1, f1_one = map(_figure, cells[1:6])
            yield LabelFigures(label, ap, ap_one, ap_shuffled, f1, f1_one, cells[6][:100], said.get(label))


def _figure(cell: str) -> float | None:
    return float(cell) if FIGURE.fullmatch(cell) else None


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
