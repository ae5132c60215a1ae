"""Tries a source once: what is it, and does it give a picture?"""

import threading
import time
from collections import deque

from services.ingest.readers.reader import ReadJob
from services.ingest.readers.reading import reading
from services.ingest.sources.options import ReadOptions
from shared.errors import SourceFailed
from shared.probes import PROBE_SECONDS, ProbeReport
from shared.sources import Source
from shared.streams import DEFAULT_FPS
from shared.waiting import Stopped


class Deadline(threading.Event):
    """Is set once `stop` is, or after so many seconds from now."""

    def __init__(self, stop: threading.Event, seconds: float) -> None:
        super().__init__()
        self._stop = stop
        self._at = time.monotonic() + seconds

    def is_set(self) -> bool:
        """Whether the time is over."""
        return self._stop.is_set() or time.monotonic() >= self._at

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until it is set, for so many seconds at most; returns whether it is."""
        left = max(0.0, self._at - time.monotonic())
        self._stop.wait(left if timeout is None else min(left, timeout))
        return self.is_set()


def probe(
    source: Source, options: ReadOptions, stop: threading.Event, limit_seconds: float = PROBE_SECONDS
) -> ProbeReport:
    """What an allowed source is, with its first picture, read by a process of its own.

    Raises SourceFailed with the reason, also where `limit_seconds` pass, and Stopped once `stop` is set.
    """
    began, waits = time.monotonic(), deque[str](maxlen=1)
    job, deadline = ReadJob(source, DEFAULT_FPS, options=options), Deadline(stop, limit_seconds)
    try:
        with reading(job, deadline, waiting=waits.append) as opened:
            picture = next(opened.pictures(), None)
            took_seconds, info = time.monotonic() - began, opened.info
    except Stopped:
        if stop.is_set():
            raise
        raise SourceFailed(": ".join((f"gave no picture within {limit_seconds:g} s", *waits))) from None
    if picture is None:
        raise SourceFailed("holds no pictures")
    return ProbeReport(
        took_seconds=round(took_seconds, 3),
        codec=info.codec,
        width=info.width,
        height=info.height,
        fps=info.fps,
        duration_seconds=info.duration_seconds,
        jpeg=picture.jpeg,
    )
