"""Every decoded picture is published, skipped or dropped for a stated reason, and the counters say so."""

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import get_args

import pytest
import redis
from cameras import camera_server
from damaged import FPS, NUM_PICTURES, flipped, harmed, noise_film
from default_layout import keys_of
from films import VideoFile
from ingest_runner import IngestRunner
from patience import eventually
from process_tree import readers
from redis_process import redis_process

from services.ingest.captures.publisher import MAX_HELD_FRAMES
from services.ingest.metrics import DropReason, IngestMetrics
from shared.entries import MAX_FIGURES
from shared.store.client import connect
from shared.streams import StreamState

FAST_FPS = 60.0
FROZEN_SECONDS = 3.0
"""Mostly longer than the pipe between reader and service lasts: where it was not, once more."""
LEASE_SECONDS = 60.0
"""Longer than Redis is ever frozen or away here."""


def counted(metrics: IngestMetrics, stream_id: str) -> dict[str, int]:
    """Frames by what became of them, drops by their reason."""
    found: dict[str, int] = {}
    for sample in (sample for family in metrics.registry.collect() for sample in family.samples):
        name, labels = sample.name.removeprefix("afterimage_frames_"), sample.labels
        if labels.get("stream_id") == stream_id and name != sample.name and name.endswith("_total") and sample.value:
            found[labels.get("reason", name.removesuffix("_total"))] = round(sample.value)
    return found


def assert_sum(found: dict[str, int]) -> None:
    """What is damaged has one of those fates as well."""
    found = {name: value for name, value in found.items() if name != "damaged"}
    assert found["decoded"] == sum(found.values()) - found["decoded"], found
    assert found["decoded"] > 0


@pytest.fixture
def moving(video_file: VideoFile) -> Path:
    return video_file("moving.mp4", seconds=60, fps=60, size=(160, 120))


@pytest.mark.parametrize("pace", ["fast", "live"])
def test_of_a_file_to_its_end(pace: str, ingest: IngestRunner, video_file: VideoFile) -> None:
    ingest.add("clip", video_file("clip.mp4", seconds=3, fps=25).name, pace=pace, skip="none")
    ingest.start()
    ingest.until("clip", StreamState.ENDED)
    assert counted(ingest.metrics, "clip") == {"decoded": 75, "published": 24, "skipped": 51}


def test_of_a_file_that_is_damaged(ingest: IngestRunner, tmp_path: Path) -> None:
    ingest.add("clip", harmed(noise_film(tmp_path / "clip.ts", "libx264"), flipped).name, fps=FPS, skip="none")
    ingest.start()
    ingest.until("clip", StreamState.ENDED)
    found = counted(ingest.metrics, "clip")
    assert_sum(found)
    assert (found["decoded"], found["published"]) == (NUM_PICTURES, NUM_PICTURES)
    marked = [frame.damaged for frame in ingest.frames("clip")]
    assert 1 <= found["damaged"] == sum(marked) < NUM_PICTURES
    assert {len(frame.figures or ()) for frame in ingest.frames("clip")} == {MAX_FIGURES}


def test_of_a_file_that_goes_on_where_it_was_left(ingest: IngestRunner, video_file: VideoFile) -> None:
    video_file("long.mp4", seconds=40, fps=10)
    ingest.add("clip", "long.mp4", skip="none")
    ingest.start()
    eventually(lambda: len(ingest.frames("clip")) >= 128, "a full queue")
    eventually(lambda: num_in_hand(ingest) > 0, "a frame that waits for room")
    ingest.stop()
    first = counted(ingest.metrics, "clip")
    assert_sum(first)
    ingest.start()
    ingest.until("clip", StreamState.ENDED)
    ingest.stop()
    second = counted(ingest.metrics, "clip")
    assert_sum(second)
    assert second["decoded"] == 400
    assert first["published"] + second["published"] == 320
    assert first["stopped"] > 0
    assert ingest.registry.get("clip").frames_dropped == 0  # what the stop had left was read again


def test_of_a_camera_that_is_stopped_and_one_whose_reader_is_killed(ingest: IngestRunner, moving: Path) -> None:
    with camera_server(moving) as server:
        ingest.add("door", server.url(), pace="live", fps=FAST_FPS)
        ingest.start()
        eventually(lambda: (ingest.value("afterimage_frames_published_total", stream_id="door") or 0) > 60, "frames")
        [reader] = readers(os.getpid())
        os.kill(reader, signal.SIGKILL)
        eventually(lambda: ingest.value("afterimage_connections_total", stream_id="door") == 2, "another reader")
        ingest.until("door", StreamState.LIVE)
        ingest.stop()
    found = counted(ingest.metrics, "door")
    assert_sum(found)
    assert ingest.value("afterimage_reader_crashes_total", stream_id="door") == 1
    record = ingest.registry.get("door")
    lost_in_queue = record.progress.sequence - record.progress.frames_processed
    assert record.frames_dropped - lost_in_queue == sum(found.get(reason, 0) for reason in get_args(DropReason))


def test_while_redis_is_away_and_while_it_hangs(video_file: VideoFile, moving: Path, tmp_path: Path) -> None:
    video_file("clip.mp4", seconds=20, fps=10)
    durable = ("--appendonly", "yes")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="afterimage-")))
        server = stack.enter_context(camera_server(moving))
        with redis_process(folder, *durable) as url:
            client = stack.enter_context(closing(connect(url)))
            runner = stack.enter_context(IngestRunner(client, tmp_path, lease_seconds=LEASE_SECONDS))
            runner.add("clip", "clip.mp4", skip="none")
            runner.add("door", server.url(), pace="live", fps=FAST_FPS)
            runner.start()
            eventually(lambda: len(runner.frames("door")) >= 30, "frames")
            while not lost(runner, "busy"):
                before = num_published(runner)
                with frozen_redis(client):
                    threading.Event().wait(FROZEN_SECONDS)
                eventually(lambda: num_published(runner) > before + FAST_FPS, "what had waited")  # noqa: B023
        eventually(lambda: lost(runner, "store_unavailable") > MAX_HELD_FRAMES, "dropped frames")
        with redis_process(folder, *durable):
            published = num_published(runner)
            runner.until("clip", StreamState.ENDED)
            eventually(lambda: num_published(runner) > published, "frames again")
            runner.stop()
    assert counted(runner.metrics, "clip") == {"decoded": 200, "published": 160, "skipped": 40}
    assert_sum(counted(runner.metrics, "door"))


def num_in_hand(runner: IngestRunner) -> int:
    """Frames of the clip that were decoded, and neither published nor given up yet."""
    found = counted(runner.metrics, "clip")
    return 2 * found["decoded"] - sum(found.values())


def num_published(runner: IngestRunner) -> float:
    """Frames of the camera that are in the queue."""
    return runner.value("afterimage_frames_published_total", stream_id="door") or 0


def lost(runner: IngestRunner, reason: str) -> int:
    """Frames of the camera that were dropped for a reason."""
    return counted(runner.metrics, "door").get(reason, 0)


@contextmanager
def frozen_redis(client: redis.Redis) -> Iterator[None]:
    """It holds its connections and answers nobody."""
    pid = int(client.info("server")["process_id"])
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_losses_that_could_not_be_told_any_more_are_told_once_the_lease_is_back(
    ingest: IngestRunner, video_file: VideoFile
) -> None:
    ingest.add("door", video_file("film.mp4").name, pace="live", loop=True)
    ingest.start()
    ingest.until("door", StreamState.LIVE)
    lease = keys_of("door").lease("ingest")
    capture = ingest.supervisor._running["door"].capture
    ingest.client.set(lease, "999999 stranger")
    capture.account.num_lost = 7
    eventually(lambda: capture.fenced, "that it is another's")
    ingest.client.delete(lease)
    eventually(lambda: ingest.registry.get("door").status.frames_dropped == 7, "the losses")
