"""Where clips are cut: a folder on this machine's own disk, emptied of what recorders that died left in it."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Container
from pathlib import Path
from typing import Final, Self

from services.api.media.cutting.under_way import Draft

PREFIX: Final = "afterimage-clips-"
MAX_WAITING_BYTES: Final = 32_000_000
"""Of drafts that wait for their place; of compose's `/tmp` it is half."""


class CuttingBench:
    """Has a folder for each event that is cut, from entering to leaving the context. Used by one thread.

    Its own folder is locked as long as the process lives: one without a lock is nobody's. Methods raise OSError.
    """

    def __init__(self, root: Path | None = None) -> None:
        self._root = root or Path(tempfile.gettempdir())
        self.drafts: dict[str, Draft] = {}
        """What is cut and not in its place yet, by event."""

    def __enter__(self) -> Self:
        """Takes a folder, and removes those of the dead."""
        self._folder, self._lock = _locked_folder(self._root)
        for left in self._root.glob(f"{PREFIX}*"):
            _remove_if_free(left)
        return self

    def __exit__(self, *_exception: object) -> None:
        """Leaves nothing."""
        shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._lock)

    @property
    def has_room(self) -> bool:
        """Whether one more event may be cut, whatever it takes."""
        return sum(each.record.num_bytes for each in self.drafts.values()) < MAX_WAITING_BYTES

    def folder(self, event_id: str) -> Path:
        """An empty folder for an event."""
        self.clear(event_id)
        folder = self._folder / event_id
        folder.mkdir()
        return folder

    def clear(self, event_id: str) -> None:
        """Forgets what was cut of an event."""
        self.drafts.pop(event_id, None)
        shutil.rmtree(self._folder / event_id, ignore_errors=True)

    def tidy(self, under_way: Container[str]) -> None:
        """Forgets what was cut of events that are under way no more."""
        for event_id in [each for each in self.drafts if each not in under_way]:
            self.clear(event_id)


def _locked_folder(root: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        if _is_locked(lock) and folder.exists():
            return folder, lock
        os.close(lock)  # somebody took it for a dead one's, in between


def _remove_if_free(folder: Path) -> None:
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return  # it has gone, or is another user's
    try:
        if _is_locked(lock):
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def _is_locked(folder: int) -> bool:
    """Whether the lock could be had."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
