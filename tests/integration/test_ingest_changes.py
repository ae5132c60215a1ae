"""A stream whose source, or rate, is changed."""

import threading

import cv2
import numpy as np
import pytest
from default_layout import partition_of
from films import VideoFile
from ingest_runner import BASE_MS, IngestRunner, grid
from leasing import seize
from patience import eventually

from services.ingest.captures.capture import Capture
from services.ingest.captures.status import StatusReporter
from shared.store import frame_queue
from shared.store.leases import LeaseBook
from shared.streams import StreamState
from shared.waiting import Stopped

ENDINGS = [b"source_changed", b"source_ended"]


def test_a_changed_source_is_played_from_its_new_base(ingest: IngestRunner, video_file: VideoFile) -> None:
    spec = ingest.add("clip", video_file("one.mp4").name)
    video_file("two.mp4", seconds=1)
    ingest.start()
    ingest.until("clip", StreamState.ENDED)
    later = BASE_MS + 60_000
    assert ingest.registry.replace(spec, spec.model_copy(update={"source": "two.mp4", "base_ms": later}))
    eventually(lambda: len(ingest.frames("clip")) == 24, "the second file")
    record = ingest.until("clip", StreamState.ENDED)
    assert (record.status.base_ms, record.status.epoch) == (later, 2)
    assert [frame.captured_at_ms - later for frame in ingest.frames("clip")[16:]] == [125 * n for n in range(8)]


def test_another_rate_goes_on_from_the_last_frame(ingest: IngestRunner, video_file: VideoFile) -> None:
    spec = ingest.add("clip", video_file("clip.mp4", seconds=30, fps=10).name)
    ingest.start()
    eventually(lambda: ingest.registry.get("clip").frames_published == frame_queue.MAX_WAITING_FRAMES, "a full queue")
    assert ingest.registry.replace(spec, spec.model_copy(update={"fps": 5.0}))
    eventually(lambda: ingest.registry.get("clip").status.epoch == 2, "the file is opened anew")
    ingest.until("clip", StreamState.ENDED)
    times = [frame.captured_at_ms for frame in ingest.frames("clip")]
    num_before = frame_queue.MAX_WAITING_FRAMES
    assert times[:num_before] == grid(num_before)
    assert times[-50:] == grid(150, fps=5)[-50:]
    assert max(np.diff(times)) == 200


def test_a_stream_may_want_larger_pictures(ingest: IngestRunner, video_file: VideoFile) -> None:
    source = video_file("large.mp4", seconds=1, size=(640, 480)).name
    for stream_id, lines in (("usual", None), ("large", 360)):
        ingest.add(stream_id, source, transport_short_side=lines)
    ingest.start()
    for stream_id, size in (("usual", (256, 192)), ("large", (480, 360))):
        ingest.until(stream_id, StreamState.ENDED)
        picture = cv2.imdecode(np.frombuffer(ingest.frames(stream_id)[0].jpeg or b"", np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert picture.shape[1::-1] == size


def test_a_change_while_another_source_is_taken_up_is_kept(ingest: IngestRunner, video_file: VideoFile) -> None:
    spec = ingest.add("clip", video_file("first.mp4").name)
    ingest.start()
    ingest.until("clip", StreamState.ENDED)
    ingest.stop()
    taken_up = spec.model_copy(update={"source": video_file("second.mp4").name, "base_ms": BASE_MS + 1})
    assert ingest.registry.replace(spec, taken_up.model_copy(update={"name": "New"}))
    Capture(taken_up, ingest.place(), seize(ingest.client, "ingest")[partition_of("clip")], threading.Event()).run()
    stored = ingest.registry.get("clip").spec
    assert (stored.name, stored.base_ms) == ("New", grid(16)[-1] + 1)


def test_who_is_killed_while_another_source_is_taken_up_leaves_the_end_marker(
    ingest: IngestRunner, video_file: VideoFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = ingest.add("clip", video_file("first.mp4", seconds=60).name, pace="live")
    ingest.start()
    eventually(lambda: len(ingest.frames("clip")) >= 2, "the first source plays")
    ingest.stop()
    later = spec.model_copy(update={"source": video_file("second.mp4").name, "pace": "fast", "base_ms": BASE_MS + 3600})
    assert ingest.registry.replace(spec, later)

    def killed(reporter: StatusReporter, state: StreamState, reason: str | None = None) -> None:
        change(reporter, state, reason)
        raise Stopped

    change = StatusReporter.change
    with monkeypatch.context() as patch:
        patch.setattr(StatusReporter, "change", killed)
        lease = seize(ingest.client, "ingest")[partition_of("clip")]
        Capture(later, ingest.place(), lease, threading.Event()).run()
    LeaseBook(ingest.client, "ingest", "the-test").release([lease])
    ingest.start()
    ingest.until("clip", StreamState.ENDED)
    assert [fields[b"end"] for _, fields in ingest.entries("clip") if b"end" in fields] == ENDINGS


@pytest.mark.parametrize("base_after_ms", [3_600_000, 1], ids=["later base", "base already passed"])
def test_another_source_begins_after_an_end_marker(
    base_after_ms: int, ingest: IngestRunner, video_file: VideoFile
) -> None:
    spec = ingest.add("clip", video_file("first.mp4", seconds=60).name, pace="live")
    video_file("second.mp4")
    ingest.start()
    eventually(lambda: len(ingest.frames("clip")) >= 2, "the first source plays")
    later = spec.model_copy(update={"source": "second.mp4", "pace": "fast", "base_ms": BASE_MS + base_after_ms})
    assert ingest.registry.replace(spec, later)
    ingest.until("clip", StreamState.ENDED)
    names = [name for name, _ in ingest.entries("clip")]
    [former_end] = [place for place, name in enumerate(names[:-1]) if name.endswith("-1")]
    assert names[former_end] == names[former_end - 1].replace("-0", "-1")
    assert [fields[b"end"] for _, fields in ingest.entries("clip") if b"end" in fields] == ENDINGS
    assert len(names[former_end + 1 :]) == 16 + 1
    assert names[-1].endswith("-1")
    assert ingest.registry.get("clip").status.epoch == 2


def test_a_paused_stream_is_let_go_of_and_goes_on_where_it_was_left(
    ingest: IngestRunner, video_file: VideoFile
) -> None:
    spec = ingest.add("clip", video_file("clip.mp4", seconds=30, fps=10).name)
    ingest.start()
    full = frame_queue.MAX_WAITING_FRAMES
    eventually(lambda: ingest.registry.get("clip").frames_published == full, "a full queue")
    assert ingest.registry.replace(spec, spec.model_copy(update={"paused": True}))
    ingest.until("clip", StreamState.PAUSED, passing=False)
    for _ in range(2):  # whoever takes it over lets it be, too
        record = ingest.until("clip", StreamState.PAUSED, passing=False)
        assert (record.frames_published, record.status.epoch) == (full, 1)
        eventually(lambda: not ingest.supervisor._running, "the source is let go of")
        ingest.stop()
        ingest.start()
        eventually(lambda: "clip" in ingest.supervisor._over, "the stream is taken up")
    seen = ingest.registry.get("clip").spec
    assert ingest.registry.replace(seen, seen.model_copy(update={"paused": False}))
    record = ingest.until("clip", StreamState.ENDED)
    assert (record.frames_published, record.status.epoch, record.status.frames_dropped) == (240, 2, 0)
    assert [frame.captured_at_ms for frame in ingest.frames("clip")][-100:] == grid(240)[-100:]
