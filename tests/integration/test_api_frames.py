import socket

import pytest
import redis
from api_server import BASE_MS, RunningApi
from default_layout import keys_of
from leasing import lease_of
from patience import eventually

from services.api.server import listen
from shared.entries import Frame
from shared.store.frame_queue import FrameWriter
from shared.store.leases import LeaseBook
from shared.store.registry import Registry
from shared.streams import StreamState, StreamStatus


@pytest.fixture
def api(server: RunningApi, redis_client: redis.Redis) -> RunningApi:
    server.add("one")
    return server


def test_answers_are_not_held_back_until_an_acknowledgement() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_scores_come_in_pages_oldest_first(api: RunningApi, redis_client: redis.Redis) -> None:
    for at in range(7):
        fields = {"moved,covered": f"{at / 10:.5f},0.00000"}
        if at < 4:  # an earlier version wrote these
            fields = {"moved": f"{at / 10:.5f}", "covered": "0.00000"}
        redis_client.xadd(keys_of("one").scores("one"), fields, id=f"{BASE_MS + at}-0")  # type: ignore[arg-type]
    page = api.http.get("/v1/streams/one/scores", params={"limit": 3}).json()
    assert page["items"][2] == {"at_ms": BASE_MS + 2, "scores": {"moved": 0.2, "covered": 0.0}}
    assert page["next_since_ms"] == BASE_MS + 3
    seen, since_ms = [], 0
    while since_ms is not None:
        page = api.http.get("/v1/streams/one/scores", params={"limit": 3, "since_ms": since_ms}).json()
        seen += [item["at_ms"] - BASE_MS for item in page["items"]]
        since_ms = page["next_since_ms"]
    assert page["items"][0] == {"at_ms": BASE_MS + 6, "scores": {"moved": 0.6, "covered": 0.0}}
    assert seen == list(range(7))
    between = api.http.get("/v1/streams/one/scores", params={"since_ms": BASE_MS + 2, "until_ms": BASE_MS + 4}).json()
    assert [item["at_ms"] - BASE_MS for item in between["items"]] == [2, 3]
    assert api.error(404, "GET", "/v1/streams/nobody/scores")["code"] == "stream_unknown"
    assert api.error(422, "GET", "/v1/streams/one/scores?limit=10001")["field"] == "limit"


def test_the_snapshot_is_the_newest_frame(api: RunningApi, redis_client: redis.Redis) -> None:
    error = api.error(404, "GET", "/v1/streams/one/snapshot.jpg")
    assert (error["code"], error["message"].rpartition(" ")[2]) == ("no_frame", "pending")
    lease = lease_of(redis_client, "ingest", "one")
    writer = FrameWriter(redis_client, "one", Registry(redis_client).get("one").spec.generation, "live", lease)
    writer.publish([Frame(BASE_MS + at, BASE_MS, 1, 0.0, b"jpeg %d" % at) for at in range(3)])
    writer.publish([Frame.end(BASE_MS + 2)])
    reply = api.http.get("/v1/streams/one/snapshot.jpg")
    assert (reply.status_code, reply.content) == (200, b"jpeg 2")
    assert reply.headers["Content-Type"] == "image/jpeg"
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["X-Captured-At-Ms"] == str(BASE_MS + 2)
    assert api.error(404, "GET", "/v1/streams/nobody/snapshot.jpg")["code"] == "stream_unknown"


def test_the_shipped_model_is_listed_and_usable(api: RunningApi) -> None:
    models = {model["name"]: model for model in api.http.get("/v1/models").json()["items"]}
    model = models["camera-events"]
    assert (model["usable"], model["reason"]) == (True, None)
    assert model["reference"].startswith("camera-events@")
    assert set(model["thresholds"]) == set(model["labels"])
    assert model["input"]["height"] > 0


def test_ready_means_that_somebody_does_the_work(api: RunningApi, redis_client: redis.Redis) -> None:
    assert "ingest, inference" in api.error(503, "GET", "/readyz")["message"]
    LeaseBook(redis_client, "ingest", "i1").beat()
    error = api.error(503, "GET", "/readyz")
    assert (error["code"], error["message"]) == ("not_ready", "no living worker for: inference")
    LeaseBook(redis_client, "inference", "w1").beat()
    LeaseBook(redis_client, "inference", "w2").beat()
    assert api.http.get("/readyz").json() == {"status": "ready", "workers": {"ingest": 1, "inference": 2}}
    LeaseBook(redis_client, "ingest", "i1").sign_off()
    assert api.error(503, "GET", "/readyz")["code"] == "not_ready"


def test_metrics_show_requests_by_route_and_streams_as_they_are(api: RunningApi, redis_client: redis.Redis) -> None:
    registry = Registry(redis_client)
    spec = registry.get("one").spec
    lease = lease_of(redis_client, "ingest", "one")
    registry.set_status("one", StreamStatus(state=StreamState.LIVE, generation=spec.generation), lease)
    redis_client.hset(keys_of("one").published, "one", 5)
    api.http.get("/v1/streams/one")
    api.http.get("/v1/streams/nobody")
    api.http.get("/no/such/route")
    api.http.request("BREW", "/v1/streams")
    page = api.metrics()
    for line in (
        'afterimage_stream_lag_frames{pace="live",stream_id="one"} 5.0',
        'afterimage_stream_state{model="camera-events",state="live",stream_id="one"} 1.0',
        'afterimage_api_requests_total{method="GET",route="/v1/streams/{stream_id}",status="200"}',
        'afterimage_api_requests_total{method="GET",route="/v1/streams/{stream_id}",status="404"}',
        'afterimage_api_requests_total{method="GET",route="unmatched",status="404"}',
        'afterimage_api_requests_total{method="other",route=',
        'afterimage_api_request_seconds_count{method="GET",route="/v1/streams/{stream_id}"}',
        "afterimage_api_store_up 1.0",
        "afterimage_api_live_clients 0.0",
    ):
        assert line in page, line
    assert "nobody" not in page
    assert "/no/such/route" not in page
    api.http.delete("/v1/streams/one")
    assert 'stream_id="one"' not in api.metrics()


def test_a_defect_is_answered_without_a_traceback(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_self: Registry, _stream_id: str) -> None:
        raise RuntimeError("something inside")

    monkeypatch.setattr(Registry, "get", fail)
    reply = api.http.get("/v1/streams/one")
    said = {"code": "internal", "message": "an error inside the api; its log has the details"}
    assert (reply.status_code, reply.json()["errors"]) == (500, [said])
    assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    eventually(lambda: "something inside" in caplog.text, "the log")
