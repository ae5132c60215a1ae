"""The place of events' files is away, and comes back: what the recorder does meanwhile, and the api."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import redis
from api_server import BASE_MS, an_event, running_api, write_event
from default_layout import keys_of, partition_of
from patience import eventually
from s3_server import Line, S3Server
from staged import Stage, footage
from studio import CLOSES, LARGE, OPENS, Studio

from services.api import context
from services.api.media import media_recorder, shelf
from services.api.media.cutting import bench
from services.api.media.cutting.bench import CuttingBench
from services.api.media.cutting.under_way import NO_FRAMES
from services.api.media.media_recorder import TOO_SMALL
from services.api.media.places.opening import place_of
from services.api.media.places.place import CLIP
from services.api.media.retention import Limits
from shared.life.event_desk import EventDesk


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
