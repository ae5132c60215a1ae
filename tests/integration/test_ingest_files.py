import os
import threading
from pathlib import Path

import pytest
import redis
from default_layout import NUM_PARTITIONS, PARTITIONS, keys_of, partition_of
from films import VideoFile
from ingest_runner import BASE_MS, OVER, IngestRunner, grid
from leasing import calls_at_rest, seize
from patience import eventually
from process_tree import readers

from services.ingest.captures.status import StatusReporter
from services.ingest.readers.reader import NICENESS
from services.ingest.sources.decoding.hardware import accelerator
from services.ingest.sources.options import ReadOptions
from services.ingest.sources.video import open_video
from shared.entries import Figures, Frame, pack_figures, unpack_figures
from shared.sources import Source
from shared.store import frame_queue
from shared.store.frame_queue import FrameWriter, Outcome
from shared.store.leases import LEASE_SECONDS, LeaseBook, living_workers
from shared.streams import StreamState

PUBLISHED = "afterimage_frames_published_total"
MOVED = "afterimage_rebalances_total"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".ts", ".webm", ".mov"])
def test_every_container_gives_the_same_frames(suffix: str, ingest: IngestRunner, video_file: VideoFile) -> None:
    path = video_file(f"clip{suffix}", seconds=2, fps=10)
    ingest.add("once", path.name)
    ingest.add("again", path)
    ingest.start()
    record = ingest.until("once", *OVER)
    ingest.until("again", *OVER)
    assert (record.status.state, record.status.reason, record.status.epoch) == (StreamState.ENDED, None, 1)
    assert (record.status.width, record.status.height) == (64, 48)
    assert record.status.last_frame_at_ms == grid(16)[-1]
    frames = ingest.frames("once")
    assert [frame.captured_at_ms for frame in frames] == grid(16)
    assert [frame.sequence for frame in frames] == list(range(1, 17))
    assert [frame.media_seconds for frame in frames] == [point / 8 for point in range(16)]
    assert [entry_id for entry_id, _ in ingest.entries("once")][-1] == f"{grid(16)[-1]}-1"
    assert [frame.jpeg for frame in ingest.frames("again")] == [frame.jpeg for frame in frames]


def test_a_second_reading_changes_nothing(ingest: IngestRunner, video_file: VideoFile) -> None:
    spec = ingest.add("clip", video_file("clip.mp4").name)
    ingest.start()
    ingest.until("clip", StreamState.ENDED)
    ingest.stop()
    before = ingest.entries("clip")
    lease = seize(ingest.client, "ingest")[partition_of("clip")]
    writer = FrameWriter(ingest.client, "clip", spec.generation, "fast", lease)
    again = [Frame(time_ms, time_ms, 2, 0.0, b"other") for time_ms in grid(16)]
    assert writer.publish([*again, Frame.end(grid(16)[-1])]) == (Outcome.OK, 17)
    assert ingest.entries("clip") == before
    assert ingest.registry.get("clip").frames_published == 16


def test_a_file_that_ended_is_not_played_again(ingest: IngestRunner, video_file: VideoFile) -> None:
    ingest.add("old", video_file("clip.mp4").name)
    ingest.start()
    ingest.until("old", StreamState.ENDED)
    ingest.stop()
    ingest.add("new", "clip.mp4")
    ingest.start()
    ingest.until("new", StreamState.ENDED)
    assert ingest.registry.get("old").status.epoch == 1
    assert ingest.value("afterimage_connections_total", stream_id="old") is None
    [num_hashes] = calls_at_rest(ingest.client, "hgetall")
    assert num_hashes <= NUM_PARTITIONS


def test_a_recording_that_is_worked_off_gives_way_to_what_is_live(ingest: IngestRunner, video_file: VideoFile) -> None:
    path = video_file("clip.mp4", seconds=40, fps=10)
    ingest.add("fast", path.name, loop=True)
    ingest.add("live", path.name, loop=True, pace="live")
    ingest.start()
    own = os.getpriority(os.PRIO_PROCESS, 0)

    def below() -> list[int]:
        return sorted(os.getpriority(os.PRIO_PROCESS, each) - own for each in readers(os.getpid()))

    eventually(lambda: below() == [0, NICENESS], "one reader of two gives way")


def test_fast_pace_waits_for_inference_and_loses_nothing(ingest: IngestRunner, video_file: VideoFile) -> None:
    ingest.add("clip", video_file("clip.mp4", seconds=40, fps=10).name)
    ingest.start()
    room = frame_queue.MAX_WAITING_FRAMES
    eventually(lambda: ingest.registry.get("clip").frames_published == room, "a full queue")
    tries = ingest.value("afterimage_stage_seconds_count", stage="publish") or 0
    eventually(lambda: (ingest.value("afterimage_stage_seconds_count", stage="publish") or 0) > tries + 3, "polls")
    assert len(ingest.frames("clip")) == room
    ingest.until("clip", StreamState.ENDED)
    frames = ingest.frames("clip")
    assert [frame.captured_at_ms for frame in frames] == grid(320)
    assert [frame.sequence for frame in frames] == list(range(1, 321))


def test_live_pace_drops_the_oldest_of_a_full_queue(
    ingest: IngestRunner, video_file: VideoFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_queue, "MAX_LIVE_FRAMES", 10)
    ingest.add("clip", video_file("clip.mp4", seconds=1, fps=30).name, pace="live", fps=30)
    ingest.start()
    record = ingest.until("clip", StreamState.ENDED, passing=False)
    assert record.frames_published == 30
    assert [frame.sequence for frame in ingest.frames("clip")] == list(range(22, 31))
    assert len(ingest.entries("clip")) == 10


def test_hardware_that_is_not_there_is_a_warning(
    ingest: IngestRunner, video_file: VideoFile, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if accelerator("auto"):
        pytest.skip("this machine has hardware that decodes")
    monkeypatch.setenv("AFTERIMAGE_HWACCEL", "cuda")
    ingest.add("clip", video_file("clip.mp4").name)
    ingest.start()
    assert ingest.until("clip", StreamState.ENDED).frames_published == 16
    assert ingest.value("afterimage_hwaccel_fallbacks_total", stream_id="clip") == 1
    assert "hwaccel cuda does not decode it here" in caplog.text


def test_large_frames_fill_a_queue_sooner(
    ingest: IngestRunner, video_file: VideoFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    most_bytes = 20_000
    monkeypatch.setattr(frame_queue, "MAX_QUEUE_BYTES", most_bytes)
    ingest.add("clip", video_file("clip.mp4", seconds=1, fps=30, size=(640, 480)).name, pace="live", fps=30)
    ingest.start()
    assert ingest.until("clip", StreamState.ENDED, passing=False).frames_published == 30
    kept = [len(frame.jpeg or b"") for frame in ingest.frames("clip")]
    assert most_bytes - 2 * max(kept) <= sum(kept) <= most_bytes


def test_live_pace_keeps_the_clock(ingest: IngestRunner, video_file: VideoFile) -> None:
    ingest.add("clip", video_file("clip.mp4", seconds=1.5, fps=8).name, pace="live")
    ingest.start()
    ingest.until("clip", StreamState.ENDED)
    frames = ingest.frames("clip")
    assert [frame.captured_at_ms for frame in frames] == grid(12)
    for frame in frames:
        late_ms = (frame.due_at_ms - frames[0].due_at_ms) - (frame.captured_at_ms - BASE_MS)
        assert abs(late_ms) <= 5


def test_a_loop_goes_on_without_a_jump(ingest: IngestRunner, video_file: VideoFile) -> None:
    ingest.add("clip", video_file("clip.mp4", seconds=2, fps=10).name, loop=True)
    ingest.start()

    def third_pass() -> bool:
        ingest.pass_frames("clip")
        return ingest.registry.get("clip").status.epoch >= 3

    eventually(third_pass, "a third pass")
    ingest.stop()
    frames = ingest.frames("clip")
    assert [frame.captured_at_ms for frame in frames] == grid(len(frames))
    first_passes = frames[:32]
    assert [frame.epoch for frame in first_passes] == [1] * 16 + [2] * 16
    assert [frame.media_seconds for frame in first_passes] == [point / 8 for point in range(16)] * 2


def figures_of(path: Path) -> list[Figures]:
    """What a whole reading measures."""
    with open_video(Source(str(path)), ReadOptions(measures=True)) as video:
        return [frame.figures or () for frame in video.frames(8.0, threading.Event())]


@pytest.mark.parametrize("loop", [False, True])
def test_a_restart_goes_on_where_it_was(loop: bool, ingest: IngestRunner, video_file: VideoFile) -> None:
    path = video_file("clip.mp4", seconds=30, fps=10, size=(96, 64))
    ingest.add("clip", path.name, loop=loop)
    ingest.start()
    eventually(lambda: ingest.registry.get("clip").frames_published == frame_queue.MAX_WAITING_FRAMES, "a full queue")
    ingest.stop()
    status = ingest.registry.get("clip").status
    assert (status.state, status.reason) == (StreamState.PENDING, "ingest stopped")
    ingest.start()

    def enough() -> bool:
        ingest.pass_frames("clip")
        return ingest.registry.get("clip").frames_published >= 240

    eventually(enough, "the rest")
    if not loop:
        assert ingest.until("clip", StreamState.ENDED).frames_published == 240
    ingest.stop()
    frames = ingest.frames("clip")
    assert [frame.captured_at_ms for frame in frames] == grid(len(frames))
    assert [frame.sequence for frame in frames] == list(range(1, len(frames) + 1))
    assert {frame.epoch for frame in frames[:240]} == {1, 2}
    if not loop:
        assert [unpack_figures(pack_figures(figures)) for figures in figures_of(path)] == [
            frame.figures for frame in frames
        ]


def test_a_removed_stream_stops_and_leaves_nothing(ingest: IngestRunner, video_file: VideoFile) -> None:
    ingest.add("clip", video_file("clip.mp4", seconds=20).name, pace="live")
    ingest.start()
    ingest.until("clip", StreamState.LIVE)
    ingest.registry.remove("clip")
    eventually(lambda: ingest.value(PUBLISHED, stream_id="clip") is None, "its series gone")
    keys = keys_of("clip")
    assert not ingest.client.exists(keys.frames("clip"), keys.streams, keys.status, keys.published, keys.progress)


def test_of_a_removed_stream_nothing_more_is_told(
    ingest: IngestRunner, video_file: VideoFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands that leave at once would ask for a connection each."""
    told: list[str] = []
    tell = StatusReporter.stopped

    def noted(reporter: StatusReporter) -> None:
        told.append(reporter.current.state)
        tell(reporter)

    monkeypatch.setattr(StatusReporter, "stopped", noted)
    video_file("clip.mp4", seconds=2)
    for stream_id in ("gone", "stays"):
        ingest.add(stream_id, "clip.mp4", pace="live", loop=True)
    ingest.start()
    for stream_id in ("gone", "stays"):
        ingest.until(stream_id, StreamState.LIVE)
    ingest.registry.remove("gone")
    eventually(lambda: ingest.value(PUBLISHED, stream_id="gone") is None, "its end")
    assert told == []
    ingest.stop()
    assert told == [StreamState.LIVE]
    assert ingest.registry.get("stays").status.state is StreamState.PENDING


def test_a_partition_that_another_took_is_left_alone_until_it_is_free_again(
    ingest: IngestRunner, video_file: VideoFile
) -> None:
    ingest.add("clip", video_file("clip.mp4", seconds=20).name, pace="live")
    ingest.start()
    ingest.until("clip", StreamState.LIVE)
    lease = seize(ingest.client, "ingest", [partition_of("clip")])[partition_of("clip")]
    eventually(lambda: ingest.value(MOVED, way="lost") == 1, "the partition given up")
    newest = ingest.frames("clip")[-1].captured_at_ms
    LeaseBook(ingest.client, "ingest", "the-test").release([lease])
    eventually(lambda: ingest.frames("clip")[-1].captured_at_ms > newest, "frames again")


def test_ingest_says_that_it_lives(ingest: IngestRunner, redis_client: redis.Redis) -> None:
    ingest.start()
    eventually(
        lambda: (
            [len(worker.partitions) for worker in living_workers(redis_client, "ingest", LEASE_SECONDS)]
            == [NUM_PARTITIONS]
        ),
        "a worker that owns everything",
    )
    ingest.stop()
    assert living_workers(redis_client, "ingest", LEASE_SECONDS) == []
    assert not any(redis_client.exists(keys.lease("ingest")) for keys in PARTITIONS)
