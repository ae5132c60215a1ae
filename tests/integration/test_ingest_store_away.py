import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from films import VideoFile
from ingest_runner import BASE_MS, IngestRunner
from patience import eventually
from redis_process import redis_process

from shared.store.client import connect
from shared.streams import StreamState


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="afterimage-") as folder:
        yield Path(folder)


def test_ingest_goes_on_after_redis_was_killed(short_folder: Path, video_file: VideoFile, tmp_path: Path) -> None:
    video_file("long.mp4", seconds=60, fps=10)
    video_file("short.mp4", seconds=6, fps=10)
    durable = ("--appendonly", "yes")
    with redis_process(short_folder, *durable) as url:
        client = connect(url)
        runner = IngestRunner(client, tmp_path)
        runner.add("fast", "long.mp4")
        runner.add("live", "short.mp4", pace="live")
        runner.start()
        eventually(lambda: len(runner.frames("fast")) >= 128 and len(runner.frames("live")) >= 4, "frames")
    with closing(client), runner:
        before = runner.value("afterimage_stage_seconds_count", stage="publish") or 0
        eventually(
            lambda: (runner.value("afterimage_stage_seconds_count", stage="publish") or 0) > before + 4, "failed tries"
        )
        with redis_process(short_folder, *durable):
            runner.until("fast", StreamState.ENDED)
            runner.until("live", StreamState.ENDED)
            for stream_id, count in (("fast", 480), ("live", 48)):
                frames = runner.frames(stream_id)
                assert [frame.captured_at_ms for frame in frames] == [BASE_MS + 125 * n for n in range(count)]
                assert [frame.sequence for frame in frames] == list(range(1, count + 1))
                assert {frame.epoch for frame in frames} == {1}
            runner.stop()
