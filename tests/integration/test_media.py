"""Pictures and clips of events, cut from the queue's frames and kept within limits."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import pytest
import redis
from leasing import seize
from prometheus_client import CollectorRegistry  # noqa: F401
from staged import FPS, Stage, StagedStream, footage

from services.api.media.cutting import GONE
from services.api.media.folder import CLIP, TIMES, EventFolder, picture_name
from services.api.media.media_recorder import MediaRecorder
from services.api.media.metrics import MediaMetrics
from services.api.media.records import MediaRecord, MediaRecords
from services.api.media.retention import BY_AGE, BY_SIZE, Limits
from services.api.media.under_way import NO_FRAMES, Around
from shared.events import Event
from shared.store.keys import PARTITIONS, keys_of, partition_of
from shared.store.leases import Lease
from shared.store.registry import Registry

PRE, POST = 3, 5
"""Seconds of a clip before and after the opening."""
OPENS, CLOSES = 100, 180


class Studio:
    """A recorder of all partitions that reads the feed when the test says so."""

    def __init__(self, client: redis.Redis, root: Path, limits: Limits) -> None:
        self.client, self.folder, self.lost = client, EventFolder(root), list[Lease]()
        around = Around(PRE, POST)
        self.recorder = MediaRecorder(client, self.folder, around, limits, MediaMetrics(), self.lost.append)
        for lease in seize(client, "recorder").values():
            self.recorder.take(lease)
        self.recorder.settle()

    def hear(self) -> None:
        """Takes in what is new in the feed."""
        for keys in PARTITIONS:
            entries: Any = self.client.xrange(keys.feed, f"({self.recorder.ledger.pages[keys.partition].heard}")
            for entry_id, fields in entries:
                event = Event.model_validate_json(fields[b"event"])
                self.recorder.hear(keys.partition, entry_id.decode(), fields[b"kind"].decode(), event)

    def look(self) -> None:
        """All that a recorder does in one go, twice: what is cut is followed on at the next look."""
        for _ in range(2):
            self.hear()
            while self.recorder.work():
                continue
            self.recorder.settle()

    def record(self, event: Event) -> MediaRecord:
        """What is told of an event."""
        return MediaRecords(self.client).get([event.id])[event.id]

    def files(self, event: Event) -> list[str]:
        """Names of its files."""
        return sorted(self.folder.sizes(event.id))


@pytest.fixture
def jpegs(reference_data: Path) -> Sequence[bytes]:
    """Pedestrians, 20 seconds of them."""
    return footage(reference_data / "video/vtest.avi", 160)


@pytest.fixture
def stage(redis_client: redis.Redis) -> Stage:
    """Where streams are put on."""
    return Stage(redis_client)


def studio(stage: Stage, root: Path, limits: Limits | None = None) -> Studio:
    return Studio(stage.client, root, limits or Limits(86_400, 1 << 30))


def times_in(clip: Path) -> list[int]:
    """Presentation times of a clip's frames, in ms."""
    with av.open(str(clip)) as film:
        assert film.streams.video[0].codec_context.pix_fmt == "yuv420p"
        return [round((frame.pts or 0) * film.streams.video[0].time_base * 1000) for frame in film.decode(video=0)]


def numbers(first: int, last: int) -> list[int]:
    """Times of capture of frames, both included."""
    return [StagedStream.at_ms(number) for number in range(first, last + 1)]


def test_an_event_has_pictures_and_a_clip(stage: Stage, tmp_path: Path, jpegs: Sequence[bytes]) -> None:
    cast, recording = stage.stream("cam", jpegs), studio(stage, tmp_path)
    [event] = cast.film(OPENS + 20, opens=[OPENS])
    recording.look()
    assert recording.record(event) == MediaRecord(state="recording")
    cast.film(30)  # the clip's end has been passed
    recording.look()
    opened, record = event.started_at_ms, recording.record(event)
    wanted = [ms for ms in numbers(0, OPENS + 49) if opened - PRE * 1000 <= ms <= opened + POST * 1000]
    assert record.clip
    assert (record.state, record.reason, record.clip.num_frames) == ("recording", None, len(wanted))
    assert record.pictures["before"] == wanted[0]
    assert record.pictures["opening"] == opened
    assert recording.folder.file(event.id, picture_name("opening")).read_bytes() == jpegs[OPENS]
    assert times_in(recording.folder.file(event.id, CLIP)) == [ms - wanted[0] for ms in wanted]
    assert json.loads(recording.folder.file(event.id, TIMES).read_bytes())["captured_at_ms"] == wanted
    cast.film(40, closes=[(OPENS, CLOSES)])
    recording.look()  # its peak came after the clip
    record = recording.record(event)
    assert (record.state, record.pictures["peak"]) == ("kept", StagedStream.at_ms(161))
    assert recording.folder.file(event.id, picture_name("peak")).read_bytes() == jpegs[161 % len(jpegs)]
    assert record.num_bytes == sum(recording.folder.sizes(event.id).values())
    assert recording.files(event) == ["before.jpg", CLIP, "opening.jpg", "peak.jpg", TIMES]
