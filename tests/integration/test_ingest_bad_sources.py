import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from default_layout import keys_of
from films import VideoFile
from ingest_runner import OVER, IngestRunner
from patience import eventually

from services.ingest.own_redis import OwnRedis
from shared.streams import StreamState

FAILED, WAITING = StreamState.FAILED, StreamState.WAITING


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port at which connections are refused."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield unused.getsockname()[1]


def test_each_bad_source_says_why_and_others_go_on(
    ingest: IngestRunner, video_file: VideoFile, tmp_path: Path, closed_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "text.mp4").write_text("not a film\n" * 50)
    os.utime(tmp_path / "text.mp4", (1, 1))  # nobody is at it any more
    bad = {
        "missing": ("missing.mp4", WAITING, "no such file"),
        "folder": ("folder.mp4", FAILED, "is a directory"),
        "text": ("text.mp4", FAILED, "not a video file"),
        "scheme": ("ftp://user:secret@camera/film.mp4", FAILED, "scheme 'ftp' is not known"),
        "outside": ("../../etc/passwd", FAILED, "outside the media root"),
        "refused": (f"rtsp://user:secret@127.0.0.1:{closed_port}/camera", WAITING, "connection refused"),
        "unknown": ("rtsp://user:secret@camera.invalid/camera", WAITING, "host not found"),
    }
    for stream_id, (source, _, _) in bad.items():
        ingest.add(stream_id, source)
    ingest.add("good", video_file("good.mp4").name)
    ingest.start()
    assert ingest.until("good", *OVER).frames_published == 16
    for stream_id, (_, state, reason) in bad.items():
        status = ingest.until(stream_id, FAILED, WAITING).status
        assert (stream_id, status.state) == (stream_id, state)
        assert reason in (status.reason or "")
        stored = ingest.client.hget(keys_of(stream_id).status, stream_id)
        assert b"secret" not in (stored or b"")
        assert ingest.entries(stream_id) == []
    assert "***@" in caplog.text
    assert "secret" not in caplog.text
    ingest.stop()


def test_where_redis_answers_is_asked_anew_at_every_opening(
    ingest: IngestRunner, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reason_is(text: str) -> bool:
        return text in (ingest.registry.get("cam").status.reason or "")

    address = f"127.0.0.1:{closed_port}"
    monkeypatch.setattr(OwnRedis, "addresses", lambda _self: (address,))
    ingest.add("cam", f"rtsp://{address}/camera")
    ingest.start()
    eventually(lambda: reason_is("this system's own Redis answers there"), "the refusal")
    monkeypatch.setattr(OwnRedis, "addresses", lambda _self: ())
    eventually(lambda: reason_is("connection refused"), "the next attempt")
    ingest.stop()


def test_a_failed_file_is_tried_again_when_its_spec_changes(
    ingest: IngestRunner, video_file: VideoFile, tmp_path: Path
) -> None:
    (tmp_path / "folder.mp4").mkdir()
    spec = ingest.add("clip", "folder.mp4")
    ingest.start()
    ingest.until("clip", FAILED)
    video_file("there.mp4")
    assert ingest.registry.replace(spec, spec.model_copy(update={"source": "there.mp4"}))
    assert ingest.until("clip", StreamState.ENDED).frames_published == 16


def test_a_failed_file_is_tried_again_by_a_new_process(
    ingest: IngestRunner, video_file: VideoFile, tmp_path: Path
) -> None:
    (tmp_path / "late.mp4").mkdir()
    ingest.add("clip", "late.mp4")
    ingest.start()
    ingest.until("clip", FAILED)
    ingest.stop()
    (tmp_path / "late.mp4").rmdir()
    video_file("late.mp4")
    ingest.start()
    assert ingest.until("clip", StreamState.ENDED).frames_published == 16
