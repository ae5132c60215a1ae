"""The one folder that a stack writes to; locked, so that two stacks never share one."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from shared.errors import StackFailed

LOCK_WAIT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class DataFolder:
    """An open data folder; whoever inherits `lock_fd` (its Redis does) keeps it locked as long as it lives."""

    path: Path
    lock_fd: int

    @property
    def redis(self) -> Path:
        """What Redis keeps."""
        return self.path / "redis"

    @property
    def logs(self) -> Path:
        """What the services say."""
        return self.path / "logs"


@contextmanager
def open_data_folder(path: Path) -> Iterator[DataFolder]:
    """Creates (mode 0700) and locks a data folder; raises StackFailed where it cannot or another stack has it."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock_fd = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as err:
        raise StackFailed(f"data folder {path}: {err.strerror}") from err
    try:
        if not _lock(lock_fd, LOCK_WAIT_SECONDS):
            raise StackFailed(f"data folder {path}: another afterimage uses it; stop that or give --data")
        folder = DataFolder(path=path.resolve(), lock_fd=lock_fd)
        for inner in (folder.redis, folder.logs):
            inner.mkdir(mode=0o700, exist_ok=True)
        yield folder
    finally:
        os.close(lock_fd)


def remove_abandoned(parent: Path) -> None:
    """Removes the data folders under a parent that nobody has open: what killed processes left."""
    for lock in parent.glob("*/lock"):
        with suppress(OSError), lock.open() as file:
            if _lock(file.fileno(), wait_seconds=0):
                shutil.rmtree(lock.parent)


def _lock(lock_fd: int, wait_seconds: float) -> bool:
    """Locks, or gives up; waiting makes sense since the Redis of a stack just killed may still be on its way out."""
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        else:
            return True
