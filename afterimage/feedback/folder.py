"""A data set out of feedback, on disk: `annotations.json`, and the clips that it names."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from afterimage.feedback.clips import JudgedClip, Outside, Record, annotated
from shared.errors import DatasetUnusable
from shared.words.validation import first_problem

ANNOTATIONS: Final = "annotations.json"
VERSION: Final = "afterimage feedback 1"
MAX_BYTES: Final = 256 << 20
"""of annotations; no reader takes more"""
UNFINISHED: Final = ".part"

Licence = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Terms(BaseModel):
    """What holds for the whole data set; it stays when clips are added."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    split: Literal["event", "stream"] = "event"
    outside: Outside = "unjudged"
    licence: Licence | None = None


class _Video(Record):
    subset: Any
    event: dict[str, Any]


class _File(Record):
    version: Literal["afterimage feedback 1"]
    terms: Terms
    database: dict[str, _Video]


class FeedbackFolder:
    """Clips by their events' ids. Every file gets its name once it is whole. Methods raise DatasetUnusable."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.terms = Terms()
        self.clips: dict[str, JudgedClip] = {}

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Makes the folder, or reads what it holds, and keeps others out; at the end, whatever ends it, all is written.

        What an earlier run left unfinished goes.
        """
        with _told(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as err:
                raise DatasetUnusable(f"{self.root}: another run writes to it") from err
            self._read()
            with _told(self.root):
                for left in (self.root / "clips").glob(f"*/.*{UNFINISHED}"):
                    left.unlink()
            try:
                yield
            finally:
                self.save()
        finally:
            os.close(lock)

    def set_terms(self, given: Mapping[str, str | None]) -> None:
        """Changes those of the terms that are given."""
        try:
            self.terms = Terms.model_validate(
                self.terms.model_dump() | {k: v for k, v in given.items() if v is not None}
            )
        except ValidationError as err:
            raise DatasetUnusable(first_problem(err)) from err

    def has(self, event_id: str) -> bool:
        """Whether a clip is there."""
        return event_id in self.clips and (self.root / self.clips[event_id].name).is_file()

    def add(self, clip: JudgedClip, write: Callable[[BinaryIO], None]) -> None:
        """Takes a clip in, whose file `write` writes; what that raises leaves nothing behind."""
        path = self.root / clip.name
        if not path.is_file():  # a run that was killed had no time to name it
            with _told(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                _put(path, write)
        self.clips[clip.event_id] = clip

    def drop(self, event_id: str) -> None:
        """Lets a clip go."""
        clip = self.clips.pop(event_id)
        with _told(self.root / clip.name):
            (self.root / clip.name).unlink(missing_ok=True)

    def save(self) -> None:
        """Writes the annotations; where there was never a clip, none."""
        path = self.root / ANNOTATIONS
        if not self.clips and not path.exists():
            return
        content = {
            "version": VERSION,
            "terms": self.terms.model_dump(),
            "labels": sorted({clip.label for clip in self.clips.values()}),
            "database": annotated(list(self.clips.values()), self.terms.outside),
        }
        text = json.dumps(content, indent=1).encode()
        with _told(path):
            _put(path, lambda file: file.write(text))

    def _read(self) -> None:
        path = self.root / ANNOTATIONS
        try:
            if path.stat().st_size > MAX_BYTES:
                raise DatasetUnusable(f"{path}: larger than {MAX_BYTES} bytes")
            found = _File.model_validate_json(path.read_bytes())
            videos = found.database.values()
            clips = [JudgedClip.model_validate({**each.event, "subset": each.subset}) for each in videos]
        except FileNotFoundError:
            return
        except OSError as err:
            raise DatasetUnusable(f"{path}: {err.strerror}") from err
        except ValidationError as err:
            words = f"{first_problem(err)}; it was not written by `dataset from-feedback`: give another folder"
            raise DatasetUnusable(f"{path}: {words}") from err
        self.terms, self.clips = found.terms, {clip.event_id: clip for clip in clips}


def _put(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Writes a file beside its place, and names it once it is on the disk."""
    unfinished = path.with_name(f".{path.name}{UNFINISHED}")
    try:
        with unfinished.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What the system says of a file, as an error of ours."""
    try:
        yield
    except OSError as err:
        raise DatasetUnusable(f"{path}: {err.strerror or err}") from err
