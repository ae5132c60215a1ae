"""Why a source gives no video, in plain words and without its credentials."""

import errno
import ssl
from typing import Final

import av

from shared.errors import RequestFailed, SourceFailed, SourceSilent
from shared.sources import Source

AUTHENTICATION_REFUSED: Final = "authentication refused: check user name and password"
TLS_FAILED: Final = "TLS failed: no encrypted connection came about"
UNANSWERED: Final = "timed out: the camera does not answer"
BROKE: Final = "the connection broke"
NOT_FOUND: Final = "not found: the camera knows no stream of this path"
NOT_RTSP: Final = "what answers at this address gives no RTSP video"

LARGE_PART: Final = 1 / 3
"""Of a source's packets: if so many were refused, its end is a failure, with that as the reason."""
SHORT_SECONDS: Final = 2.0
SHORT_SHARE: Final = 0.05
"""By how much a recording's pictures may be shorter than it states: it has sound, or states rough figures."""

_REASONS: Final[tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...]] = (
    ((av.HTTPUnauthorizedError, av.HTTPForbiddenError), AUTHENTICATION_REFUSED),
    (av.HTTPNotFoundError, NOT_FOUND),
    (av.HTTPServerError, "the camera answers with an error of its own"),
    (av.error.HTTPClientError, "the camera refuses the request"),
    (ConnectionRefusedError, "connection refused: nothing listens at this address and port"),
    ((ConnectionResetError, ConnectionAbortedError, BrokenPipeError), BROKE),
    (ssl.SSLError, TLS_FAILED),
    (TimeoutError, "timed out"),
    ((FileNotFoundError, NotADirectoryError), "no such file"),
    (PermissionError, "permission denied"),
    (av.DecoderNotFoundError, "its codec is not supported"),
    (MemoryError, "out of memory"),
)
_NUMBERS: Final = {
    errno.EHOSTUNREACH: "no route to the host: it is off, or in another network",
    errno.EHOSTDOWN: "no route to the host: it is off, or in another network",
    errno.ENETUNREACH: "network unreachable",
    errno.EADDRNOTAVAIL: "network unreachable",
    errno.EBUSY: "in use by another program",
    errno.ENODEV: "no such device",
    errno.ENXIO: "no such device",
}


def source_failed(
    err: Exception, source: Source, *, timed_out: bool = False, silent_seconds: float | None = None
) -> SourceFailed:
    """What PyAV raised, as the error that says why; `timed_out` where the limit had passed when it was raised.

    `silent_seconds` is that limit where the source had been opened before. PyAV's own text is not used: it holds the
    URL.
    """
    if timed_out or isinstance(err, av.error.ExitError):
        return _silent(silent_seconds)
    was_open = silent_seconds is not None and not source.is_file
    return SourceFailed(_reason(err) or ("the stream broke off" if was_open else _nothing(err, source)))


def http_failed(err: Exception, limit_seconds: float, *, connected: bool) -> SourceFailed:
    """What a socket raised, before or after it was connected, or httpx of what came by it."""
    if isinstance(err, TimeoutError):
        return _silent(limit_seconds if connected else None)
    if isinstance(err, OSError):
        return RequestFailed(_reason(err) or (BROKE if connected else "no connection came about"))
    return RequestFailed("what answers at this address does not speak HTTP")


def status_failed(status: int) -> RequestFailed:
    """An HTTP answer that is no success."""
    if status in (401, 403):
        return RequestFailed(AUTHENTICATION_REFUSED)
    if status in (404, 410):
        return RequestFailed(NOT_FOUND)
    problem = "refuses the request" if status < 500 else "answers with an error of its own"
    return RequestFailed(f"the camera {problem} (HTTP status {status})")


def rtsp_refused(status: int) -> SourceFailed:
    """An RTSP answer that is no success, or an HTTP one to a tunnel."""
    if status == 461:
        return SourceFailed("the camera does not offer this rtsp_transport: try another (tcp, udp, http, https)")
    if status in (401, 403, 404, 410):
        return status_failed(status)
    problem = "refuses the request" if status < 500 else "answers with an error of its own"
    return SourceFailed(f"the camera {problem} (RTSP status {status})")


def check_packets(num_refused: int, num_packets: int) -> None:
    """Raises SourceFailed where a large part of a recording's packets did not decode."""
    if num_refused >= LARGE_PART * num_packets:
        raise SourceFailed(f"{num_refused} of its {num_packets} packets could not be decoded")


def shortfall(seconds: float, stated_seconds: float | None) -> str | None:
    """What to say of a recording whose pictures end well before it says that they do; None where all is well.

    It may have been cut off, on the way or as it was copied; or only its sound goes on.
    """
    if stated_seconds is None or stated_seconds - seconds <= max(SHORT_SECONDS, SHORT_SHARE * stated_seconds):
        return None
    return f"its pictures end after {seconds:.1f} s of the {stated_seconds:.1f} s that it states"


def _silent(seconds: float | None) -> SourceFailed:
    """For so many seconds, or so long that it never was open."""
    return SourceSilent(f"no data for {seconds:g} s") if seconds else SourceFailed(UNANSWERED)


def _reason(err: Exception) -> str | None:
    for kinds, reason in _REASONS:
        if isinstance(err, kinds):
            return reason
    return _NUMBERS.get(err.errno or 0) if isinstance(err, OSError) else None


def _nothing(err: Exception, source: Source) -> str:
    """What is left to say where the error itself says nothing."""
    if source.location.startswith("rtsps:") and isinstance(err, OSError):
        return TLS_FAILED
    return {
        "file": "not a video file that can be read here, or damaged",
        "device": "not a camera that gives video",
        "http": "what answers at this address gives no video",
        "rtsp": NOT_RTSP,
    }[source.kind]
