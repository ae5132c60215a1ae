"""A stream's record, read from what several services wrote, and what of it this version cannot read.

A part may be damaged, or of a newer version. That concerns its own stream alone: whoever reads it leaves that stream
be and says why, and all others go on.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Final, Self, TypeVar

from pydantic import ValidationError

from shared.streams import InferenceStatus, Progress, StreamSpec, StreamStatus
from shared.words.versions import LaterVersion

if TYPE_CHECKING:
    from shared.words.sealing import Vault

FIELD_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
MAX_DEPTH: Final = 4
SPEC: Final = "spec"

Part = TypeVar("Part")
Stored = bytes | Exception | None
"""What Redis has of a part: nothing, or an error where its key is of another type."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A spec that this version cannot read; `what` names the part and the field, never a value."""

    stream_id: str
    what: str


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """All that is known of one stream at one moment; stand-ins take the place of the parts that are `unreadable`."""

    spec: StreamSpec
    status: StreamStatus
    progress: Progress
    frames_published: int
    inference: InferenceStatus
    unreadable: tuple[str, ...] = ()

    @classmethod
    def parse(cls, stream_id: str, parts: Sequence[Stored], vault: "Vault | None" = None) -> Self:
        """The record of which Redis has these parts: spec, status, progress, published, inference."""
        spec, status, progress, published, inference = parts
        wrong: list[str] = []

        def read(part: str, stored: Stored, parse: Callable[[bytes], Part], otherwise: Part) -> Part:
            try:
                if not isinstance(stored, Exception):
                    return otherwise if stored is None else parse(stored)
                wrong.append(part)
            except ValueError as err:
                wrong.append(_place(part, err))
            return otherwise

        passed = read("progress", progress, Progress.parse, Progress(0))
        none = _stand_in(stream_id, passed.generation)
        wanted = read(SPEC, spec, lambda text: _own_spec(stream_id, text, vault), none)
        seen = StreamStatus(generation=wanted.generation)
        return cls(
            spec=wanted,
            status=read("status", status, StreamStatus.model_validate_json, seen),
            progress=passed,
            frames_published=read("published", published, _count, 0),
            inference=read("inference", inference, InferenceStatus.model_validate_json, InferenceStatus()),
            unreadable=tuple(wrong),
        )

    @property
    def problem(self) -> str | None:
        """Why nobody can work on the stream, if so."""
        return problem_of(", ".join(self.unreadable)) if self.unreadable else None

    @property
    def lag_frames(self) -> int:
        """Frames published that inference has not passed yet."""
        return max(0, self.frames_published - self.progress.sequence)

    @property
    def frames_dropped(self) -> int:
        """Frames that inference never saw: lost before they reached the queue, or in it."""
        before = self.status.frames_dropped if self.status.generation == self.spec.generation else 0
        return before + max(0, self.progress.sequence - self.progress.frames_processed)


def parsed_spec(name: bytes | str, text: bytes, vault: "Vault | None" = None) -> StreamSpec | Unreadable:
    """The spec that is stored under a stream's id."""
    stream_id = name.decode(errors="backslashreplace") if isinstance(name, bytes) else name
    try:
        return _own_spec(stream_id, text, vault)
    except ValueError as err:
        return Unreadable(stream_id, _place(SPEC, err))


def problem_of(what: str) -> str:
    """The reason to show for what cannot be read."""
    return f"its record cannot be read by this version: {what}"


def _own_spec(stream_id: str, text: bytes, vault: "Vault | None") -> StreamSpec:
    spec = StreamSpec.model_validate_json(text, context=vault)
    if spec.id != stream_id:
        raise ValueError("another's")
    return spec


def _stand_in(stream_id: str, generation: int) -> StreamSpec:
    """A spec that says nothing, for one that nobody can read."""
    return StreamSpec.model_construct(
        id=stream_id, name=stream_id, source="", base_ms=0, generation=generation, created_at_ms=0
    )


def _count(text: bytes) -> int:
    if not text.isdigit():
        raise ValueError("is no number")
    return int(text)


def _place(part: str, err: ValueError) -> str:
    """`part.field`, as far as the field's name looks like one: what else stands there may be anything."""
    if not isinstance(err, ValidationError):
        return part
    problem = err.errors(include_url=False, include_input=False)[0]
    if isinstance(later := problem.get("ctx", {}).get("error"), LaterVersion):
        return f"{part} ({later})"
    if problem["type"] == "json_invalid":
        return f"{part} (not JSON)"
    return ".".join((part, *_names(problem["loc"])))


def _names(path: tuple[int | str, ...]) -> Iterator[str]:
    return takewhile(FIELD_NAME.fullmatch, (str(name) for name in path[:MAX_DEPTH]))
