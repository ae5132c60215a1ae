"""Why a source gives no video, in plain words and without its credentials."""

import socket
from typing import Final
from urllib.parse import urlsplit

import av

from shared.errors import SourceFailed

_REASONS: Final[tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...]] = (
    ((av.HTTPUnauthorizedError, av.HTTPForbiddenError), "authentication refused: check user name and password"),
    (av.HTTPNotFoundError, "the camera knows no stream of this path"),
    (ConnectionRefusedError, "connection refused: nothing listens at this address and port"),
    ((ConnectionResetError, ConnectionAbortedError, BrokenPipeError), "the connection broke"),
    (TimeoutError, "timed out"),
    (FileNotFoundError, "no such file"),
    (PermissionError, "permission denied"),
    (av.DecoderNotFoundError, "its codec is not supported"),
    (MemoryError, "out of memory"),
)


def source_failed(err: Exception, location: str, *, is_file: bool, timed_out: bool = False) -> SourceFailed:
    """What PyAV raised, as the error that says why; `timed_out` where the limit had passed when it was raised.

    PyAV's own text is not used: it holds the URL.
    """
    if timed_out:
        return SourceFailed("timed out: the camera does not answer")
    for kinds, reason in _REASONS:
        if isinstance(err, kinds):
            return SourceFailed(reason)
    if is_file:
        return SourceFailed("not a video file that can be read here, or damaged")
    if not _resolves(urlsplit(location).hostname or ""):
        return SourceFailed("host not found")
    return SourceFailed("what answers at this address gives no RTSP video")


def _resolves(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, None))
    except OSError:
        return False
