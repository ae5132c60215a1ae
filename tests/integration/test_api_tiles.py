"""Live pictures: the newest for all who watch, and no more of Redis than one of them would take."""

import json
import threading
import time
from collections.abc import Iterator
from itertools import count, pairwise
from typing import Any

import pytest
import redis
from api_server import BASE_MS, RunningApi, publish, running_api
from default_layout import keys_of
from leasing import lease_of
from patience import eventually
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from services.api import connections
from services.api.tiles import showing
from services.inference.pipeline.saved_state import SavedTracks
from shared.life.tracker import Track, TrackerState

TRACK = Track(BASE_MS, 0.0, 1, BASE_MS, 0.9, 0.9, 1)


@pytest.fixture(scope="module")
def one_api(redis_url: str) -> Iterator[RunningApi]:
    with running_api(redis_url, api_viewers=3) as running:
        yield running


@pytest.fixture
def api(one_api: RunningApi, redis_client: redis.Redis) -> RunningApi:
    for stream_id in ("a", "b"):
        one_api.add(stream_id)
        lease_of(redis_client, "ingest", stream_id)
    eventually(lambda: one_api.context.viewers.total == 0, "nobody watches")
    return one_api


def watching(api: RunningApi, max_queue: int | None = None) -> ClientConnection:
    return connect(f"{api.url.replace('http', 'ws', 1)}/v1/live", proxy=None, max_queue=max_queue)


def wants(socket: ClientConnection, **rates: float) -> None:
    socket.send(json.dumps({"streams": rates}))


def shown(socket: ClientConnection) -> tuple[dict[str, Any], bytes]:
    message = socket.recv(timeout=60)
    assert isinstance(message, bytes)
    length = int.from_bytes(message[:4], "big")
    return json.loads(message[4 : 4 + length]), message[4 + length :]


def closing_of(socket: ClientConnection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as closing:
        socket.recv(timeout=60)
    assert closing.value.rcvd
    return closing.value.rcvd.code, closing.value.rcvd.reason


def test_a_socket_shows_the_newest_of_each_stream_that_it_asks_for(api: RunningApi, redis_client: redis.Redis) -> None:
    keys = keys_of("a")
    tracks = SavedTracks("m", TrackerState({"moved": TRACK._replace(is_event=True), "covered": TRACK}))
    redis_client.hset(keys.state, "a", tracks.to_bytes())
    redis_client.xadd(keys.scores("a"), {"moved,covered": "0.90000,0.50000"}, id=f"{BASE_MS}-0")
    for at in range(3):
        publish(redis_client, "a", BASE_MS + at)
    publish(redis_client, "b", BASE_MS, end=True)
    with watching(api) as socket:
        wants(socket, a=15)
        head, jpeg = shown(socket)
        scores = {"moved": 0.9, "covered": 0.5}
        seen = {"id": "a", "at_ms": BASE_MS + 2, "open": ["moved"], "scores_at_ms": BASE_MS, "scores": scores}
        assert (head, jpeg) == (seen, b"jpeg")
        publish(redis_client, "a", BASE_MS + 9)
        assert shown(socket)[0]["at_ms"] == BASE_MS + 9
        wants(socket, b=15)
        head, _ = shown(socket)
        assert (head["id"], head["at_ms"], head["open"], head["scores_at_ms"]) == ("b", BASE_MS, [], None)
        with watching(api) as later:
            wants(later, b=1)
            assert shown(later)[0] == head


def test_asking_anew_brings_no_picture_again(api: RunningApi, redis_client: redis.Redis) -> None:
    for stream_id in ("a", "b"):
        publish(redis_client, stream_id, BASE_MS)
    with watching(api) as socket:
        wants(socket, a=15)
        assert shown(socket)[0]["id"] == "a"
        wants(socket, a=1, b=15)
        assert shown(socket)[0]["id"] == "b"
        publish(redis_client, "b", BASE_MS + 1)
        assert (head := shown(socket)[0])["id"] == "b", head


def test_a_rate_is_kept_and_the_newest_wins(api: RunningApi, redis_client: redis.Redis) -> None:
    ended = threading.Event()

    def film() -> None:
        for at in count():
            publish(redis_client, "a", BASE_MS + at)
            if ended.wait(0.01):
                return

    camera = threading.Thread(target=film)
    with watching(api) as fast, watching(api) as slow:
        camera.start()
        wants(fast, a=15)
        wants(slow, a=2)
        shown(slow)
        started = time.monotonic()
        times = [shown(slow)[0]["at_ms"] for _ in range(3)]
        assert time.monotonic() - started >= 1.2
        assert len({shown(fast)[0]["at_ms"] for _ in range(10)}) == 10
        ended.set()
        camera.join()
    assert min(later - sooner for sooner, later in pairwise(times)) > 10


def test_many_who_watch_cost_redis_what_one_costs(api: RunningApi, redis_client: redis.Redis) -> None:
    publish(redis_client, "a", BASE_MS)
    redis_client.config_resetstat()
    with watching(api) as one, watching(api) as two, watching(api) as three:
        for socket in (one, two, three):
            wants(socket, a=1)
            assert shown(socket)[0]["at_ms"] == BASE_MS
        publish(redis_client, "a", BASE_MS + 1)
        for socket in (one, two, three):
            assert shown(socket)[0]["at_ms"] == BASE_MS + 1
    calls: Any = redis_client.info("commandstats")
    assert calls["cmdstat_xrevrange"]["calls"] <= 8  # two for each look at the stream


@pytest.mark.parametrize(
    ("said", "code", "reason"),
    [
        ("{", 1008, "value: Invalid JSON"),
        ('{"streams": {"a": 16}}', 1008, "streams.a: Input should be less than or equal to 15"),
        ('{"streams": {"rtsp://u:s3cret@h/": 1}}', 1008, "streams.***.***: String should match pattern"),
        (json.dumps({"streams": {f"s{number}": 1 for number in range(65)}}), 1008, "streams: Dictionary should have"),
        (b"{}", 1003, "messages to the api are text"),
        ("x" * 20_000, 1009, ""),
    ],
    ids=["no JSON", "too fast", "a login", "too many", "binary", "too long"],
)
def test_what_cannot_be_asked_for_ends_it_with_a_reason(
    api: RunningApi, said: str | bytes, code: int, reason: str
) -> None:
    with watching(api) as socket:
        socket.send(said)
        ended, why = closing_of(socket)
    assert (ended, why[: len(reason)]) == (code, reason)
    assert "s3cret" not in why


def test_one_too_many_is_told_so(api: RunningApi) -> None:
    with watching(api), watching(api), watching(api), watching(api) as fourth:
        assert closing_of(fourth) == (1013, "no more can watch: there are 3 viewers already")
        assert api.error(503, "GET", "/v1/streams/a/live.mjpeg")["code"] == "tiles_full"


def test_mjpeg_for_programs(api: RunningApi, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api.error(404, "GET", "/v1/streams/nobody/live.mjpeg")["code"] == "stream_unknown"
    publish(redis_client, "a", BASE_MS)
    with api.http.stream("GET", "/v1/streams/a/live.mjpeg?fps=15") as reply:
        assert reply.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=frame"
        pieces = reply.iter_raw()
        head = "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 4\r\nX-Captured-At-Ms: {}\r\n\r\njpeg\r\n"
        assert next(pieces).decode() == head.format(BASE_MS)
        monkeypatch.setattr(showing, "IDLE_SECONDS", 0.2)
        publish(redis_client, "a", BASE_MS + 1)
        assert b"".join(pieces).decode() == head.format(BASE_MS + 1)


def test_a_viewer_that_takes_nothing_is_cut_off_with_a_reason(
    api: RunningApi, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SEND_SECONDS", 0.3)
    name, reason = "afterimage_api_connections_cut_total", {"reason": "slow"}
    numbers, registry = count(), api.context.metrics.registry
    before = registry.get_sample_value(name, reason)

    def cut_off() -> bool:
        number = next(numbers)
        fields: dict[Any, Any] = {"j": b"j" * 500_000, "n": number}
        redis_client.xadd(keys_of("a").frames("a"), fields, id=f"{BASE_MS + number}-0", maxlen=2)
        return registry.get_sample_value(name, reason) != before

    with watching(api, max_queue=1) as socket:
        wants(socket, a=15)
        eventually(cut_off, "the connection cut")
        with pytest.raises(ConnectionClosed) as closing:
            list(socket)
    assert closing.value.rcvd
    assert (closing.value.rcvd.code, closing.value.rcvd.reason[:9]) == (1008, "too slow:")
