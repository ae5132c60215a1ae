"""Cameras that do not do as they should, read over RTSP by a reader of their own."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest
from ingest_runner import IngestRunner
from odd_cameras import odd_camera
from patience import eventually

from services.ingest.readers.messages import Picture
from services.ingest.readers.probe import probe
from services.ingest.readers.reader import ReadJob
from services.ingest.readers.reading import Reading, reading
from services.ingest.sources.options import ReadOptions, stall_seconds_at
from shared.errors import SourceFailed
from shared.sources import Source
from shared.streams import StreamState


@contextmanager
def watched(url: str, fps: float, stall_seconds: float, waits: list[str] | None = None) -> Iterator[Reading]:
    options = ReadOptions(stall_seconds=stall_seconds, skip="auto")
    job, heard = ReadJob(Source(url, "rtsp"), fps, options=options), [] if waits is None else waits
    with reading(job, threading.Event(), waiting=heard.append) as source:
        yield source


def test_a_keyframe_that_is_long_in_coming_is_waited_for(reference_cases: Path) -> None:
    """The camera tells its size at once, or with the keyframe only; a probe has less time, and says so."""

    def look(sprop: int) -> None:
        waits: list[str] = []
        with odd_camera(reference_cases, "g60s.h264", fps=10, start=530, sprop=sprop) as url:
            with watched(url, 8.0, 1.5, waits) as source:
                pictures = list(islice(source.pictures(), 5))
            assert (source.info.width, source.info.height) == (320, 180)
        assert set(waits) == {"waiting for a keyframe"}
        assert [picture.point for picture in pictures] == list(range(5))

    def ask() -> None:
        with odd_camera(reference_cases, "g60s.h264", fps=10, start=100) as url:
            source, options = Source(url, "rtsp"), ReadOptions(stall_seconds=1)
            with pytest.raises(SourceFailed, match="gave no picture within 6 s: waiting for a keyframe"):
                probe(source, options, threading.Event(), limit_seconds=6)

    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(look, 1), pool.submit(look, 0), pool.submit(ask)]:
            done.result()


def test_the_status_says_what_is_waited_for(reference_cases: Path, ingest: IngestRunner) -> None:
    with odd_camera(reference_cases, "g60s.h264", fps=10, start=520) as url:
        ingest.add("slow", url, pace="live", stall_seconds=2)
        ingest.start()
        assert ingest.until("slow", StreamState.WAITING).status.reason == "waiting for a keyframe"
        status = ingest.until("slow", StreamState.LIVE).status
        assert (status.epoch, status.reason) == (1, None)


def test_how_long_a_camera_may_be_silent_is_its_own(reference_cases: Path, ingest: IngestRunner) -> None:
    def longest_epoch() -> int:
        return max(Counter(frame.epoch for frame in ingest.frames("slow")).values(), default=0)

    with odd_camera(reference_cases, "g2s.h264", fps=0.8) as url:
        spec = ingest.add("slow", url, pace="live", stall_seconds=1)
        ingest.start()
        assert "no data for 1 s" in (ingest.until("slow", StreamState.WAITING, passing=False).status.reason or "")
        assert longest_epoch() <= 1
        assert ingest.registry.replace(spec, spec.model_copy(update={"stall_seconds": 3.0}))
        eventually(lambda: longest_epoch() >= 3, "three pictures of one connection")


@pytest.mark.parametrize(("fps", "seconds"), [(8, 10), (0.3, 10), (0.08, 37.5), (0.01, 300)])
def test_how_long_a_camera_may_be_silent_follows_what_is_asked_for(fps: float, seconds: float) -> None:
    assert stall_seconds_at(fps, 10) == pytest.approx(seconds)


def test_time_goes_on_whatever_the_timestamps_say(reference_cases: Path) -> None:
    """They stand still, stray once a second, or leap by an hour for good."""

    def look(odd: dict[str, str]) -> list[Picture]:
        with odd_camera(reference_cases, "g2s.h264", fps=10, **odd) as url, watched(url, 8.0, 10) as source:
            return list(islice(source.pictures(), 20))

    with ThreadPoolExecutor() as pool:
        seen = list(pool.map(look, ({"stamp": "const"}, {"outlier": "3600@10"}, {"jump": "3600@15"})))
    for pictures in seen:
        first, last = pictures[8], pictures[-1]  # those before came while it was opened
        passed = (last.decoded_at_ms - first.decoded_at_ms) / 1000
        assert last.media_seconds - first.media_seconds == pytest.approx(passed, abs=0.75)
        assert last.point - first.point == pytest.approx(8 * passed, abs=6)
