"""Opens a recording: once, beneath the media root, and nothing but a regular file."""

import ctypes
import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from shared.errors import SourceFailed
from shared.sources import Source

READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
"""Without waiting: a pipe that took a file's place would otherwise be waited for."""
FOLDER: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC | os.O_DIRECTORY

SYS_OPENAT2: Final = 437
RESOLVE_NO_MAGICLINKS: Final = 0x02
RESOLVE_BENEATH: Final = 0x08
NOT_OFFERED: Final = frozenset({errno.ENOSYS, errno.EPERM})
"""A kernel older than 5.6, or a container's filter that knows no such call."""
LED_AWAY: Final = frozenset({errno.EXDEV, errno.ELOOP})
MAX_TRIES: Final = 8
"""The kernel asks to try again where a folder was moved while it looked."""


class OpenHow(ctypes.Structure):
    """The kernel's struct open_how."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


@contextmanager
def opened_file(source: Source) -> Iterator[int]:
    """The descriptor of a file source, as long as the block runs.

    The path was looked at before; whatever has been put in its place since leads nowhere. Raises SourceFailed, and
    OSError where the file cannot be opened.
    """
    fd = _beneath(source.root, source.location) if source.root else os.open(source.location, READ)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise SourceFailed("not a regular file")
        yield fd
    finally:
        os.close(fd)


def _beneath(root: str, location: str) -> int:
    path = os.path.relpath(location, root)
    folder = os.open(root, FOLDER)
    try:
        fd = _openat2(folder, path)
        return _walk(folder, path) if fd is None else fd
    except OSError as err:
        if err.errno in LED_AWAY:
            raise SourceFailed("leads out of the media root, or into a circle of links") from err
        raise
    finally:
        os.close(folder)


def _openat2(folder: int, path: str) -> int | None:
    """The file beneath a folder, or None where there is no such call; raises OSError."""
    if sys.platform != "linux":
        return None
    how = OpenHow(READ, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
    call, size = ctypes.CDLL(None, use_errno=True).syscall, ctypes.c_size_t(ctypes.sizeof(how))
    number_and_place = ctypes.c_long(SYS_OPENAT2), ctypes.c_long(folder), os.fsencode(path)
    for _ in range(MAX_TRIES):
        fd: int = call(*number_and_place, ctypes.byref(how), size)
        if fd >= 0:
            return fd
        if ctypes.get_errno() not in (errno.EAGAIN, errno.EINTR):
            break
    number = ctypes.get_errno()
    if number in NOT_OFFERED:
        return None
    raise OSError(number, os.strerror(number))


def _walk(folder: int, path: str) -> int:
    """The same without that call: folder by folder, over no link, since the path had none when it was looked at."""
    *names, last = Path(path).parts or (".",)
    at = os.dup(folder)
    try:
        for name in names:
            below = _step(name, at, FOLDER)
            os.close(at)
            at = below
        return _step(last, at, READ)
    finally:
        os.close(at)


def _step(name: str, folder: int, flags: int) -> int:
    try:
        if name == os.pardir:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=folder)
    except NotADirectoryError as err:
        if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from err
        raise
