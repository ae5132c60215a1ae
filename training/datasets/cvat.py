"""Annotations in the XML of "CVAT for video 1.1" (and "for images", whose images are then a video's frames).

Frame numbers in it are the source video's own, whatever `start_frame` and `frame_filter` the task had. Source:
https://docs.cvat.ai/docs/other/xml_format and what CVAT's own exporter writes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from shared.errors import DatasetUnusable
from shared.words.validation import shown
from training.datasets.annotations import Listing, Segment

SHAPES: Final = frozenset({"box", "polygon", "polyline", "points", "cuboid", "ellipse", "mask", "skeleton"})
MAX_FRAME: Final = 1_000_000_000
MAX_DEPTH: Final = 64
DEFAULT_SUBSET: Final = "default"
"""CVAT's word for a task without a subset"""


@dataclass(slots=True)
class _Task:
    line: int
    words: dict[str, str] = field(default_factory=dict)

    @property
    def step(self) -> int:
        """Source frames between two frames of the task."""
        word = self.words.get("frame_filter", "").removeprefix("step=").strip()
        return max(1, int(word)) if word.isdecimal() and len(word) < 10 else 1


@dataclass(slots=True)
class _Shown:
    """A shape of a track on one frame."""

    frame: int
    line: int
    outside: bool
    keyframe: bool


@dataclass(slots=True)
class _Track:
    label: str
    task_id: str | None
    line: int
    shapes: list[_Shown] = field(default_factory=list)


def read_cvat(content: bytes, listing: Listing) -> None:
    """Reads a whole file's content into the listing; raises DatasetUnusable where it is other XML or none."""
    document = _Document(listing)
    document.parse(content)
    if document.root != "annotations" or not document.tasks:
        raise DatasetUnusable(
            f"{listing.source}: XML, but not CVAT's: allowed is its `<annotations>` with `<meta>` and a `<task>` in it"
        )
    if document.labels:
        listing.labels = document.labels
    spans: dict[tuple[str, str], list[_Span]] = {}
    for track in document.tracks:
        task = _task_of(track, document.tasks, listing)
        if task is not None and track.shapes:
            spans.setdefault((_video_name(task), track.label), []).extend(_spans(track, task.step))
    for task in document.tasks:
        entry = listing.entry(_video_name(task), task.line)
        if entry is not None:
            entry.in_frames = True
            subset = task.words.get("subset")
            entry.subset = listing.word(entry, "subset", None if subset == DEFAULT_SUBSET else subset, task.line)
            entry.fps = _stated_rate(task)
    for (name, label), found in spans.items():
        if name in listing.entries:
            for span in _merged(found):
                listing.segment(listing.entries[name], Segment(label, span.first, span.end, listing.source, span.line))


@dataclass(frozen=True, slots=True, order=True)
class _Span:
    """Frames from `first` to before `end`."""

    first: int
    end: int
    line: int


def _spans(track: _Track, step: int) -> list[_Span]:
    """Where a track is shown.

    An export lists every frame on which it is, so a gap ends it; but where all that is listed are keyframes, it is
    shown from each to the next, as CVAT itself reads them.
    """
    shapes = sorted(track.shapes, key=lambda shape: shape.frame)
    only_keyframes = all(shape.keyframe for shape in shapes)
    spans = []
    for shape, after in zip(shapes, [*shapes[1:], None], strict=True):
        if not shape.outside:
            held = only_keyframes and after is not None
            spans.append(_Span(shape.frame, after.frame if held and after else shape.frame + step, shape.line))
    return spans


def _merged(spans: Iterable[_Span]) -> list[_Span]:
    """The same frames in as few spans as can be."""
    merged: list[_Span] = []
    for span in sorted(spans):
        if merged and span.first <= merged[-1].end:
            merged[-1] = _Span(merged[-1].first, max(merged[-1].end, span.end), merged[-1].line)
        elif span.end > span.first:
            merged.append(span)
    return merged


def _task_of(track: _Track, tasks: list[_Task], listing: Listing) -> _Task | None:
    """The task whose video a track is in; a project's tracks name it."""
    for task in tasks:
        if len(tasks) == 1 or (track.task_id is not None and track.task_id == task.words.get("id")):
            return task
    listing.problem(track.line, f"label {shown(track.label)}: task_id {shown(track.task_id)} is none of the tasks'")
    return None


def _video_name(task: _Task) -> str:
    return task.words.get("source") or task.words.get("name") or ""


def _stated_rate(task: _Task) -> float | None:
    """The frame rate, where somebody added it; CVAT itself does not say it."""
    try:
        rate = float(task.words.get("fps", ""))
    except ValueError:
        return None
    return rate if 0.01 <= rate <= 1000 else None


class _Document:
    """What is read while the XML is parsed; DTDs and entities are refused, as they can be made to grow or to fetch."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._parser = expat.ParserCreate()
        self._path: list[str] = []
        self._text: list[str] = []
        self._image: tuple[int, str | None] | None = None
        self.root = ""
        self.tasks: list[_Task] = []
        self.labels: list[tuple[str, int | None]] = []
        self.tracks: list[_Track] = []

    def parse(self, content: bytes) -> None:
        """Reads the whole document; raises DatasetUnusable with the line where it does not parse."""
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.EntityDeclHandler = self._refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text.append
        try:
            self._parser.Parse(content, True)  # noqa: FBT003  (takes no keywords)
        except expat.ExpatError as err:
            raise DatasetUnusable(f"{self._listing.source}:{err.lineno}: not valid XML: {err}") from err

    def _refuse(self, *_details: object) -> None:
        raise DatasetUnusable(f"{self._listing.source}:{self._line}: XML with a DTD or entities; CVAT writes none")

    @property
    def _line(self) -> int:
        return self._parser.CurrentLineNumber

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._path.append(tag)
        self._text.clear()
        if len(self._path) > MAX_DEPTH:
            raise DatasetUnusable(f"{self._listing.source}:{self._line}: XML nested deeper than {MAX_DEPTH}")
        match self._path:
            case [root]:
                self.root = root
            case [_, "meta", "task" | "job"] | [_, "meta", "project", "tasks", "task"]:
                self.tasks.append(_Task(self._line))
            case [_, "track"]:
                self.tracks.append(_Track(attributes.get("label", ""), attributes.get("task_id"), self._line))
            case [_, "track", shape] if shape in SHAPES:
                self._shape(shape, attributes)
            case [_, "track", "skeleton", _] if self.tracks[-1].shapes and attributes.get("outside") == "0":
                self.tracks[-1].shapes[-1].outside = False
            case [_, "image"]:
                frame = self._frame(attributes.get("id"))
                self._image = None if frame is None else (frame, attributes.get("task_id"))
            case [_, "image", shape] if shape in SHAPES or shape == "tag":
                self._on_image(attributes)
            case [_, "tag"] if (frame := self._frame(attributes.get("frame"))) is not None:
                self._single(attributes, frame, attributes.get("task_id"))

    def _end(self, _tag: str) -> None:
        match self._path:
            case [_, "meta", "task" | "job", word] | [_, "meta", "project", "tasks", "task", word]:
                self.tasks[-1].words.setdefault(word, "".join(self._text).strip())
            case [_, "meta", *_, "labels", "label", "name"]:
                self.labels.append(("".join(self._text).strip(), self._line))
        self._path.pop()
        self._text.clear()

    def _shape(self, tag: str, attributes: dict[str, str]) -> None:
        frame = self._frame(attributes.get("frame"))
        if frame is not None:
            # a skeleton is shown where one of its elements is; only they say so
            outside = attributes.get("outside", "1" if tag == "skeleton" else "0") == "1"
            keyframe = attributes.get("keyframe") == "1"
            self.tracks[-1].shapes.append(_Shown(frame, self._line, outside, keyframe))

    def _on_image(self, attributes: dict[str, str]) -> None:
        if self._image is not None:
            self._single(attributes, *self._image)

    def _single(self, attributes: dict[str, str], frame: int, task_id: str | None) -> None:
        """A label on one frame alone."""
        shape = _Shown(frame, self._line, outside=False, keyframe=False)
        self.tracks.append(_Track(attributes.get("label", ""), task_id, self._line, [shape]))

    def _frame(self, word: str | None) -> int | None:
        if word is not None and word.isdecimal() and len(word) <= 10 and int(word) <= MAX_FRAME:
            return int(word)
        self._listing.problem(self._line, f"frame {shown(word)}; allowed are 0 to {MAX_FRAME}")
        return None
