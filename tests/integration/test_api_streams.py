from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
from api_server import BASE_MS, CAMERA, RunningApi, an_event, publish, running_api, write_event
from default_layout import keys_of
from leasing import lease_of
from typer.testing import CliRunner

from afterimage.__main__ import app
from shared.store.keys import NEEDED
from shared.store.registry import Registry
from shared.streams import InferenceStatus, Progress, StreamState, StreamStatus

SECRET = "s3cret-pass"


@pytest.fixture(scope="module")
def server(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApi]:
    media = tmp_path_factory.mktemp("media")
    (media / "clip.mp4").write_bytes(b"not looked into")
    (media / "folder").mkdir()
    with running_api(redis_url, media_root=media) as api:
        yield api


@pytest.fixture
def api(server: RunningApi, redis_client: redis.Redis) -> RunningApi:
    return server


def test_a_registered_stream_is_shown_as_asked_for(api: RunningApi) -> None:
    wanted = {
        "id": "gate-1",
        "name": "Gate",
        "source": "rtsp://host/1",
        "fps": 4,
        "pace": "fast",
        "loop": True,
        "thresholds": {"moved": 0.6, "covered": {"exit": 0.2}},
        "reset_after_seconds": 3,
        "rtsp_transport": "udp",
        "skip": "keyframes",
        "stall_seconds": 45,
        "transport_short_side": 360,
        "base_ms": BASE_MS,
    }
    reply = api.http.post("/v1/streams", json=wanted)
    view = reply.json()
    assert reply.status_code == 201
    assert reply.headers["Location"] == "/v1/streams/gate-1"
    assert api.http.get("/v1/streams/gate-1").json() == view
    thresholds = view["thresholds"]
    assert view == {**view, **wanted, "thresholds": thresholds}
    assert (thresholds["moved"]["enter"], thresholds["covered"]["exit"]) == (0.6, 0.2)
    assert (view["state"], view["finished"], view["frames_published"], view["lag_frames"]) == ("pending", False, 0, 0)
    assert "generation" not in view


def test_how_long_a_camera_may_be_silent_is_said_on_the_command_line_and_taken_back(api: RunningApi) -> None:
    command = ["streams", "add", "Slow", "rtsp://host/1", "--fps", "0.01", "--stall-seconds", "400", "--url", api.url]
    done = CliRunner().invoke(app, command)
    assert (done.exit_code, done.output) == (0, "slow\n")
    view = api.http.get("/v1/streams/slow").json()
    assert (view["fps"], view["stall_seconds"]) == (0.01, 400)
    assert api.http.patch("/v1/streams/slow", json={"stall_seconds": 3600}).json()["stall_seconds"] == 3600
    assert api.http.patch("/v1/streams/slow", json={"stall_seconds": None}).json()["stall_seconds"] is None
    error = api.error(422, "PATCH", "/v1/streams/slow", json={"stall_seconds": 0.5})
    assert (error["field"], "greater than or equal to 1 (got 0.5)" in error["message"]) == ("stall_seconds", True)


def test_the_id_is_made_from_the_name_when_none_is_given(api: RunningApi) -> None:
    first, second = (api.http.post("/v1/streams", json={**CAMERA, "name": "Tür Süd 2"}).json() for _ in range(2))
    assert first["id"] == "t-r-s-d-2"
    assert second["id"].startswith("t-r-s-d-2-")
    assert api.http.post("/v1/streams", json={**CAMERA, "name": "門"}).json()["id"] == "stream"


def test_a_used_id_is_a_conflict(api: RunningApi) -> None:
    api.add("one")
    error = api.error(409, "POST", "/v1/streams", json={**CAMERA, "id": "one"})
    assert (error["code"], error["field"]) == ("stream_exists", "id")


def test_of_many_registrations_of_one_id_at_once_exactly_one_succeeds(api: RunningApi) -> None:
    def register(number: int) -> int:
        reply = api.http.post("/v1/streams", json={**CAMERA, "id": "same", "name": f"N{number}"})
        return reply.status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(register, range(16)))
    assert statuses == [201] + [409] * 15


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"fps": 100}, "fps", "less than or equal to 60 (got 100)"),
        ({"fps": None, "pace": "slow"}, "pace", "'live' or 'fast' (got 'slow')"),
        ({"rtsp_transport": "smoke"}, "rtsp_transport", "'tcp', 'udp', 'http' or 'https' (got 'smoke')"),
        ({"skip": "all"}, "skip", "'none', 'auto' or 'keyframes' (got 'all')"),
        ({"id": "no spaces"}, "id", "got 'no spaces'"),
        ({"name": None}, "name", "valid string"),
        ({"model": "nope"}, "model", "no such model; usable are: camera-events"),
        ({"thresholds": {"sunny": 0.5}}, "thresholds", "no label 'sunny'; it has: covered, defocused"),
        ({"thresholds": {"moved": {"enter": 2}}}, "thresholds.moved.enter", "less than 1 (got 2)"),
        ({"thresholds": {"moved": {"entry": 1}}}, "thresholds.moved.entry", "allowed are enter, exit, min_seconds"),
        ({"thresholds": {"moved": {"enter": 0.2, "exit": 0.4}}}, "thresholds.moved", "exit 0.4 must not be above"),
        ({"delivery": {"sunny": {}}}, "delivery", "no label 'sunny'; it has: covered, defocused"),
        ({"delivery": {"offline": {"severity": "panic"}}}, "delivery.offline.severity", "'alert' or 'notice'"),
        ({"delivery": {"moved": {"sound": 1}}}, "delivery.moved.sound", "allowed are severity, cooldown_seconds, min"),
        ({"schedule": {"zone": "UTC"}}, "schedule.hours", "Field required"),
        ({"schedule": {"hours": [{"till": "1"}]}}, "schedule.hours.0.till", "allowed are days, begin, end"),
        ({"schedule": {"hours": [{}], "time_zone": "Mars"}}, "schedule.time_zone", "no such time zone; allowed are"),
        ({"offline_seconds": 0}, "offline_seconds", "greater than or equal to 1 (got 0)"),
        ({"maintenance": "yes"}, "maintenance", "valid boolean"),
        ({"colour": "red"}, "colour", "unknown field; allowed are fps, model, pace"),
        ({"source": "ftp://host/a"}, "source", "scheme 'ftp' is not known; allowed are rtsp://"),
        ({"source": "folder"}, "source", "is a directory"),
        ({"source": "../clip.mp4"}, "source", "outside the media root"),
        ({"source": "/etc/passwd"}, "source", "outside the media root"),
        ({"source": "a\0b"}, "source", "not text"),
        ({"source": "rtsp://host:99999/1"}, "source", "not a valid URL"),
    ],
)
def test_a_refusal_names_the_field_the_value_and_what_is_allowed(
    api: RunningApi, fields: dict[str, Any], field: str, said: str
) -> None:
    api.add("one")
    error = api.error(422, "POST", "/v1/streams", json={**CAMERA, "id": "new", **fields})
    assert (error["code"], error["field"]) == ("invalid", field)
    assert said in error["message"]
    change = {name: value for name, value in fields.items() if name != "id"}
    if change:
        assert said in api.error(422, "PATCH", "/v1/streams/one", json=change)["message"] or field == "name"
    assert api.http.get("/v1/streams/new").status_code == 404


def test_a_file_may_come_later(api: RunningApi) -> None:
    api.add("late", source="share/missing.mp4")
    assert api.http.get("/v1/streams/late").json()["state"] == "pending"
    error = api.error(422, "POST", "/v1/streams/probe", json={"source": "share/missing.mp4"})
    assert (error["field"], "no such file" in error["message"]) == ("source", True)


def test_a_body_that_is_no_json_object_is_refused(api: RunningApi) -> None:
    for content in (b"", b"{", b"[]", b"1", b'"rtsp://user:' + SECRET.encode() + b'@host"'):
        error = api.error(422, "POST", "/v1/streams", content=content, headers={"Content-Type": "application/json"})
        assert error["field"] == "body"
        assert SECRET not in str(error)
    binary: dict[str, Any] = {"content": b"\xff", "headers": {"Content-Type": "application/json"}}
    assert api.error(400, "POST", "/v1/streams", **binary)["code"] == "bad_request"
    typed: dict[str, Any] = {"content": b'{"name":"n"}', "headers": {"Content-Type": "text/plain"}}
    assert "application/json" in api.error(422, "POST", "/v1/streams", **typed)["message"]


def test_a_body_that_is_too_large_is_refused_however_it_comes(api: RunningApi) -> None:
    large = b'{"name":"' + b"x" * 70_000 + b'"}'
    headers = {"Content-Type": "application/json"}
    assert api.error(413, "POST", "/v1/streams", content=large, headers=headers)["code"] == "too_large"
    chunked = api.error(413, "POST", "/v1/streams", content=iter([large[:40_000], large[40_000:]]), headers=headers)
    assert "65536 bytes" in chunked["message"]


def test_what_is_not_there_is_said_in_the_same_shape(api: RunningApi) -> None:
    assert api.error(404, "GET", "/v1/nothing")["code"] == "not_found"
    assert api.error(405, "PUT", "/v1/streams")["code"] == "method_not_allowed"
    for method in ("GET", "PATCH", "DELETE"):
        error = api.error(404, method, "/v1/streams/nobody", json={} if method == "PATCH" else None)
        assert error == {"code": "stream_unknown", "message": "no stream has the id 'nobody'"}
    assert api.error(422, "GET", "/v1/streams/a.b")["field"] == "stream_id"


def test_files_are_not_looked_for_where_the_media_root_is_on_another_machine(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    with running_api(redis_url, media_root=tmp_path / "elsewhere", models_dir=tmp_path / "elsewhere") as api:
        view = api.add("far", source="clip.mp4", model="unseen", thresholds={"whatever": 0.5})
        assert (view["source"], view["model"]) == ("clip.mp4", "unseen")
        assert api.http.get("/v1/models").json() == {"items": []}


def test_streams_come_in_pages(api: RunningApi) -> None:
    ids = sorted(f"s{number}" for number in range(7))
    for stream_id in reversed(ids):
        api.add(stream_id)
    seen, cursor = [], None
    while True:
        page = api.http.get("/v1/streams", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
        assert len(page["items"]) == 3
    assert seen == ids
    assert api.error(422, "GET", "/v1/streams?cursor=%C3%A4")["field"] == "cursor"
    assert api.error(422, "GET", "/v1/streams?limit=1001")["field"] == "limit"


def test_a_change_keeps_the_rest_and_null_asks_for_the_default(api: RunningApi) -> None:
    before = api.add("one", fps=4, thresholds={"moved": 0.7})
    view = api.http.patch("/v1/streams/one", json={"name": "New", "pace": "fast"}).json()
    assert view == {**before, "name": "New", "pace": "fast"}
    assert api.http.patch("/v1/streams/one", json={"fps": None, "thresholds": None}).json()["fps"] == 8
    assert api.http.get("/v1/streams/one").json()["thresholds"] == {}


def test_a_stored_source_that_is_refused_today_does_not_stand_in_the_way_of_other_changes(
    api: RunningApi, redis_client: redis.Redis
) -> None:
    api.add("one", source="clip.mp4")
    registry = Registry(redis_client)
    seen = registry.get("one").spec
    assert registry.replace(seen, seen.model_copy(update={"source": "gone.mp4"}))
    assert api.http.patch("/v1/streams/one", json={"name": "New"}).status_code == 200


def test_changes_at_once_are_all_kept(api: RunningApi) -> None:
    api.add("one")
    changes: list[dict[str, Any]] = [{"name": "New"}, {"fps": 2}, {"loop": True}, {"reset_after_seconds": 4}]
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda change: api.http.patch("/v1/streams/one", json=change), changes))
    assert [reply.status_code for reply in replies] == [200] * 4
    view = api.http.get("/v1/streams/one").json()
    for change in changes:
        assert view == view | change


def test_a_new_source_goes_on_after_the_last_frame_of_the_old_one(api: RunningApi, redis_client: redis.Redis) -> None:
    future_ms = api.add("one")["base_ms"] + 10_000_000
    publish(redis_client, "one", future_ms, end=True)
    assert api.http.patch("/v1/streams/one", json={"source": CAMERA["source"]}).json()["base_ms"] < future_ms
    view = api.http.patch("/v1/streams/one", json={"source": "rtsp://host/2"}).json()
    assert view["base_ms"] == future_ms + 1
    error = api.error(422, "PATCH", "/v1/streams/one", json={"source": "rtsp://host/3", "base_ms": future_ms})
    assert (error["field"], error["value"]) == ("base_ms", str(future_ms))
    given = {"source": "rtsp://host/3", "base_ms": future_ms + 5}
    assert api.http.patch("/v1/streams/one", json=given).json()["base_ms"] == future_ms + 5


def test_the_view_shows_what_ingest_and_inference_wrote(api: RunningApi, redis_client: redis.Redis) -> None:
    api.add("one")
    registry, keys = Registry(redis_client), keys_of("one")
    spec = registry.get("one").spec
    status = StreamStatus(
        state=StreamState.ENDED, generation=spec.generation, epoch=2, last_frame_at_ms=5, width=640, height=480
    )
    assert registry.set_status("one", status, lease_of(redis_client, "ingest", "one"))
    redis_client.hset(keys.published, "one", 10)
    redis_client.hset(keys.progress, "one", str(Progress(spec.generation, "5-1", 10, 9)))
    view = api.http.get("/v1/streams/one").json()
    assert (view["state"], view["epoch"], view["width"], view["last_frame_at_ms"]) == ("ended", 2, 640, 5)
    assert (view["frames_published"], view["frames_processed"], view["frames_dropped"]) == (10, 9, 1)
    assert (view["lag_frames"], view["finished"]) == (0, True)
    lease = lease_of(redis_client, "inference", "one")
    registry.set_inference([(spec, InferenceStatus(reason="its model is not usable"), lease)])
    view = api.http.get("/v1/streams/one").json()
    assert (view["state"], view["reason"], view["running_model"]) == ("failed", "its model is not usable", None)
    registry.set_inference([(spec, InferenceStatus(model="camera-events@01234567"), lease)])
    view = api.http.get("/v1/streams/one").json()
    assert (view["state"], view["reason"], view["running_model"]) == ("ended", None, "camera-events@01234567")


def test_a_removed_stream_leaves_no_key(api: RunningApi, redis_client: redis.Redis) -> None:
    stream_id = "only-this-id"
    api.add(stream_id)
    api.add("stays")
    write_event(redis_client, an_event(stream_id, BASE_MS))
    publish(redis_client, stream_id, BASE_MS)
    registry = Registry(redis_client)
    spec = registry.get(stream_id).spec
    ingest, inference = (lease_of(redis_client, role, stream_id) for role in NEEDED)
    registry.set_status(stream_id, StreamStatus(generation=spec.generation), ingest)
    registry.set_inference([(spec, InferenceStatus(reason="trouble"), inference)])
    redis_client.hset(keys_of(stream_id).state, stream_id, b"state")
    redis_client.xadd(keys_of(stream_id).scores(stream_id), {"moved": "0.5"})

    reply = api.http.delete(f"/v1/streams/{stream_id}")
    assert (reply.status_code, reply.content) == (204, b"")
    for key in redis_client.scan_iter():
        assert stream_id.encode() not in key
        if redis_client.type(key) == b"hash":
            assert not redis_client.hexists(key, stream_id)
    assert [item["id"] for item in api.http.get("/v1/streams").json()["items"]] == ["stays"]
    assert f'"{stream_id}"' not in api.metrics()


def test_without_redis_the_api_says_so_and_when_to_try_again(tmp_path: Path) -> None:
    with running_api(f"unix://{tmp_path}/no.sock") as api:
        for path in ("/v1/streams", "/v1/streams/one", "/v1/events", "/v1/events/live", "/readyz"):
            reply = api.http.get(path)
            assert reply.status_code == 503, path
            assert reply.headers["Retry-After"] == "1"
            assert reply.json()["errors"][0]["code"] == "store_unavailable"
        assert api.http.post("/v1/streams", json={**CAMERA, "id": "one"}).status_code == 503
        assert api.http.get("/healthz").json() == {"status": "ok"}
        assert "afterimage_api_store_up 0.0" in api.metrics()
