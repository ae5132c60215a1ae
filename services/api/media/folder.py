"""The folder of events' files: `<stream id>/<event id>/<name>`, each whole or not there."""

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

CLIP: Final = "clip.mp4"
TIMES: Final = "times.json"
UNFINISHED: Final = ".part"


def picture_name(kind: str) -> str:
    """The file of a kind of picture."""
    return f"{kind}.jpg"


class EventFolder:
    """Files by event. Names are those that stream ids and labels allow, so no path leads elsewhere.

    Methods raise OSError, but for what is gone already.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def file(self, event_id: str, name: str) -> Path:
        """Where an event's file lies, if there is one."""
        return self.root / event_id.partition(".")[0] / event_id / name

    def put(self, event_id: str, name: str, content: bytes | Path) -> int:
        """Writes a file, or takes over what lies at a path, and returns its bytes; who looks sees all of it or nothing.

        Under a temporary name first, renamed once it is on the disk.
        """
        target = self.file(event_id, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".{name}.{secrets.token_hex(4)}{UNFINISHED}")
        try:
            with unfinished.open("xb") as file:
                if isinstance(content, bytes):
                    file.write(content)
                else:
                    with content.open("rb") as source:
                        shutil.copyfileobj(source, file, 1 << 20)
                file.flush()
                os.fsync(file.fileno())
                size = file.tell()
            unfinished.rename(target)
        finally:
            unfinished.unlink(missing_ok=True)
        return size

    def remove(self, event_id: str) -> None:
        """Removes all that is kept of an event."""
        folder = self.file(event_id, "").parent / event_id
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            raise OSError(f"{folder}: cannot be removed")
        try:
            folder.parent.rmdir()
        except OSError:
            return  # others of the stream are there

    def sizes(self, event_id: str) -> dict[str, int]:
        """Name → bytes of the files of an event, those among them that were not finished."""
        return _sizes(self.file(event_id, ""))

    def events(self) -> Iterator[str]:
        """Ids of the events of which anything lies there; what else lies there is nobody's, and left alone."""
        for stream in _folders(self.root):
            for event in _folders(Path(stream.path)):
                if event.name.partition(".")[0] == stream.name:
                    yield event.name


def _folders(path: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(path) as entries:
            return sorted(
                (entry for entry in entries if entry.is_dir(follow_symlinks=False)), key=lambda each: each.name
            )
    except FileNotFoundError:
        return []


def _sizes(folder: Path) -> dict[str, int]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat(follow_symlinks=False).st_size for entry in entries if entry.is_file()}
    except FileNotFoundError:
        return {}
