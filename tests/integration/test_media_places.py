"""Where events' files lie: the same of a folder and a bucket, there and away."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import redis
from api_server import BASE_MS, an_event, running_api, write_event
from patience import eventually
from s3_server import LOGIN, Line, S3Server, s3_server
from staged import Stage, footage
from test_media import CLOSES, LARGE, OPENS, Studio

from services.api import context
from services.api.media import media_recorder, shelf
from services.api.media.cutting import bench
from services.api.media.cutting.bench import CuttingBench
from services.api.media.cutting.under_way import NO_FRAMES
from services.api.media.media_recorder import TOO_SMALL
from services.api.media.places.opening import place_of
from services.api.media.places.place import CLIP, TIMES, MediaPlace, MediaUnavailable
from services.api.media.records import MediaRecord, MediaRecords
from services.api.media.retention import Limits
from services.api.settings import ApiSettings, RecorderSettings
from shared.errors import SettingsInvalid
from shared.life.event_desk import EventDesk
from shared.service.settings import read_settings
from shared.store.keys import keys_of, partition_of

EVENT = "cam.moved.1700000000000"


@pytest.fixture
def place(events_dir: str) -> MediaPlace:
    return place_of(events_dir, 10)


def test_files_are_whole_or_not_there(place: MediaPlace, tmp_path: Path) -> None:
    versions = [bytes([each]) * 300_000 for each in range(8)]
    (tmp_path / "film").write_bytes(versions[-1])
    seen: set[bytes] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            if CLIP in place.sizes(EVENT):
                seen.add(place.read(EVENT, CLIP))

    reader = threading.Thread(target=look)
    reader.start()
    everything: list[bytes | Path] = [*versions, tmp_path / "film"]
    for version in everything:
        place.put(EVENT, CLIP, version)
    done.set()
    reader.join()
    assert seen <= set(versions)
    assert place.read(EVENT, CLIP) == versions[-1]


def test_files_are_found_by_event_and_stream(place: MediaPlace) -> None:
    assert (list(place.streams()), place.files("cam"), place.sizes(EVENT)) == ([], {}, {})
    place.put(EVENT, TIMES, b"{}")
    place.put("cam-2.moved.1", CLIP, b"film")
    assert sorted(place.streams()) == ["cam", "cam-2"]
    assert (place.files("cam"), place.sizes("cam-2.moved.1")) == ({EVENT: {TIMES: 2}}, {CLIP: 4})
    for _ in range(2):
        place.delete(EVENT, TIMES)
        place.remove("cam-2.moved.1")
    assert (list(place.streams()), place.files("cam")) in (([], {}), (["cam"], {EVENT: {}}))
    with pytest.raises(FileNotFoundError):
        place.read(EVENT, TIMES)


def test_what_has_been_replaced_is_not_mixed(place: MediaPlace) -> None:
    place.put(EVENT, CLIP, b"first")
    facts = asyncio.run(place.facts(EVENT, CLIP))
    assert (facts.num_bytes, asyncio.run(place.part(EVENT, CLIP, facts.etag, 1, 3))) == (5, b"ir")
    place.put(EVENT, CLIP, b"other")
    with pytest.raises(MediaUnavailable, match="given way"):
        asyncio.run(place.part(EVENT, CLIP, facts.etag, 1, 3))
    place.remove(EVENT)
    with pytest.raises(MediaUnavailable, match="given way"):
        asyncio.run(place.part(EVENT, CLIP, facts.etag, 1, 3))
    with pytest.raises(FileNotFoundError):
        asyncio.run(place.facts(EVENT, CLIP))


@dataclass(frozen=True, slots=True)
class Weather:
    """A place that goes and comes back."""

    where: str
    go: Callable[[], object]
    come: Callable[[], object]


@pytest.fixture(params=["folder", "bucket"])
def weather(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Weather]:
    monkeypatch.setattr(shelf, "LONGEST_SECONDS", 0.2)
    if request.param == "folder":
        folder, moved = tmp_path / "events", tmp_path / "moved"
        folder.mkdir()

        def go() -> None:
            folder.rename(moved)
            folder.touch()  # as a disk that is no more, root must not write there either

        def come() -> None:
            folder.unlink()
            moved.rename(folder)

        yield Weather(str(folder), go, come)
        return
    s3: S3Server = request.getfixturevalue("s3")
    line = Line(s3.port)
    for name, value in s3.variables(line.port).items():
        monkeypatch.setenv(name, value)
    yield Weather(s3.new_bucket(), lambda: line.put("cut"), lambda: line.put("open"))
    line.close()


@pytest.fixture
def jpegs(reference_data: Path) -> Sequence[bytes]:
    return footage(reference_data / "video/vtest.avi", 160)


@pytest.fixture
def recording(redis_client: redis.Redis, weather: Weather, tmp_path: Path) -> Iterator[Studio]:
    with CuttingBench(tmp_path) as own:
        Stage(redis_client)
        yield Studio(redis_client, weather.where, own, LARGE)


def until(recording: Studio, done: Callable[[], bool], what: str) -> None:
    def look() -> bool:
        recording.look()
        recording.recorder.sweep()
        return done()

    eventually(look, what)


def test_what_is_cut_waits_for_its_place(recording: Studio, weather: Weather, jpegs: Sequence[bytes]) -> None:
    cast = Stage(recording.client).stream("cam", jpegs)
    weather.go()
    event, ended = cast.film(OPENS + 200, opens=[OPENS, OPENS + 20], closes=[(OPENS + 20, OPENS + 40)])
    recording.look()
    for each in (event, ended):
        record = recording.record(each)
        assert (record.state, record.recorded_at_ms) == ("recording", 0)
        assert (record.reason or "").startswith("waiting: the ")
        assert record.missing("clip").startswith("the clip is not there yet: waiting: ")
    recording.client.delete(keys_of("cam").frames("cam"))  # what is cut needs no frames any more
    began = time.monotonic()
    for _ in range(20):
        recording.look()
    assert time.monotonic() - began < 10
    weather.come()
    until(recording, lambda: recording.record(ended).state == "kept", "the files")
    record = recording.record(event)
    assert (record.state, record.reason, len(recording.files(event))) == ("recording", None, 5)
    assert record.num_bytes == sum(recording.place.sizes(event.id).values())


def test_few_wait_with_their_files(
    recording: Studio, weather: Weather, jpegs: Sequence[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "MAX_WAITING_BYTES", 1)
    cast = Stage(recording.client).stream("cam", jpegs)
    weather.go()
    events = cast.film(OPENS + 200, opens=[OPENS, OPENS + 20], closes=[(OPENS, OPENS + 40), (OPENS + 20, OPENS + 40)])
    recording.look()
    recording.client.delete(keys_of("cam").frames("cam"))
    weather.come()
    until(recording, lambda: all(recording.record(each).state != "recording" for each in events), "all")
    assert [recording.record(each).reason for each in events] == [None, NO_FRAMES]


def test_nobody_waits_for_ever(
    recording: Studio, weather: Weather, jpegs: Sequence[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    cast = Stage(recording.client).stream("cam", jpegs)
    weather.go()
    [event] = cast.film(OPENS + 100, opens=[OPENS], closes=[(OPENS, OPENS + 40)])
    recording.look()
    monkeypatch.setattr(media_recorder, "WAIT_SECONDS", 0.0)
    until(recording, lambda: recording.record(event).state == "none", "an end")
    assert (recording.record(event).reason or "").startswith("it could not be written: the ")
    weather.come()
    until(recording, lambda: not recording.files(event), "nothing half")


def test_what_must_go_goes_once_it_can(recording: Studio, weather: Weather, jpegs: Sequence[bytes]) -> None:
    cast = Stage(recording.client).stream("cam", jpegs)
    [event] = cast.film(OPENS + 100, opens=[OPENS], closes=[(OPENS, OPENS + 40)])
    recording.look()
    assert recording.record(event).state == "kept"
    weather.go()
    EventDesk(recording.client).delete(event.id)
    recording.look()
    recording.recorder.sweep()
    weather.come()
    assert recording.files(event)
    until(recording, lambda: not recording.files(event), "its end")


def test_room_is_kept_while_nothing_can_go(
    recording: Studio, weather: Weather, jpegs: Sequence[bytes], tmp_path: Path
) -> None:
    """Retention promises a bound: nothing is put before what must make room has gone."""
    cast = Stage(recording.client).stream("cam", jpegs)
    [first] = cast.film(OPENS + 100, opens=[OPENS], closes=[(OPENS, OPENS + 40)])
    recording.look()
    size = recording.record(first).num_bytes
    with CuttingBench(tmp_path) as own:
        tight = Studio(recording.client, weather.where, own, Limits(86_400, round(size * 1.5)))
        weather.go()
        [second] = cast.film(200, opens=[cast.num_frames + 50], closes=[(cast.num_frames + 50, cast.num_frames + 90)])
        tight.look()
        weather.come()
        until(tight, lambda: tight.record(second).state == "kept", "the second")
        assert (tight.record(first).state, tight.files(first)) == ("removed", [])


def test_what_a_dead_recorder_had_put_takes_room(
    redis_client: redis.Redis, events_dir: str, jpegs: Sequence[bytes], tmp_path: Path
) -> None:
    stage, names = Stage(redis_client), sorted((f"cam-{each}" for each in range(9)), key=partition_of)
    with CuttingBench(tmp_path) as own:
        first = Studio(redis_client, events_dir, own, LARGE)
        late = stage.stream(names[-1], jpegs)  # the next recorder comes to it last
        [waiting] = late.film(OPENS + 20, opens=[OPENS])
        first.look()
        first.place.put(waiting.id, CLIP, bytes(400_000))
    [event] = stage.stream(names[0], jpegs).film(OPENS + 100, opens=[OPENS], closes=[(OPENS, OPENS + 40)])
    with CuttingBench(tmp_path) as own:
        second = Studio(redis_client, events_dir, own, Limits(86_400, 450_000))
        second.look()
        assert (second.record(event).reason, second.files(event)) == (TOO_SMALL, [])
        late.film(80, closes=[(OPENS, CLOSES)])
        second.look()
        assert (second.record(waiting).state, len(second.files(waiting))) == ("kept", 5)


def test_the_api_says_that_the_place_is_away(
    redis_client: redis.Redis, redis_url: str, weather: Weather, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "API_SECONDS", 1.0)
    with running_api(redis_url, events_dir=weather.where) as api:
        api.add("cam")
        event_id = write_event(redis_client, an_event("cam", BASE_MS))
        place_of(weather.where, 10).put(event_id, CLIP, b"film")
        path = f"/v1/events/{event_id}/clip.mp4"
        assert api.http.get(path).content == b"film"
        weather.go()
        error = api.error(503, "GET", path)
        assert (error["code"], "s3://" in error["message"]) == ("media_unavailable", False)
        assert api.http.get(path).headers["retry-after"]
        weather.come()
        assert api.http.get(path).content == b"film"


def test_a_file_that_ends_early_is_no_defect(
    redis_client: redis.Redis, redis_url: str, weather: Weather, caplog: pytest.LogCaptureFixture
) -> None:
    with running_api(redis_url, events_dir=weather.where) as api:
        api.add("cam")
        event_id = write_event(redis_client, an_event("cam", BASE_MS))
        place_of(weather.where, 10).put(event_id, CLIP, bytes(30_000_000))  # more than sockets take ahead
        with api.http.stream("GET", f"/v1/events/{event_id}/clip.mp4") as answer:
            pieces = answer.iter_raw()
            assert next(pieces)
            weather.go()
            with pytest.raises(httpx.RemoteProtocolError):
                list(pieces)
        eventually(lambda: "not shown to its end" in caplog.text, "its line")
        assert "Traceback" not in caplog.text
        weather.come()


def test_nothing_else_waits_for_a_bucket_that_hangs(
    s3: S3Server, redis_client: redis.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "API_SECONDS", 3.0)
    line = Line(s3.port)
    for name, value in s3.variables(line.port).items():
        monkeypatch.setenv(name, value)
    with running_api(redis_url, events_dir=s3.new_bucket()) as api:
        api.add("cam")
        event_id = write_event(redis_client, an_event("cam", BASE_MS))
        line.put("silent")
        answers: list[int] = []

        def ask() -> None:
            answers.append(api.http.get(f"/v1/events/{event_id}/clip.mp4").status_code)

        askers = [threading.Thread(target=ask) for _ in range(50)]  # more than there are threads for answers
        for each in askers:
            each.start()
        assert api.http.get(f"/v1/events/{event_id}").status_code == 200
        assert answers == []
        for each in askers:
            each.join()
        assert answers == [503] * 50
    line.close()


def test_an_upload_that_is_given_up_leaves_nothing(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(s3.port)
    for name, value in s3.variables(line.port).items():
        monkeypatch.setenv(name, value)
    place, began = place_of(s3.new_bucket(), 0.5), time.monotonic()
    line.put("silent")
    with pytest.raises(MediaUnavailable, match="it does not answer in time"):
        place.put(EVENT, CLIP, bytes(1_000_000))
    assert time.monotonic() - began < 10
    line.put("open")
    assert place.sizes(EVENT) == {}
    line.close()


def test_who_is_refused_says_so_without_the_login(
    redis_client: redis.Redis,
    tmp_path: Path,
    jpegs: Sequence[bytes],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    with s3_server(tmp_path) as strict, CuttingBench(tmp_path) as own:
        for name, value in strict.variables().items():
            monkeypatch.setenv(name, value)
        where = strict.new_bucket()
        strict.ask_for_logins()
        cast = Stage(redis_client).stream("cam", jpegs)
        recording = Studio(redis_client, where, own, LARGE)
        [event] = cast.film(OPENS + 100, opens=[OPENS])
        recording.look()
        record = MediaRecords(redis_client).get([event.id])[event.id]
        assert record.reason == "waiting: the bucket of pictures and clips: it answers 403 InvalidAccessKeyId"
        none = place_of("s3://no-such-bucket", 5)
        with pytest.raises(MediaUnavailable, match="403"):
            none.put(EVENT, CLIP, b"film")
    assert "waiting" in caplog.text
    assert not any(secret in caplog.text + record.model_dump_json() for secret in LOGIN.values())


def test_requests_for_an_event_are_few(
    s3: S3Server,
    redis_client: redis.Redis,
    tmp_path: Path,
    jpegs: Sequence[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in s3.variables().items():
        monkeypatch.setenv(name, value)
    cast, where = Stage(redis_client).stream("cam", jpegs), s3.new_bucket()
    with CuttingBench(tmp_path) as own:
        recording = Studio(redis_client, where, own, LARGE)
        [event] = cast.film(OPENS + 55, opens=[OPENS], closes=[(OPENS, OPENS + 30)])
        recording.look()
        assert recording.record(event).state == "kept"
        assert s3.asked(where) == ["PUT"] * 5
        EventDesk(redis_client).delete(event.id)
        recording.look()
        assert s3.asked(where) == ["PUT"] * 5 + ["GET", "POST"]


def test_a_bucket_without_its_library_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "services.api.media.places.bucket", raising=False)
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(SettingsInvalid, match=r"AFTERIMAGE_EVENTS_DIR: .*'afterimage\[s3\]'"):
        place_of("s3://bucket", 5)


@pytest.mark.parametrize(
    "where", ["s3://", "s3://name:pass@bucket", "s3://bucket/../up", "s3://bucket?x=1", "gs://bucket", "S3://bucket"]
)
def test_no_other_place_is_taken(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERIMAGE_EVENTS_DIR", where)
    for kind in (ApiSettings, RecorderSettings):
        with pytest.raises(SettingsInvalid, match=r"AFTERIMAGE_EVENTS_DIR: .*s3://BUCKET/PREFIX") as caught:
            read_settings(kind)
        assert "pass" not in str(caught.value)


def test_a_login_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "pass\n")
    with pytest.raises(SettingsInvalid, match="AWS_SECRET_ACCESS_KEY: it holds the end of a line") as caught:
        place_of("s3://bucket", 5)
    assert "pass" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "ftp://host", "http://name:pass@host", "host:9000", "http://host?x"])
def test_an_endpoint_is_an_address(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    with pytest.raises(SettingsInvalid, match="AWS_ENDPOINT_URL: allowed is") as caught:
        place_of("s3://bucket", 5)
    assert "pass" not in str(caught.value)


def test_what_the_dead_left_on_the_bench_goes(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from services.api.media.cutting.bench import CuttingBench\n"
        "with CuttingBench(Path(sys.argv[1])) as own:\n"
        "    (own.folder('a') / 'clip').touch(); print('cut', flush=True); time.sleep(99)"
    )

    def left() -> int:
        return len(list(tmp_path.glob("*/a/clip")))

    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"cut\n"
        with CuttingBench(tmp_path) as own:
            assert left() == 1  # of one that lives
            assert own.has_room
        other.kill()
    with CuttingBench(tmp_path):
        assert left() == 0
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_waits_tells_why() -> None:
    assert MediaRecord(state="recording").missing("clip") == "the clip is not cut yet"
