import time

import pytest
from cameras import camera_server
from films import VideoFile
from ingest_runner import IngestRunner
from patience import eventually

from shared.streams import StreamState


def test_a_camera_is_watched_and_found_again(ingest: IngestRunner, video_file: VideoFile) -> None:
    film = video_file("film.mp4", seconds=60, fps=25, size=(320, 240))
    with camera_server(film) as camera:
        ingest.add("door", camera.url(), pace="live")
        before_ms = time.time_ns() // 1_000_000
        ingest.start()
        eventually(lambda: len(ingest.frames("door")) >= 16, "two seconds of frames")
        frames = ingest.frames("door")
        after_ms = time.time_ns() // 1_000_000
        assert all(before_ms <= frame.captured_at_ms <= after_ms for frame in frames)
        assert frames[15].captured_at_ms - frames[0].captured_at_ms > 1500
        status = ingest.until("door", StreamState.LIVE).status
        assert (status.epoch, status.width, status.height) == (1, 320, 240)
        assert status.duration_seconds is None

        camera.stop()
        assert ingest.until("door", StreamState.WAITING).status.reason
        assert ingest.value("afterimage_stream_up", stream_id="door") == 0
        camera.start()
        status = ingest.until("door", StreamState.LIVE).status
        assert (status.epoch, status.reason) == (2, None)
        times = [frame.captured_at_ms for frame in ingest.frames("door")]
        assert times == sorted(set(times))
        assert {frame.epoch for frame in ingest.frames("door")} == {1, 2}


def test_a_camera_wants_its_password(
    ingest: IngestRunner, video_file: VideoFile, caplog: pytest.LogCaptureFixture
) -> None:
    with camera_server(video_file("film.mp4", seconds=60, fps=25), "guard", "open-sesame") as camera:
        ingest.add("right", camera.url("guard:open-sesame@"), pace="live")
        ingest.add("wrong", camera.url("guard:swordfish@"), pace="live")
        ingest.add("none", camera.url(), pace="live")
        ingest.start()
        ingest.until("right", StreamState.LIVE)
        eventually(lambda: ingest.frames("right"), "frames")
        for stream_id in ("wrong", "none"):
            status = ingest.until(stream_id, StreamState.WAITING).status
            assert "authentication refused" in (status.reason or "")
        assert "swordfish" not in caplog.text
        assert "sesame" not in caplog.text + ingest.registry.get("right").status.model_dump_json()


def test_stopping_is_quick_while_a_camera_is_read(
    ingest: IngestRunner, video_file: VideoFile, caplog: pytest.LogCaptureFixture
) -> None:
    with camera_server(video_file("film.mp4", seconds=60, fps=25)) as camera:
        ingest.add("door", camera.url(), pace="live")
        ingest.start()
        ingest.until("door", StreamState.LIVE)
        ingest.stop()
    assert "did not stop in time" not in caplog.text
