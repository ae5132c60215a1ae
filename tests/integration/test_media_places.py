"""Where events' files lie: the same of a folder and a bucket, there and away."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import redis
from s3_server import LOGIN, Line, S3Server, s3_server
from staged import Stage, footage
from studio import LARGE, OPENS, Studio

from services.api.media.cutting.bench import CuttingBench
from services.api.media.places.opening import place_of
from services.api.media.places.place import CLIP, MAX_READ_BYTES, TIMES, MediaPlace, MediaUnavailable
from services.api.media.records import MediaRecords
from services.api.settings import ApiSettings, RecorderSettings
from shared.errors import SettingsInvalid
from shared.life.event_desk import EventDesk
from shared.service.settings import read_settings

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
    place.put(EVENT, CLIP, bytes(MAX_READ_BYTES + 1))
    for name in (TIMES, CLIP):  # there is none, and one that nobody takes into memory
        with pytest.raises(FileNotFoundError):
            place.read(EVENT, name)


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


@pytest.fixture
def jpegs(reference_data: Path) -> Sequence[bytes]:
    return footage(reference_data / "video/vtest.avi", 160)


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
    with pytest.raises(SettingsInvalid, match=r"AFTERIMAGE_EVENTS_DIR: .*s3://BUCKET/PREFIX"):
        place_of(where, 5)  # as `media check` is given it: a folder of that name would have nothing


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
