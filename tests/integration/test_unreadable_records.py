"""A record that this version cannot read disables its own stream, with a reason, and no other."""

import logging
from pathlib import Path

import pytest
import redis
from api_server import BASE_MS, RunningApi, an_event, write_event
from damage import ALL, OTHERS, SECRET, SPECS, Damage, neighbour_of
from default_layout import keys_of
from films import VideoFile
from ingest_runner import IngestRunner, stream_spec
from patience import eventually
from worker_runner import WorkerRunner, pictures, save_random_model, spec_of

from services.ingest.captures import supervisor
from shared.store.registry import Registry
from shared.streams import StreamState

BAD, GOOD = "door", neighbour_of("door")
NAMES = [damage.name for damage in ALL]


def reason(damage: Damage) -> str:
    return f"its record cannot be read by this version: {damage.place}"


@pytest.fixture
def api(server: RunningApi, redis_client: redis.Redis) -> RunningApi:
    for stream_id in (BAD, GOOD):
        server.add(stream_id, source=f"rtsp://user:{SECRET}@camera.invalid/1")
    return server


@pytest.mark.parametrize("damage", ALL, ids=NAMES)
def test_the_api_shows_it_as_failed_and_can_remove_it(
    damage: Damage, api: RunningApi, redis_client: redis.Redis
) -> None:
    damage.do(redis_client, BAD)
    reply = api.http.get("/v1/streams")
    assert reply.status_code == 200, reply.text
    views = {view["id"]: view for view in reply.json()["items"]}
    assert views.keys() == {BAD, GOOD}
    assert (views[BAD]["state"], views[BAD]["reason"]) == ("failed", reason(damage))
    assert (views[GOOD]["state"], views[GOOD]["reason"]) == ("pending", None)
    assert api.http.get(f"/v1/streams/{BAD}").json() == views[BAD]
    error = api.error(409, "PATCH", f"/v1/streams/{BAD}", json={"name": "other"})
    assert error["message"] == f"stream {BAD!r} cannot be changed: {reason(damage)}"
    line = f'afterimage_stream_state{{model="camera-events",state="failed",stream_id="{BAD}"}} 1.0'
    eventually(lambda: line in api.metrics(), "what is written by hand is noticed")
    page = api.metrics()
    assert api.http.get("/v1/events").status_code == 200
    for text in (reply.text, str(error), page):
        assert SECRET not in text
    assert api.http.delete(f"/v1/streams/{BAD}").status_code == 204
    assert [view["id"] for view in api.http.get("/v1/streams").json()["items"]] == [GOOD]
    api.add(BAD)


def test_ingest_leaves_them_be_says_so_once_each_and_takes_them_up_when_they_are_mended(
    ingest: IngestRunner,
    redis_client: redis.Redis,
    video_file: VideoFile,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervisor, "UNREADABLE_SECONDS", 0.0)
    caplog.set_level(logging.WARNING, supervisor.__name__)
    video_file("clip.mp4", seconds=1)
    for damage in ALL:
        ingest.add(damage.name, "clip.mp4")
        ingest.add(neighbour_of(damage.name), "clip.mp4")
    mend = [damage.do(redis_client, damage.name) for damage in ALL]
    ingest.start()
    for damage in ALL:
        ingest.until(neighbour_of(damage.name), StreamState.ENDED)
        assert ingest.frames(damage.name) == []
    said = {f"stream {damage.name}: is left be: {reason(damage)}" for damage in ALL}
    eventually(lambda: said <= set(caplog.messages), "a word on each in the log")
    ingest.add("last", "clip.mp4")  # the supervisor has looked at all of them more than once by then
    ingest.until("last", StreamState.ENDED)
    assert sorted(message for message in caplog.messages if "is left be" in message) == sorted(said)
    for put_right in mend:
        put_right()
    for damage in ALL:
        ingest.until(damage.name, StreamState.ENDED)


def test_ingest_stores_the_reason_where_the_api_may_know_the_spec(
    ingest: IngestRunner, redis_client: redis.Redis
) -> None:
    spec = ingest.add("cam", "clip.mp4")
    damage = next(damage for damage in SPECS if damage.name == "newer-version")
    mend = damage.do(redis_client, "cam")
    ingest.start()
    eventually(lambda: redis_client.hexists(keys_of("cam").status, "cam"), "a status")
    ingest.stop()
    mend()
    status = ingest.registry.get("cam").status
    assert (status.state, status.reason, status.generation) == (StreamState.FAILED, reason(damage), spec.generation)


@pytest.mark.parametrize("damage", [each for each in OTHERS if each.place.startswith("status")], ids=lambda d: d.name)
def test_ingest_overwrites_nothing_that_it_cannot_read(
    damage: Damage, ingest: IngestRunner, redis_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    ingest.add("cam", "clip.mp4")
    SPECS[0].do(redis_client, "cam")
    damage.do(redis_client, "cam")
    stored = redis_client.hget(keys_of("cam").status, "cam")
    ingest.start()
    eventually(lambda: "is left be" in caplog.text, "a word in the log")
    ingest.stop()
    assert redis_client.hget(keys_of("cam").status, "cam") == stored


def test_inference_works_on_the_others(redis_client: redis.Redis, tmp_path: Path) -> None:
    save_random_model(tmp_path)
    with WorkerRunner(redis_client, tmp_path) as runner:
        for damage in ALL:
            for stream_id in (damage.name, neighbour_of(damage.name)):
                runner.registry.add(spec_of(stream_id))
                runner.publish(spec_of(stream_id), pictures(2))
            damage.do(redis_client, damage.name)
        runner.start()
        for damage in ALL:
            runner.wait_processed(neighbour_of(damage.name), 2)
        unknown = sum(damage.part == "progress" for damage in ALL)
        eventually(lambda: runner.value("afterimage_streams_damaged") == unknown, "those whose course is unknown")
        assert runner.failure is None


def test_inference_passes_over_what_is_no_frame_and_no_queue(redis_client: redis.Redis, tmp_path: Path) -> None:
    save_random_model(tmp_path)
    with WorkerRunner(redis_client, tmp_path) as runner:
        for stream_id in (BAD, GOOD):
            runner.registry.add(spec_of(stream_id))
        redis_client.set(keys_of(BAD).frames(BAD), "no queue")
        redis_client.xadd(keys_of(GOOD).frames(GOOD), {"who": "knows"}, id="5-0")
        runner.publish(spec_of(GOOD), pictures(5))
        runner.start()
        assert runner.wait_processed(GOOD, 5).frames_dropped == 0
        assert runner.failure is None


def test_a_history_that_is_none_hides_no_other(api: RunningApi, redis_client: redis.Redis) -> None:
    redis_client.set(keys_of(BAD).events(BAD), "no sorted set")
    redis_client.set(keys_of(BAD).event_data(BAD), "no hash")
    kept = write_event(redis_client, an_event(GOOD, BASE_MS))
    assert [event["id"] for event in api.http.get("/v1/events").json()["items"]] == [kept]
    assert api.http.get(f"/v1/events?stream_id={BAD}").json()["items"] == []


def test_a_hash_that_is_none_hides_its_own_partition_alone(
    api: RunningApi, redis_client: redis.Redis, ingest: IngestRunner, caplog: pytest.LogCaptureFixture
) -> None:
    other = next(name for name in ("yard", "hall", "gate", "shed") if keys_of(name) != keys_of(BAD))
    api.add(other)
    redis_client.delete(keys_of(BAD).streams)
    redis_client.set(keys_of(BAD).streams, "no hash")

    def shown() -> list[str]:
        return [view["id"] for view in api.http.get("/v1/streams").json()["items"]]

    eventually(lambda: shown() == [other], "what is written by hand is noticed")
    ingest.start()
    ingest.until(other, StreamState.WAITING, StreamState.CONNECTING)
    eventually(lambda: f"stream {keys_of(BAD).streams}: is left be" in caplog.text, "a word in the log")


def test_a_spec_in_an_earlier_versions_words_can_be_replaced(redis_client: redis.Redis) -> None:
    registry, spec = Registry(redis_client), stream_spec("cam", "clip.mp4")
    registry.add(spec)
    earlier = spec.model_dump_json(exclude={"skip", "model_asks"}, indent=1)
    redis_client.hset(keys_of("cam").streams, "cam", earlier)
    seen = registry.get("cam").spec
    wanted = seen.model_copy(update={"name": "another", "revision": 1})
    assert registry.replace(seen, wanted)
    assert registry.replace(seen, wanted)  # again, as after a lost reply
    assert not registry.replace(seen, seen.model_copy(update={"name": "a third"}))
    assert registry.get("cam").spec == wanted
