"""Files that come late, grow, change or go while they are played."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from films import VideoFile, index_first
from ingest_runner import IngestRunner
from patience import eventually

from services.ingest.captures import playback
from shared.streams import StreamState

LIVE, WAITING, FAILED, ENDED = StreamState.LIVE, StreamState.WAITING, StreamState.FAILED, StreamState.ENDED


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("changes", [{}, {"loop": True}, {"pace": "live"}], ids=str)
def test_a_file_that_comes_late_is_played(changes: dict[str, Any], ingest: IngestRunner, video_file: VideoFile) -> None:
    ingest.add("door", "share/late.mp4", **changes)
    ingest.start()
    status = ingest.until("door", WAITING).status
    assert "no such file" in (status.reason or "")
    assert status.next_attempt_at_ms
    (ingest.media_root / "share").mkdir()
    whole = video_file("whole.mp4", seconds=1)
    whole.rename(ingest.media_root / "share" / "late.mp4")
    ingest.until("door", LIVE, ENDED)
    eventually(lambda: len(ingest.frames("door")) >= 8, "the file's frames")


@contextmanager
def growing(path: Path, data: bytes) -> Iterator[Callable[[], None]]:
    """A file that somebody writes to, a bit each twentieth of a second, until the rest is asked for."""
    enough = threading.Event()
    part = max(1, len(data) // 400)

    def write() -> None:
        with path.open("ab", buffering=0) as file:
            for begin in range(len(data) // 4, len(data), part):
                file.write(data[begin : begin + part])
                enough.wait(0.05)

    path.write_bytes(data[: len(data) // 4])
    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield enough.set
    finally:
        enough.set()
        writer.join()


@pytest.mark.usefixtures("soon")
def test_a_file_still_being_written_is_played_once_it_is_whole(ingest: IngestRunner, video_file: VideoFile) -> None:
    data = video_file("whole.mp4", seconds=2).read_bytes()
    part = ingest.media_root / "part.mp4"
    ingest.add("door", part.name)
    with growing(part, data[: len(data) // 2]):
        ingest.start()
        reason = ingest.until("door", WAITING).status.reason
    assert "not a video file" in (reason or "")
    assert "still being written" in (reason or "")
    part.write_bytes(data)
    assert ingest.until("door", ENDED).frames_published == 16


@pytest.mark.usefixtures("soon")
def test_a_file_that_grows_is_played_on(ingest: IngestRunner, video_file: VideoFile) -> None:
    data = video_file("whole.ts", seconds=40, fps=10).read_bytes()
    ingest.add("door", "growing.ts")
    with growing(ingest.media_root / "growing.ts", data) as finish:
        ingest.start()
        reason = ingest.until("door", WAITING).status.reason
        assert "still being written" in (reason or "")
        assert 0 < ingest.registry.get("door").frames_published < 320
        finish()
        assert ingest.until("door", ENDED).frames_published >= 318
    times = [frame.captured_at_ms for frame in ingest.frames("door")]
    assert len(set(times)) == len(times)


@pytest.mark.parametrize("changes", [{}, {"pace": "live", "loop": True}], ids=str)
def test_a_damaged_file_has_failed_until_it_changes(
    changes: dict[str, Any], ingest: IngestRunner, video_file: VideoFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playback, "LOOKOUT_SECONDS", 0.1)
    path = video_file("film.mp4")
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    os.utime(path, (1, 1))
    ingest.add("door", path.name, **changes)
    ingest.start()
    status = ingest.until("door", FAILED).status
    assert "not a video file" in (status.reason or "")
    assert (status.next_attempt_at_ms is None) is not bool(changes), "what ends is given up"
    assert ingest.value("afterimage_source_failures_total", stream_id="door") == 1
    path.write_bytes(whole)
    os.utime(path, (2, 2))
    ingest.until("door", LIVE if changes else ENDED)


def test_a_film_that_was_cut_off_says_so(ingest: IngestRunner, video_file: VideoFile) -> None:
    whole = index_first(video_file("whole.mp4", seconds=8))
    cut = ingest.media_root / "cut.mp4"
    pictures_at = whole.index(b"mdat")
    cut.write_bytes(whole[: pictures_at + (len(whole) - pictures_at) * 7 // 10])
    os.utime(cut, (1, 1))
    for name in ("whole", "cut"):
        ingest.add(name, f"{name}.mp4")
    ingest.start()
    assert ingest.until("whole", ENDED).status.reason is None
    assert "s of the 8.0 s that it states" in (ingest.until("cut", ENDED).status.reason or "")


def test_of_a_file_that_was_given_up_nothing_is_told_after_an_hour(tmp_path: Path) -> None:
    lookout, path = playback.Lookout(), tmp_path / "film.mp4"
    lookout.note("door", playback.GivenUp(path, None), 0.0)
    lookout.look(3_599.0)
    path.touch()
    lookout.look(3_599.5)
    assert (lookout.take(), lookout.take()) == (["door"], [])
    lookout.note("door", playback.GivenUp(path, None), 4_000.0)
    path.unlink()
    lookout.look(7_600.0)
    path.touch()
    lookout.look(7_601.0)
    assert lookout.take() == []


@pytest.mark.usefixtures("soon")
def test_a_recording_that_is_deleted_is_played_to_its_end_and_waited_for(
    ingest: IngestRunner, video_file: VideoFile
) -> None:
    video_file("once.mp4", seconds=1.5, fps=8)
    video_file("loop.mp4", seconds=1.5, fps=8)
    ingest.add("once", "once.mp4", pace="live")
    ingest.add("loop", "loop.mp4", pace="live", loop=True)
    ingest.start()
    for name in ("once", "loop"):
        ingest.until(name, LIVE)
        (ingest.media_root / f"{name}.mp4").unlink()
    assert "no such file" in (ingest.until("loop", WAITING).status.reason or "")
    assert ingest.until("once", ENDED).frames_published == 12
    video_file("loop.mp4", seconds=1.5, fps=8)
    ingest.until("loop", LIVE)
