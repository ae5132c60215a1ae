"""Entries of Redis streams: their ids, and a frame and its scores as one."""

import math
import re
import struct
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, Literal, NamedTuple, Self

from shared.tracing.spans import known_traceparent

MAX_NUMBER: Final = (1 << 63) - 1
ENTRY_ID: Final = re.compile("([0-9]{1,19})-([0-9]{1,19})")

MAX_JPEG_BYTES = 1 << 20

MAX_FIGURES = 16
FIGURES_VERSION = b"\x01"
FIGURE_BYTES = 4
MAX_PACKED_FIGURES_BYTES = len(FIGURES_VERSION) + MAX_FIGURES * FIGURE_BYTES
MAX_FIGURE = 3.4e38
Figures = tuple[float, ...]
NUM_TOLD = MAX_FIGURES + 1
"""Figures and the mark of damage: see `told`."""

Ending = Literal["source_ended", "source_changed"]

SCORE_DECIMALS = 5


class EntryId(NamedTuple):
    """An entry's id: ids are in the entries' order. Of a frame and of its scores, `ms` is the time of capture."""

    ms: int
    number: int = 0

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """The inverse of `str`; raises ValueError on anything else."""
        found = ENTRY_ID.fullmatch(text.decode() if isinstance(text, bytes) else text)
        ms, number = map(int, found.groups()) if found else (MAX_NUMBER + 1, 0)
        if max(ms, number) > MAX_NUMBER:
            raise ValueError(f"{text!r} is not an entry id")
        return cls(ms, number)

    def __str__(self) -> str:
        return f"{self.ms}-{self.number}"


class Frame(NamedTuple):
    """A frame on its way from ingest to inference or, where `jpeg` is None, the end of its source right after it.

    `captured_at_ms` is its identity; `due_at_ms` the wall-clock time at which it left the decoder or, of a file that is
    played live, its turn came: from then latency counts; `media_seconds` its presentation time on the sampling grid.
    `damaged` says that the decoder found it so, or concealed a part; `figures` is what was measured of it at full size,
    if anything was. `sequence` is its number in the queue, which gives it; that of an end is the last frame's. An end
    has an `ending`, and one frame in so many the `traceparent` of the span that published it.

    In the queue its fields' names are its version: a field more is let be; what must not be read by who knows these
    alone has no `j`, and a `v`.
    """

    captured_at_ms: int
    due_at_ms: int
    epoch: int
    media_seconds: float
    jpeg: bytes | None
    damaged: bool = False
    figures: Figures | None = None
    sequence: int = 0
    ending: Ending | None = None
    traceparent: str | None = None

    @classmethod
    def end(cls, last_frame_at_ms: int, ending: Ending = "source_ended") -> Self:
        """A marker after a source's last frame: open events close, and the memory is emptied, where it is passed."""
        return cls(last_frame_at_ms, 0, 0, 0.0, None, ending=ending)

    @property
    def entry(self) -> EntryId:
        """The Redis id of the frame; an end's comes before that of any frame that could follow."""
        return EntryId(self.captured_at_ms, 0 if self.jpeg is not None else 1)

    @property
    def entry_id(self) -> str:
        """The same as text."""
        return f"{self.captured_at_ms}-0" if self.jpeg is not None else f"{self.captured_at_ms}-1"

    def fields(self) -> list[Any]:
        """Field names and values, in turn; raises ValueError for figures that do not fit."""
        if self.jpeg is None:
            return ["end", self.ending or "source_ended"]
        fields = ["j", self.jpeg, "e", self.epoch, "m", f"{self.media_seconds:.3f}", "w", self.due_at_ms]
        if self.damaged:
            fields += ["d", 1]
        if self.figures is not None:
            fields += ["x", pack_figures(self.figures)]
        if self.traceparent:
            fields += ["traceparent", self.traceparent]
        return fields

    @classmethod
    def parse(cls, entry_id: bytes, fields: Mapping[bytes, bytes]) -> Self:
        """An entry of the queue as Redis gives it; raises KeyError or ValueError on anything else."""
        value = fields.get
        jpeg, packed = value(b"j"), value(b"x")
        at_ms = int(entry_id.partition(b"-")[0])
        if at_ms > MAX_NUMBER or b"%d-%d" % (at_ms, jpeg is None) != entry_id:
            raise ValueError(f"{entry_id!r} is not the id of such an entry")
        return cls(
            at_ms,
            int(value(b"w", 0)),
            int(value(b"e", 0)),
            float(value(b"m", 0)),
            jpeg,
            value(b"d") == b"1",
            unpack_figures(packed) if packed else None,
            int(fields[b"n"]),
            None if jpeg is not None else _ending(value(b"end")),
            known_traceparent(value(b"traceparent")),
        )


def _ending(told: bytes | None) -> Ending:
    return "source_changed" if told == b"source_changed" else "source_ended"


def pack_figures(figures: Figures) -> bytes:
    """1 to MAX_FIGURES numbers as a version and as many float32; raises ValueError."""
    if not (1 <= len(figures) <= MAX_FIGURES and all(abs(figure) <= MAX_FIGURE for figure in figures)):
        raise ValueError(f"figures {figures}: allowed are 1 to {MAX_FIGURES} numbers up to {MAX_FIGURE:g}")
    return FIGURES_VERSION + struct.pack(f"<{len(figures)}f", *figures)


def unpack_figures(packed: bytes) -> Figures | None:
    """What `pack_figures` packed; None for what another version did, and for anything else."""
    version, rest = packed[:1], packed[1:]
    num_figures, left = divmod(len(rest), FIGURE_BYTES)
    if version != FIGURES_VERSION or left or not 1 <= num_figures <= MAX_FIGURES:
        return None
    figures = struct.unpack(f"<{num_figures}f", rest)
    return figures if all(map(math.isfinite, figures)) else None


def told(figures: Figures | None, *, damaged: bool) -> Figures:
    """What a network is told of a frame beside its picture, NUM_TOLD numbers: figures, and whether it is damaged.

    The figures are not numbers where nothing was measured, or not all that is known today; the mark is 0 or 1.
    """
    known = figures if figures and len(figures) == MAX_FIGURES else (math.nan,) * MAX_FIGURES
    return (*known, float(damaged))


def labels_field(labels: Sequence[str]) -> str:
    """The field that holds a frame's scores in its entry."""
    return ",".join(labels)


def scores_text(scores: Sequence[float]) -> str:
    """What it holds: a score per label, to five decimals."""
    return _pattern(len(scores)) % tuple(scores)


@cache
def _pattern(num_scores: int) -> str:
    return ",".join([f"%.{SCORE_DECIMALS}f"] * num_scores)


def parse_scores(fields: Mapping[bytes, bytes]) -> dict[str, float]:
    """A frame's score per label, from its entry.

    An earlier version's has a field for each label; what a later one may add begins with a colon, which no label does.
    """
    return {
        label.decode(): float(text)
        for labels, texts in fields.items()
        if not labels.startswith(b":")
        for label, text in zip(labels.split(b","), texts.split(b","), strict=True)
    }
