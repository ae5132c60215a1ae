"""What `afterimage analyze` is to play: one file, every video of a folder, or one camera."""

import os
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from shared.errors import SourceRefused
from shared.sources import VIDEO_SUFFIXES, Source, check_file, parse_source, path_named
from shared.words.redaction import redact

MAX_BASE_MS = (1 << 50) - 1
MAX_GLANCED = 10_000
"""Entries of subfolders that are looked at only to say that there are videos in them."""


@dataclass(frozen=True, slots=True)
class Playable:
    """A source with the id and base time that it has on every run; `base_ms` None: a camera, live."""

    stream_id: str
    name: str
    location: str
    base_ms: int | None


@dataclass(frozen=True, slots=True)
class Selection:
    """What to play, the folder that all files in it lie under, why others of a folder are left out, and which of its
    subfolders hold videos that nobody asked for."""

    sources: tuple[Playable, ...]
    media_root: Path
    refused: tuple[str, ...] = ()
    skipped: tuple[Path, ...] = ()


def find_sources(text: str, media_root: Path | None, *, recursive: bool = False) -> Selection:
    """The sources that a text names; the media root defaults to the file's folder, or the folder itself.

    `recursive` looks into a folder's subfolders, but not where links to folders lead. Raises SourceRefused naming the
    source and what is allowed.
    """
    if not _names_file(text):
        source = parse_source(text, Path.cwd())
        return Selection((Playable("camera", "camera", source.location, None),), media_root or Path.cwd())
    path = Path(path_named(text))
    if _is_folder(path):
        return _folder(path, media_root or path.resolve(), recursive=recursive)
    root = media_root or path.resolve().parent
    return Selection((_playable(path, root, _stream_id(path.name, ()), path.name),), root)


def find_source(text: str) -> Source:
    """The one file, wherever it lies, or camera that a text names; raises SourceRefused."""
    if not _names_file(text):
        return parse_source(text, Path.cwd())
    path = Path(path_named(text)).resolve()
    source = parse_source(str(path), path.parent)
    check_file(source)
    return source


def local_path(text: str) -> str | None:
    """The absolute path of a file that is there; None for anything else."""
    try:
        path = Path(text)
        return str(path.resolve()) if path.exists() else None
    except (OSError, ValueError):  # what no path can be, and would be quoted in that error
        return None


def _names_file(text: str) -> bool:
    scheme, colon, rest = text.partition(":")
    return not colon or scheme.lower() == "file" or not (scheme.lower() == "device" or rest.startswith("//"))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # too long for a name, and quoted in that error
        return False


def _folder(folder: Path, media_root: Path, *, recursive: bool) -> Selection:
    """Every video of a folder; one that is refused leaves the others be."""
    refused: list[str] = []
    below = _videos_below(folder, refused) if recursive else _videos_in(folder)
    files = sorted(below, key=lambda file: file.relative_to(folder).parts)
    skipped = () if recursive else tuple(_skipped_in(folder))
    if not files:
        elsewhere = "; its subfolders do: --recursive looks into them" if skipped else ""
        where = " and no subfolder does" if recursive else ""
        suffixes = ", ".join(sorted(VIDEO_SUFFIXES))
        raise SourceRefused(f"folder {folder}: holds no video ({suffixes}){where}{elsewhere}")
    sources: dict[str, Playable] = {}
    for file in files:
        name = file.relative_to(folder).as_posix()
        stream_id = _stream_id(name, sources)
        try:
            sources[stream_id] = _playable(file, media_root, stream_id, name)
        except SourceRefused as err:
            refused.append(f"{redact(name)}: {err}")
    return Selection(tuple(sources.values()), media_root, tuple(refused), skipped)


def _is_video(name: str) -> bool:
    return Path(name).suffix.lower() in VIDEO_SUFFIXES


def _videos_in(folder: Path) -> list[Path]:
    try:
        return [file for file in folder.iterdir() if _is_video(file.name) and not file.is_dir()]
    except OSError as err:
        raise SourceRefused(f"folder {folder}: {err.strerror}") from err


def _videos_below(folder: Path, refused: list[str]) -> Iterator[Path]:
    """Those of the folder and of all below it; links to folders are not followed, so that no circle is."""
    errors: list[OSError] = []
    for where, _, names in os.walk(folder, onerror=errors.append):
        yield from (Path(where, name) for name in names if _is_video(name))
    refused += [f"folder {err.filename}: {err.strerror}" for err in errors]


def _skipped_in(folder: Path) -> Iterator[Path]:
    """The folders right below that hold a video, on whatever level, as far as a glance shows."""
    num_left = MAX_GLANCED
    for below in sorted(each for each in folder.iterdir() if each.is_dir() and not each.is_symlink()):
        entries = (name for _, folders, names in os.walk(below) for name in (*folders, *names))
        for name in islice(entries, num_left):
            num_left -= 1
            if _is_video(name):
                yield below
                break


def _playable(file: Path, media_root: Path, stream_id: str, name: str) -> Playable:
    source = parse_source(str(file.absolute()), media_root)
    check_file(source)
    base_ms = min(max(1, file.stat().st_mtime_ns // 1_000_000), MAX_BASE_MS)
    return Playable(stream_id, redact(name[-200:]), source.location, base_ms)


def _stream_id(name: str, taken: Container[str]) -> str:
    """An id made of a file's name; the same for the same files in the same order."""
    slug = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:56] or "stream"
    number = 1
    while (stream_id := slug if number == 1 else f"{slug}-{number}") in taken:
        number += 1
    return stream_id
