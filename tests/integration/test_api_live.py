import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
import redis
from api_server import BASE_MS, LiveClient, RunningApi, an_event, running_api, write_event
from patience import eventually
from redis_process import redis_process

from services.api.live import feed, subscription
from shared.store.client import connect
from shared.store.keys import keys_of, partition_of

STREAMS = tuple(f"stream-{number}" for number in range(12))


@pytest.fixture(scope="module")
def server(redis_url: str) -> Iterator[RunningApi]:
    with running_api(redis_url) as api:
        yield api


@pytest.fixture
def api(server: RunningApi, redis_client: redis.Redis) -> Iterator[RunningApi]:
    yield server
    eventually(lambda: "afterimage_api_live_clients 0.0" in server.metrics(), "all listeners gone")


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


def test_too_many_listeners_are_told_to_come_back(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MAX_LISTENERS", 1)
    with LiveClient(api.url):
        reply = api.http.get("/v1/events/live")
    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "1")


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
        with redis_process(folder, *durable) as url, connect(url) as writer:
            second = write_event(writer, an_event("b", BASE_MS))
            eventually(lambda: client.ids == [first, second], "the second event")
            assert api.http.get("/v1/streams").status_code == 200
