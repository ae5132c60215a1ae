"""Pictures and clips of events, cut from the queue's frames and kept within limits."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

import av
import pytest
import redis
from default_layout import PARTITIONS, keys_of, partition_of
from staged import FPS, Stage, StagedStream, footage
from studio import CLOSES, LARGE, OPENS, POST, PRE, Studio
from typer.testing import CliRunner

from afterimage.__main__ import app
from services.api.media.check import UNHEARD, RecorderRuns
from services.api.media.cutting.bench import CuttingBench
from services.api.media.cutting.frames import GONE
from services.api.media.cutting.under_way import NO_FRAMES
from services.api.media.places.folder import UNFINISHED
from services.api.media.places.place import CLIP, TIMES, picture_name
from services.api.media.records import MediaRecord, MediaRecords
from services.api.media.retention import BY_AGE, BY_SIZE, Limits
from shared.life.event_desk import EventDesk
from shared.life.marks import Mark
from shared.store.registry import Registry


@pytest.fixture
def jpegs(reference_data: Path) -> Sequence[bytes]:
    """Pedestrians, 20 seconds of them."""
    return footage(reference_data / "video/vtest.avi", 160)


@pytest.fixture
def stage(redis_client: redis.Redis) -> Stage:
    """Where streams are put on."""
    return Stage(redis_client)


Studios = Callable[..., Studio]


@pytest.fixture
def studio(stage: Stage, events_dir: str, tmp_path: Path) -> Iterator[Studios]:
    """One recorder after the other, with these limits."""
    with ExitStack() as benches:

        def new(limits: Limits = LARGE) -> Studio:
            return Studio(stage.client, events_dir, benches.enter_context(CuttingBench(tmp_path)), limits)

        yield new


def times_in(clip: bytes) -> list[int]:
    """Presentation times of a clip's frames, in ms."""
    with av.open(BytesIO(clip), "r") as film:
        assert film.streams.video[0].codec_context.pix_fmt == "yuv420p"
        return [round((frame.time or 0) * 1000) for frame in film.decode(video=0)]


def numbers(first: int, last: int) -> list[int]:
    """Times of capture of frames, both included."""
    return [StagedStream.at_ms(number) for number in range(first, last + 1)]


def test_an_event_has_pictures_and_a_clip(stage: Stage, studio: Studios, jpegs: Sequence[bytes]) -> None:
    cast, recording = stage.stream("cam", jpegs), studio()
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
    assert recording.place.read(event.id, picture_name("opening")) == jpegs[OPENS]
    assert times_in(recording.place.read(event.id, CLIP)) == [ms - wanted[0] for ms in wanted]
    assert json.loads(recording.place.read(event.id, TIMES))["captured_at_ms"] == wanted
    cast.film(40, closes=[(OPENS, CLOSES)])
    recording.look()  # its peak came after the clip
    record = recording.record(event)
    assert (record.state, record.pictures["peak"]) == ("kept", StagedStream.at_ms(161))
    assert recording.place.read(event.id, picture_name("peak")) == jpegs[161 % len(jpegs)]
    assert record.num_bytes == sum(recording.place.sizes(event.id).values())
    assert recording.files(event) == ["before.jpg", CLIP, "opening.jpg", "peak.jpg", TIMES]


def test_what_a_dead_recorder_left_half_goes_before_anything_is_counted(
    stage: Stage, studio: Studios, jpegs: Sequence[bytes]
) -> None:
    cast, first = stage.stream("cam", jpegs), studio()
    [event] = cast.film(OPENS + 50, opens=[OPENS])
    first.look()
    first.place.put(event.id, f".{picture_name('peak')}.0{UNFINISHED}", b"half")
    second = studio()
    cast.film(40, closes=[(OPENS, CLOSES)])
    second.look()
    record, sizes = second.record(event), second.place.sizes(event.id)
    assert (record.state, sorted(sizes)) == ("kept", ["before.jpg", CLIP, "opening.jpg", "peak.jpg", TIMES])
    assert record.num_bytes == sum(sizes.values())


def test_frames_are_held_while_they_are_needed(stage: Stage, studio: Studios, jpegs: Sequence[bytes]) -> None:
    cast, recording = stage.stream("fast", jpegs), studio()
    events = cast.film(800, opens=[OPENS, 400], closes=[(OPENS, CLOSES), (400, 420)])
    cast.end()
    queue = keys_of("fast").frames("fast")
    recording.hear()
    stage.client.pexpire(queue, 5000)
    recording.recorder.ledger.pages[partition_of("fast")].renew_at = 0.0
    recording.recorder.settle()
    assert stage.client.pttl(queue) > 25_000  # as long as somebody says so
    recording.look()  # who plays files fast is far away by then
    for event in events:
        record = recording.record(event)
        assert (record.state, record.reason) == ("kept", None)
        assert record.clip
        assert record.clip.from_ms - (event.started_at_ms - PRE * 1000) < 1000 / FPS
    assert stage.client.xlen(queue) > 700
    cast.film(1)
    assert stage.client.xlen(queue) <= 10 * FPS + 2


def test_nobody_who_records_holds_nothing(stage: Stage, studio: Studios, jpegs: Sequence[bytes]) -> None:
    cast = stage.stream("cam", jpegs)
    [event] = cast.film(300, opens=[OPENS], closes=[(OPENS, CLOSES)])
    assert stage.client.xlen(keys_of("cam").frames("cam")) <= 10 * FPS + 1
    recording = studio()
    assert 0 < stage.client.pttl(keys_of("cam").held) <= 30_000
    recording.look()
    record = recording.record(event)
    assert (record.state, record.reason, record.pictures) == ("none", NO_FRAMES, {})
    assert recording.files(event) == []


@pytest.mark.parametrize("pace", ["live", "fast"])
def test_what_is_held_is_bounded(stage: Stage, studio: Studios, pace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.store.frame_queue.MAX_KEPT_FAST_FRAMES", 512)
    cast = stage.stream("cam", [b"jpeg"], pace)
    recording = studio()
    cast.film(1000, opens=[10])
    assert stage.client.hget(keys_of("cam").held, "cam") is not None
    assert stage.client.xlen(keys_of("cam").frames("cam")) <= 513
    assert recording.recorder.ledger.num_under_way == 0


def test_what_is_lost_or_late_is_said(stage: Stage, studio: Studios, jpegs: Sequence[bytes]) -> None:
    pictures = list(jpegs)
    pictures[105] = b"no picture"
    cast, recording = stage.stream("cam", pictures), studio()
    cast.film(95)
    stage.client.xtrim(keys_of("cam").frames("cam"), minid=f"{cast.at_ms(90)}-0")
    [event] = cast.film(15, opens=[OPENS])
    for number in (103, 104):
        stage.client.xdel(keys_of("cam").frames("cam"), f"{cast.at_ms(number)}-0")
    cast.film(40, closes=[(OPENS, 120)])
    for number in (138, 139, 140):
        stage.client.xdel(keys_of("cam").frames("cam"), f"{cast.at_ms(number)}-0")
    recording.look()
    record = recording.record(event)
    span = range(event.started_at_ms - PRE * 1000, event.started_at_ms + POST * 1000 + 1)
    num_gone = sum(ms in span for ms in (*numbers(70, 89), *numbers(138, 140)))
    assert record.reason == f"{num_gone} {GONE}; 2 of its frames were lost before; 1 of its frames do not decode"
    assert record.clip
    assert (record.clip.from_ms, record.clip.frames_missing) == (cast.at_ms(90), 3 + num_gone)
    wanted = [cast.at_ms(number) for number in range(90, 138) if number not in {103, 104, 105}]
    assert times_in(recording.place.read(event.id, CLIP)) == [ms - wanted[0] for ms in wanted]


def test_the_next_recorder_goes_on(stage: Stage, studio: Studios, jpegs: Sequence[bytes]) -> None:
    cast, first = stage.stream("cam", jpegs), studio()
    [event] = cast.film(OPENS + 20, opens=[OPENS])
    first.look()
    second = studio()
    cast.film(30)
    second.look()
    first.look()  # it hung, and does not know yet that it is nobody
    assert partition_of("cam") in {lease.partition for lease in first.lost}
    assert second.record(event).clip
    third = studio()
    stage.client.hset(keys_of("cam").media, event.id, MediaRecord(state="recording").model_dump_json())
    stage.client.delete(keys_of("cam").frames("cam"))
    third = studio()  # as if the second had died before it said what it had written
    cast.film(40, closes=[(OPENS, CLOSES)])
    third.look()
    assert third.record(event).state == "kept"
    assert third.record(event).clip == second.record(event).clip


def test_room_is_made_by_the_oldest(stage: Stage, studio: Studios, jpegs: Sequence[bytes]) -> None:
    cast = stage.stream("cam", jpegs)
    recording = studio(Limits(86_400, 450_000))
    opens = range(50, 550, 100)
    events = []
    for first in opens:
        events += cast.film(100, opens=[first], closes=[(first, first + 45)])
        recording.look()
        used = sum(sum(recording.place.sizes(event.id).values()) for event in events)
        assert used <= 450_000
        if first == 150:
            EventDesk(stage.client).mark(events[1].id, lambda marks: marks.with_kept(Mark(at_ms=1, by=None)))
    states = [recording.record(event).state for event in events]
    assert states == ["removed", "kept", "removed", "removed", "kept"]
    assert recording.record(events[0]).reason == BY_SIZE
    assert recording.files(events[0]) == []
    old = studio(Limits(0.001, 450_000))
    old.recorder.sweep()
    assert [old.record(event).state for event in events] == ["removed", "kept", "removed", "removed", "removed"]
    assert old.record(events[4]).reason == BY_AGE


def test_media_goes_with_its_event(stage: Stage, studio: Studios, jpegs: Sequence[bytes]) -> None:
    cast, recording = stage.stream("cam", jpegs), studio()
    event, deleted = cast.film(OPENS + 160, opens=[OPENS, OPENS + 100], closes=[(OPENS + 100, OPENS + 110)])
    recording.look()
    EventDesk(stage.client).delete(deleted.id)
    recording.look()
    assert (recording.files(deleted), len(recording.files(event))) == ([], 5)
    Registry(stage.client).remove("cam")
    recording.look()
    for _ in PARTITIONS:
        recording.recorder.sweep()
    recording.recorder.settle()
    assert MediaRecords(stage.client).get([event.id, deleted.id]) == {}
    assert list(recording.place.streams()) == []


def test_what_is_on_one_side_only_is_mended(
    stage: Stage, studio: Studios, events_dir: str, jpegs: Sequence[bytes]
) -> None:
    cast, recording = stage.stream("cam", jpegs), studio()
    events = cast.film(700, opens=range(100, 700, 100), closes=[(each, each + 40) for each in range(100, 650, 100)])
    recording.look()
    lost, halved, forgotten, gone, unheard, last = events
    data, media = keys_of("cam").event_data("cam"), keys_of("cam").media
    recording.place.delete(lost.id, CLIP)
    recording.place.put(halved.id, f".{CLIP}.0{UNFINISHED}", b"half")
    stage.client.hdel(media, forgotten.id)
    stage.client.hdel(data, gone.id)
    recording.place.remove(unheard.id)
    stage.client.hdel(media, unheard.id)
    stage.client.set(keys_of("cam").cursor("recorder"), recording.recorder.ledger.pages[partition_of("cam")].heard)
    url = stage.client.connection_pool.connection_kwargs["path"]
    options = ["media", "check", "--redis-url", f"unix://{url}", "--events-dir", events_dir]
    assert isinstance(CliRunner().invoke(app, options).exception, RecorderRuns)
    stage.client.delete(*(keys.lease("recorder") for keys in PARTITIONS))
    wanted = {
        (lost.id, "a record without its files"),
        (halved.id, "half a file"),
        (forgotten.id, "media without a record"),
        (gone.id, "media without its event"),
        (unheard.id, "an event without media"),
    }
    for option in (["--dry-run"], [], []):
        done = CliRunner().invoke(app, [*options, *option])
        lines = done.output.splitlines()
        assert done.exit_code == 0, done.output
        assert {tuple(line.split(": ")) for line in lines[:-1]} == wanted
        wanted = wanted if option else set()
    assert [recording.record(each).state for each in (lost, halved, forgotten)] == ["removed", "kept", "kept"]
    assert recording.record(unheard) == MediaRecord(state="none", reason=UNHEARD)
    assert (recording.files(lost), recording.files(gone)) == ([], [])
    assert len(recording.files(halved)) == 5
    assert recording.record(last).state == "kept"
