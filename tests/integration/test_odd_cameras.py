"""Cameras that do not do as they should, read over RTSP by a reader of their own."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from odd_cameras import odd_camera

from services.ingest.readers.reader import ReadJob
from services.ingest.readers.reading import Reading, reading
from services.ingest.sources.options import ReadOptions
from shared.sources import Source


@contextmanager
def watched(url: str, fps: float, stall_seconds: float, waits: list[str] | None = None) -> Iterator[Reading]:
    options = ReadOptions(stall_seconds=stall_seconds, skip="auto")
    job, heard = ReadJob(Source(url, "rtsp"), fps, options=options), [] if waits is None else waits
    with reading(job, threading.Event(), waiting=heard.append) as source:
        yield source


def test_a_keyframe_that_is_long_in_coming_is_waited_for(reference_cases: Path) -> None:
    """The camera tells its size at once, or with the keyframe only."""

    def look(sprop: int) -> None:
        waits: list[str] = []
        with odd_camera(reference_cases, "g60s.h264", fps=10, start=530, sprop=sprop) as url:
            with watched(url, 8.0, 1.5, waits) as source:
                pictures = list(islice(source.pictures(), 5))
            assert (source.info.width, source.info.height) == (320, 180)
        assert set(waits) == {"waiting for a keyframe"}
        assert [picture.point for picture in pictures] == list(range(5))

    with ThreadPoolExecutor() as pool:
        list(pool.map(look, (1, 0)))
