"""Annotations as a table: CSV with the header `video,start,end,label`, and `group` and `subset` where known.

A row without start, end and label names a video in which nothing happens.
"""

import csv
import io
from collections.abc import Iterator
from typing import Final

from shared.errors import DatasetUnusable
from shared.words.validation import shown
from training.datasets.annotations import Entry, Listing
from training.datasets.thumos import as_number

COLUMNS: Final = ("video", "start", "end", "label")
OPTIONAL: Final = ("group", "subset")
DELIMITERS: Final = ",;\t"


def is_table(text: str) -> bool:
    """Whether a file's first line is a header with a `video` column."""
    return "video" in _header(text)[0]


def read_table(text: str, listing: Listing) -> None:
    """Reads a whole file's text into the listing; raises DatasetUnusable where its header lacks a column."""
    header, delimiter = _header(text)
    wrong = [name for name in header if name not in COLUMNS + OPTIONAL or header.count(name) > 1]
    if wrong or (missing := [name for name in COLUMNS if name not in header]):
        what = f"column {shown(wrong[0])} is not known or stands twice" if wrong else f"no column {missing[0]!r}"
        raise DatasetUnusable(
            f"{listing.source}:1: {what}; the header is {','.join(COLUMNS)}, and {' and '.join(OPTIONAL)} if known"
        )
    for line, row in _rows(text, delimiter, listing):
        if len(row) != len(header):
            listing.problem(line, f"row has {len(row)} columns, the header {len(header)}")
            continue
        _row(dict(zip(header, (cell.strip() for cell in row), strict=True)), line, listing)


def _header(text: str) -> tuple[list[str], str]:
    """The first line's column names and what separates them."""
    first = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = max(DELIMITERS, key=first.count)
    return [name.strip().strip('"').lower() for name in first.split(delimiter)], delimiter


def _rows(text: str, delimiter: str, listing: Listing) -> Iterator[tuple[int, list[str]]]:
    """Every row after the header with the line it begins on, blank ones left out."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line, is_header = 1, True
    try:
        for row in reader:
            if any(row):
                if not is_header:
                    yield line, row
                is_header = False
            line = reader.line_num + 1
    except csv.Error as err:
        raise DatasetUnusable(f"{listing.source}:{reader.line_num}: not valid CSV: {err}") from err


def _row(row: dict[str, str], line: int, listing: Listing) -> None:
    entry = listing.entry(row["video"], line)
    if entry is None:
        return
    entry.group = _agreed(entry, "group", entry.group, row, line, listing)
    entry.subset = _agreed(entry, "subset", entry.subset, row, line, listing)
    if not (row["start"] or row["end"] or row["label"]):
        return
    if not row["label"]:
        listing.problem(line, f"video {shown(entry.name)}: interval without a label")
        return
    listing.span(entry, row["label"], (as_number(row["start"]), as_number(row["end"])), line)


def _agreed(entry: Entry, what: str, known: str | None, row: dict[str, str], line: int, listing: Listing) -> str | None:
    """A video's group or subset, which all of its rows must share."""
    value = listing.word(entry, what, row.get(what), line)
    if value is not None and known is not None and value != known:
        listing.problem(line, f"video {shown(entry.name)}: {what} {shown(value)}, but {shown(known)} in a row above")
    return known if known is not None else value
