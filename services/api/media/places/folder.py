"""A folder of events' files: `<stream id>/<event id>/<name>`."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from starlette.concurrency import run_in_threadpool

from services.api.media.places.place import MAX_READ_BYTES, REPLACED, MediaFacts, MediaUnavailable, Sizes

UNFINISHED: Final = ".part"


class EventFolder:
    """Files on a disk: under another name first, renamed once they are on it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, event_id: str, name: str) -> Path:
        """Where an event's file lies, if there is one."""
        return self.root / event_id.partition(".")[0] / event_id / name

    def put(self, event_id: str, name: str, content: bytes | Path) -> None:
        """Writes a file, or what lies at a path."""
        target = self.path(event_id, name)
        unfinished = target.with_name(f".{name}.{secrets.token_hex(4)}{UNFINISHED}")
        with _translated():
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with unfinished.open("xb") as file:
                    if isinstance(content, bytes):
                        file.write(content)
                    else:
                        with content.open("rb") as source:
                            shutil.copyfileobj(source, file, 1 << 20)
                    file.flush()
                    os.fsync(file.fileno())
                unfinished.rename(target)
            finally:
                unfinished.unlink(missing_ok=True)

    def read(self, event_id: str, name: str) -> bytes:
        """All of a file; raises FileNotFoundError."""
        with _translated(), self.path(event_id, name).open("rb") as file:
            content = file.read(MAX_READ_BYTES + 1)
        if len(content) > MAX_READ_BYTES:
            raise FileNotFoundError(name)
        return content

    def delete(self, event_id: str, name: str) -> None:
        """Removes a file, if it is there."""
        with _translated():
            self.path(event_id, name).unlink(missing_ok=True)

    def remove(self, event_id: str) -> None:
        """Removes all that is kept of an event, and its stream's folder with the last one."""
        folder = self.path(event_id, "")
        with _translated():
            with suppress(FileNotFoundError):
                shutil.rmtree(folder)
            with suppress(OSError):  # others of the stream are there
                folder.parent.rmdir()

    def sizes(self, event_id: str) -> Sizes:
        """The files of an event, those among them that were not finished."""
        with _translated(), suppress(FileNotFoundError), os.scandir(self.path(event_id, "")) as entries:
            return {entry.name: entry.stat(follow_symlinks=False).st_size for entry in entries if entry.is_file()}
        return {}

    def streams(self) -> Iterator[str]:
        """Ids of the streams of which anything lies there."""
        yield from _folders(self.root)

    def files(self, stream_id: str) -> dict[str, Sizes]:
        """The events of a stream of which anything lies there."""
        names = _folders(self.root / stream_id)
        return {name: self.sizes(name) for name in names if name.partition(".")[0] == stream_id}

    async def facts(self, event_id: str, name: str) -> MediaFacts:
        """What is known of a file; raises FileNotFoundError."""
        return await run_in_threadpool(self._facts, event_id, name)

    async def part(self, event_id: str, name: str, etag: str, first: int, end: int) -> bytes:
        """Bytes from `first` up to, and without, `end`."""
        return await run_in_threadpool(self._part, event_id, name, etag, first, end)

    def _facts(self, event_id: str, name: str) -> MediaFacts:
        with _translated():
            return _facts_of(self.path(event_id, name).stat())

    def _part(self, event_id: str, name: str, etag: str, first: int, end: int) -> bytes:
        try:
            with _translated(), self.path(event_id, name).open("rb") as file:
                if _facts_of(os.fstat(file.fileno())).etag == etag:
                    return os.pread(file.fileno(), end - first, first)
        except FileNotFoundError:
            pass
        raise MediaUnavailable(REPLACED)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as err:
        raise MediaUnavailable(f"the folder of pictures and clips: {err.strerror or type(err).__name__}") from err


def _facts_of(told: os.stat_result) -> MediaFacts:
    return MediaFacts(told.st_size, f'"{told.st_mtime_ns:x}-{told.st_ino:x}-{told.st_size:x}"', told.st_mtime)


def _folders(path: Path) -> list[str]:
    with _translated(), suppress(FileNotFoundError), os.scandir(path) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    return []
