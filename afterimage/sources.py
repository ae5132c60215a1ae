"""What `afterimage analyze` is to play: one file, every video of a folder, or one camera."""

import re
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from shared.errors import SourceRefused
from shared.redaction import redact
from shared.sources import VIDEO_SUFFIXES, Source, check_file, parse_source, path_named

MAX_BASE_MS = (1 << 50) - 1


@dataclass(frozen=True, slots=True)
class Playable:
    """A source with the id and base time that it has on every run; `base_ms` None: a camera, live."""

    stream_id: str
    name: str
    location: str
    base_ms: int | None


@dataclass(frozen=True, slots=True)
class Selection:
    """What to play, the folder that all files in it lie under, and why others of a folder are left out."""

    sources: tuple[Playable, ...]
    media_root: Path
    refused: tuple[str, ...] = ()


def find_sources(text: str, media_root: Path | None) -> Selection:
    """The sources that a text names; the media root defaults to the file's folder, or the folder itself.

    Raises SourceRefused naming the source and what is allowed.
    """
    if not _names_file(text):
        source = parse_source(text, Path.cwd())
        return Selection((Playable("camera", "camera", source.location, None),), media_root or Path.cwd())
    path = Path(path_named(text))
    if _is_folder(path):
        return _folder(path, media_root or path.resolve())
    root = media_root or path.resolve().parent
    return Selection((_playable(path, root, _stream_id(path.name, ())),), root)


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


def _folder(folder: Path, media_root: Path) -> Selection:
    """Every video of a folder; one that is refused leaves the others be."""
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in VIDEO_SUFFIXES)
    if not files:
        raise SourceRefused(f"folder {folder}: holds no video ({', '.join(sorted(VIDEO_SUFFIXES))})")
    sources: dict[str, Playable] = {}
    refused = []
    for file in files:
        stream_id = _stream_id(file.name, sources)
        try:
            sources[stream_id] = _playable(file, media_root, stream_id)
        except SourceRefused as err:
            refused.append(f"{redact(file.name)}: {err}")
    return Selection(tuple(sources.values()), media_root, tuple(refused))


def _playable(file: Path, media_root: Path, stream_id: str) -> Playable:
    source = parse_source(str(file.absolute()), media_root)
    check_file(source)
    base_ms = min(max(1, file.stat().st_mtime_ns // 1_000_000), MAX_BASE_MS)
    return Playable(stream_id, redact(file.name[:200]), source.location, base_ms)


def _stream_id(name: str, taken: Container[str]) -> str:
    """An id made of a file's name; the same for the same files in the same order."""
    slug = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:56] or "stream"
    number = 1
    while (stream_id := slug if number == 1 else f"{slug}-{number}") in taken:
        number += 1
    return stream_id
