"""What a reader finds in annotations, before any video is looked at."""

import unicodedata
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

from shared.errors import DatasetUnusable
from shared.words.validation import shown
from training.datasets.dataset import Problem

MAX_FILE_BYTES: Final = 256 << 20
MAX_VIDEOS: Final = 100_000
MAX_SEGMENTS: Final = 1_000_000
MAX_NAME_CHARACTERS: Final = 500
MAX_WORD_CHARACTERS: Final = 100
"""of a group or subset"""
MAX_SECONDS: Final = 1e7
"""no video is longer than some months, and floats still tell milliseconds apart"""


@dataclass(frozen=True, slots=True)
class Segment:
    """A label from `start` to `end` as annotated: seconds, or frames where its entry says so."""

    label: str
    start: float
    end: float
    """infinite: to the video's end"""
    file: Path
    """where it is annotated"""
    line: int | None


@dataclass(slots=True)
class Entry:
    """A video as annotated."""

    name: str
    file: Path
    """where it is annotated"""
    line: int | None
    segments: list[Segment] = field(default_factory=list)
    judged: list[Segment] | None = None
    """where its labels are known to hold or not, beside the segments; None: everywhere"""
    group: str | None = None
    subset: str | None = None
    seconds: float | None = None
    """the length that the annotations state"""
    in_frames: bool = False
    fps: float | None = None
    """of frame numbers, where the annotations state it"""


class Listing:
    """Collects what a file or folder of annotations says, and what is wrong with it.

    Raises DatasetUnusable where it says more than is allowed.
    """

    def __init__(self, source: Path) -> None:
        self.source = source
        self.entries: dict[str, Entry] = {}
        self.labels: list[tuple[str, int | None]] | None = None
        """the labels that the annotations declare, each with its line"""
        self.labels_file = source
        self.problems: list[Problem] = []
        self._num_segments = 0

    def problem(self, line: int | None, message: str, file: Path | None = None) -> None:
        """Adds what is wrong."""
        self.problems.append(Problem(file or self.source, line, message))

    def entry(self, name: object, line: int | None, file: Path | None = None) -> Entry | None:
        """The video of this name, known or new; None, and a problem, where it is no name that a video can have."""
        if not isinstance(name, str) or (wrong := wrong_with_name(name)):
            reason = wrong if isinstance(name, str) else "is not text"
            self.problem(line, f"video {shown(name)}: its name {reason}", file)
            return None
        if name not in self.entries:
            if len(self.entries) >= MAX_VIDEOS:
                raise DatasetUnusable(f"{self.source}: more than {MAX_VIDEOS} videos")
            self.entries[name] = Entry(name, file or self.source, line)
        return self.entries[name]

    def segment(self, entry: Entry, segment: Segment, among: list[Segment] | None = None) -> None:
        """Adds a segment to a video's, or to others of it."""
        self._num_segments += 1
        if self._num_segments > MAX_SEGMENTS:
            raise DatasetUnusable(f"{self.source}: more than {MAX_SEGMENTS} intervals")
        (entry.segments if among is None else among).append(segment)

    def span(
        self,
        entry: Entry,
        label: object,
        times: tuple[object, object],
        line: int | None,
        file: Path | None = None,
        among: list[Segment] | None = None,
    ) -> None:
        """Adds a segment with (start, end) in seconds; a problem instead where label or times cannot be."""
        span = as_span(*times)
        if not isinstance(label, str):
            self.problem(line, f"video {shown(entry.name)}: label {shown(label)} is not text", file)
        elif isinstance(span, str):
            self.problem(line, f"video {shown(entry.name)}, label {shown(label)}: {span}", file)
        else:
            self.segment(entry, Segment(label, *span, file or self.source, line), among)

    def word(self, entry: Entry, what: str, value: object, line: int | None) -> str | None:
        """A group or subset as text; None where there is none, or, with a problem, where it is not a word."""
        if value is None or value == "":
            return None
        text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if text and len(text) <= MAX_WORD_CHARACTERS and not _has_control_characters(text):
            return text
        allowed = f"allowed is text of 1 to {MAX_WORD_CHARACTERS} characters"
        self.problem(line, f"video {shown(entry.name)}: {what} {shown(value)}; {allowed}", entry.file)
        return None


def read_text(path: Path) -> str:
    """A file's text; raises DatasetUnusable where it is too large, not there or not UTF-8."""
    return as_text(read_bytes(path), path)


def as_text(content: bytes, path: Path) -> str:
    """A file's content as text; raises DatasetUnusable where it is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        raise DatasetUnusable(f"{path}: byte {err.start} is not UTF-8 text") from err


def read_bytes(path: Path) -> bytes:
    """A file's content; raises DatasetUnusable where it is too large or not there."""
    try:
        if not path.is_file():
            raise DatasetUnusable(f"{path}: {'not a regular file' if path.exists() else 'no such file'}")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise DatasetUnusable(f"{path}: larger than {MAX_FILE_BYTES} bytes")
        return path.read_bytes()
    except OSError as err:
        raise DatasetUnusable(f"{path}: {err.strerror}") from err


def wrong_with_name(name: str) -> str | None:
    """Why no video under the videos folder can have this name, if so."""
    if not name.strip():
        return "is empty"
    if len(name) > MAX_NAME_CHARACTERS:
        return f"is longer than {MAX_NAME_CHARACTERS} characters"
    if _has_control_characters(name):
        return "holds characters that are not text"
    if name.startswith("/") or PureWindowsPath(name).drive or ".." in PurePosixPath(name.replace("\\", "/")).parts:
        return "leads outside the videos folder"
    return None


def as_span(start: object, end: object) -> tuple[float, float] | str:
    """Two values as the start and end of an interval in seconds, or why they cannot be."""
    times = []
    for what, value in (("start", start), ("end", end)):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{what} {shown(value)} is not a number of seconds"
        if value < 0:
            return f"{what} {shown(value)} is negative"
        if not value <= MAX_SECONDS:  # NaN, too
            return f"{what} {shown(value)} is not a time; allowed are 0 to {MAX_SECONDS:.0f} seconds"
        times.append(float(value))
    if times[0] == times[1]:
        return f"interval from {start} to {end} is empty"
    if times[0] > times[1]:
        return f"interval from {start} to {end} is reversed"
    return times[0], times[1]


def _has_control_characters(text: str) -> bool:
    return any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)
