import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
import redis
from api_server import BASE_MS, LiveClient, RunningApi, an_event, running_api, write_event
from default_layout import keys_of, partition_of
from patience import eventually
from redis_process import redis_process
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_socket

from services.api.live import feed, subscription
from shared.store.client import connect
from shared.store.layout.partitioning import FEED_ENTRIES

STREAMS = tuple(f"stream-{number}" for number in range(12))


@pytest.fixture
def api(server: RunningApi, redis_client: redis.Redis) -> Iterator[RunningApi]:
    yield server
    eventually(lambda: "afterimage_api_live_clients 0.0" in server.metrics(), "all listeners gone")


def following(api: RunningApi, query: str = "") -> ClientConnection:
    return connect_socket(f"{api.url.replace('http', 'ws', 1)}/v1/events/live?{query}", proxy=None)


class Writer(threading.Thread):
    """Writes events of several streams, one after the other, as many as it is allowed to."""

    def __init__(self, url: str, num_events: int, allowed: int) -> None:
        super().__init__()
        self._url = url
        self._num_events = num_events
        self.allowed = threading.Semaphore(allowed)
        self.written: list[str] = []

    def run(self) -> None:
        with connect(self._url) as client:
            for number in range(self._num_events):
                self.allowed.acquire()
                self.written.append(write_event(client, an_event(STREAMS[number % len(STREAMS)], BASE_MS + number)))


def test_openings_and_closings_arrive_in_order(api: RunningApi, redis_client: redis.Redis) -> None:
    write_event(redis_client, an_event("a", BASE_MS))
    with LiveClient(api.url) as client:
        opened = write_event(redis_client, an_event("a", BASE_MS + 1, state="open"))
        write_event(redis_client, an_event("a", BASE_MS + 1))
        eventually(lambda: len(client.received) == 2, "two messages")
    assert client.received == [("opened", opened), ("closed", opened)]


def test_a_client_gets_what_it_asked_for(api: RunningApi, redis_client: redis.Redis) -> None:
    with LiveClient(api.url, "stream_id=a&label=moved") as client:
        for stream_id, label in (("b", "moved"), ("a", "covered"), ("a", "moved")):
            write_event(redis_client, an_event(stream_id, BASE_MS, label))
        eventually(lambda: client.received, "the wanted event")
    assert client.ids == [f"a.moved.{BASE_MS}"]


def test_a_client_that_comes_and_goes_loses_nothing_and_gets_nothing_twice(api: RunningApi, redis_url: str) -> None:
    assert len({partition_of(stream_id) for stream_id in STREAMS}) > 5
    writer = Writer(redis_url, num_events=3000, allowed=0)
    received: list[str] = []
    position: str | None = None
    while len(received) < 3000:
        client = LiveClient(api.url, last_event_id=position)
        with client:
            if position is None:
                writer.start()
            writer.allowed.release(200)
            eventually(partial(bool, client.received), "the next event")
        received += client.ids
        position = client.last_event_id
    writer.join()
    assert sorted(received) == sorted(writer.written)
    for stream_id in STREAMS:
        own = [event_id for event_id in received if event_id.startswith(f"{stream_id}.")]
        assert own == [event_id for event_id in writer.written if event_id.startswith(f"{stream_id}.")]


def test_clients_that_stay_get_everything_once(api: RunningApi, redis_url: str) -> None:
    writer = Writer(redis_url, num_events=1500, allowed=1500)
    with LiveClient(api.url) as one, LiveClient(api.url, "label=moved") as two:
        writer.start()
        eventually(lambda: len(one.received) >= 1500 and len(two.received) >= 1500, "all events")
        writer.join()
    assert sorted(one.ids) == sorted(two.ids) == sorted(writer.written)


def test_a_client_resumes_at_another_api_process(api: RunningApi, redis_url: str, redis_client: redis.Redis) -> None:
    with LiveClient(api.url) as client:
        write_event(redis_client, an_event("a", BASE_MS))
        eventually(lambda: client.received, "an event")
    missed = [write_event(redis_client, an_event(stream_id, BASE_MS + 1)) for stream_id in ("a", "b")]
    with running_api(redis_url) as other, LiveClient(other.url, last_event_id=client.last_event_id) as again:
        eventually(lambda: len(again.received) >= 2, "the missed events")
    assert sorted(again.ids) == missed


def test_a_client_that_never_got_an_event_resumes_too(api: RunningApi, redis_client: redis.Redis) -> None:
    with LiveClient(api.url) as client:
        eventually(lambda: client.last_event_id, "a first position")
    missed = write_event(redis_client, an_event("a", BASE_MS))
    with LiveClient(api.url, last_event_id=client.last_event_id) as again:
        eventually(lambda: again.received, "the missed event")
    assert again.ids == [missed]


def test_more_than_a_page_is_caught_up_with(api: RunningApi, redis_client: redis.Redis) -> None:
    with LiveClient(api.url) as client:
        eventually(lambda: client.last_event_id, "a first position")
    missed = [write_event(redis_client, an_event("a", BASE_MS + at)) for at in range(3 * feed.PAGE_ENTRIES + 1)]
    with LiveClient(api.url, last_event_id=client.last_event_id) as again:
        eventually(lambda: len(again.received) >= len(missed), "the missed events")
    assert again.ids == missed


def test_a_feed_entry_that_cannot_be_read_is_passed(api: RunningApi, redis_client: redis.Redis) -> None:
    with LiveClient(api.url) as client:
        for event in ("", "{", "[]", "{}"):
            redis_client.xadd(keys_of("a").feed, {"kind": "opened", "event": event})
        good = write_event(redis_client, an_event("a", BASE_MS))
        eventually(lambda: client.received, "the event after them")
    assert client.ids == [good]


def test_a_position_that_is_none_is_refused(api: RunningApi) -> None:
    error = api.error(400, "GET", "/v1/events/live", headers={"Last-Event-ID": "yesterday"})
    assert (error["code"], error["field"], error["value"]) == ("bad_position", "Last-Event-ID", "'yesterday'")
    assert api.error(422, "GET", "/v1/events/live?label=A")["field"] == "label"


def test_an_idle_connection_is_kept_open_with_comments(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscription, "HEARTBEAT_SECONDS", 0.05)
    with LiveClient(api.url) as client:
        eventually(lambda: client.comments.count("heartbeat") >= 3, "heartbeats")


@pytest.mark.parametrize("limit", ["api_listeners", "api_listeners_per_client"])
def test_too_many_listeners_are_told_to_come_back(redis_url: str, limit: str) -> None:
    """A browser's EventSource gives up for good on anything but a success."""
    with running_api(redis_url, **{limit: 1}) as api:
        with LiveClient(api.url):
            reply = api.http.get("/v1/events/live")
            assert (reply.status_code, reply.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
            assert reply.text.startswith("event: full\ndata: ")
            assert "there are 1 listeners" in reply.text
            assert "retry: 15000\n" in reply.text
            with following(api) as refused, pytest.raises(ConnectionClosed) as closing:
                refused.recv(timeout=60)
            assert closing.value.rcvd
            assert (closing.value.rcvd.code, "there are 1 listeners" in closing.value.rcvd.reason) == (1013, True)
        eventually(lambda: api.context.listeners.total == 0, "a place")
        with LiveClient(api.url) as client:
            eventually(lambda: client.last_event_id, "a first position")


def test_a_slow_client_is_cut_off_and_counted_and_others_are_not(
    api: RunningApi, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "SEND_TIMEOUT_SECONDS", 3.0)  # the one that reads may be slow for a moment
    name = "afterimage_api_live_clients_slow_total"
    before = api.context.metrics.registry.get_sample_value(name)
    assert before is not None
    with api.http.stream("GET", "/v1/events/live") as never_read, LiveClient(api.url) as reader:
        assert never_read.status_code == 200
        large = [an_event("a", BASE_MS + at).model_copy(update={"model": "m" * 20_000}) for at in range(1000)]
        written = [write_event(redis_client, event) for event in large]
        eventually(lambda: api.context.metrics.registry.get_sample_value(name) == before + 1, "the slow one cut off")
        eventually(lambda: len(reader.received) >= len(written), "all events at the other one")
    assert reader.ids == written


def test_while_redis_is_away_listeners_stay_and_miss_nothing() -> None:
    durable = ("--appendonly", "yes", "--appendfsync", "always")
    with tempfile.TemporaryDirectory(prefix="afterimage-") as name, ExitStack() as stack:
        folder = Path(name)
        with redis_process(folder, *durable) as url, connect(url) as writer:
            api = stack.enter_context(running_api(url))
            client = stack.enter_context(LiveClient(api.url))
            first = write_event(writer, an_event("a", BASE_MS))
            eventually(lambda: client.ids == [first], "the first event")
        assert api.error(503, "GET", "/v1/streams")["code"] == "store_unavailable"
        later = api.http.get("/v1/events/live", headers={"Accept": "text/event-stream"})
        assert (later.status_code, later.text[:12]) == (200, "event: full\n")
        with redis_process(folder, *durable) as url, connect(url) as writer:
            second = write_event(writer, an_event("b", BASE_MS))
            eventually(lambda: client.ids == [first, second], "the second event")
            assert api.http.get("/v1/streams").status_code == 200


def test_a_socket_is_told_the_same(api: RunningApi, redis_client: redis.Redis) -> None:
    with following(api, "stream_id=a") as socket:
        first = json.loads(socket.recv(timeout=60))
        written = [write_event(redis_client, an_event(stream_id, BASE_MS)) for stream_id in ("b", "a")]
        told = json.loads(socket.recv(timeout=60))
    assert (first["kind"], told["kind"], told["data"]["id"]) == ("position", "closed", written[1])
    with following(api, f"position={first['position']}") as again:
        assert json.loads(again.recv(timeout=60))["kind"] == "position"
        resumed = [json.loads(again.recv(timeout=60))["data"]["id"] for _ in written]
    assert sorted(resumed) == sorted(written)


@pytest.mark.parametrize(
    ("query", "problem"), [("label=s3cret@x", "label: "), ("position=s3cret:x", "Last-Event-ID: not a position")]
)
def test_a_socket_that_asks_for_what_there_is_not_is_told_so(api: RunningApi, query: str, problem: str) -> None:
    with following(api, query) as socket, pytest.raises(ConnectionClosed) as closing:
        socket.recv(timeout=60)
    assert closing.value.rcvd
    assert (closing.value.rcvd.code, closing.value.rcvd.reason[: len(problem)]) == (1008, problem)
    assert "s3cret" not in closing.value.rcvd.reason


def test_a_position_ahead_of_the_feed_is_put_right_and_told(api: RunningApi, redis_client: redis.Redis) -> None:
    """As after a backup was put back: what comes then has smaller ids, and is no less new."""
    partition, key = partition_of("a"), keys_of("a").feed
    redis_client.xadd(key, {"kind": "x"}, id="5000-0")
    with following(api, f"position={partition}:9000-0") as socket:
        first, gap = (json.loads(socket.recv(timeout=60)) for _ in range(2))
        assert (first["position"], gap["data"]) == (f"{partition}:5000-0", {"reason": "ahead", "since_ms": 5000})
        event = an_event("a", BASE_MS)
        redis_client.xadd(key, {"kind": "closed", "event": event.model_dump_json()}, id="6000-0")
        assert json.loads(socket.recv(timeout=60))["data"]["id"] == event.id


def test_a_position_behind_the_feed_is_told_what_may_be_missing(api: RunningApi, redis_client: redis.Redis) -> None:
    partition, key = partition_of("a"), keys_of("a").feed
    position = f"{partition}:2000-0"
    event = an_event("a", BASE_MS).model_dump_json()
    pipeline = redis_client.pipeline()
    for number in range(FEED_ENTRIES + 500):
        pipeline.xadd(key, {"kind": "closed", "event": event}, id=f"{3000 + number}-0", maxlen=FEED_ENTRIES)
    pipeline.execute()
    with following(api, f"position={position}&stream_id=b") as socket:
        kinds = [json.loads(socket.recv(timeout=60)) for _ in range(2)]
        assert kinds[1]["data"] == {"reason": "behind", "since_ms": 2000}
    with following(api, f"position={kinds[1]['position']}&stream_id=b") as socket:
        assert json.loads(socket.recv(timeout=60))["kind"] == "position"
