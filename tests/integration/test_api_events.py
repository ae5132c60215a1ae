from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
import redis
from api_server import BASE_MS, RunningApi, an_event, write_event
from default_layout import keys_of

from services.api.kept import history
from shared.life.marks import EventMarks

LABELS = ("covered", "frozen", "moved")


@pytest.fixture
def api(server: RunningApi, redis_client: redis.Redis) -> RunningApi:
    return server


@pytest.fixture
def written(api: RunningApi, redis_client: redis.Redis) -> list[str]:
    """Ids of events of three streams, newest first: many starts are shared within and between streams."""
    events = []
    for stream_id, times in {"a": range(12), "b": range(0, 12, 3), "c": [5]}.items():
        api.add(stream_id)
        events += [an_event(stream_id, BASE_MS + at, label) for at, label in product(times, LABELS)]
    for event in events:
        write_event(redis_client, event)
    return [event.id for event in sorted(events, key=lambda event: (event.started_at_ms, event.id), reverse=True)]


def pages(
    api: RunningApi, query: dict[str, Any], between: Callable[[], object] | None = None
) -> Iterator[list[dict[str, Any]]]:
    cursor = None
    while True:
        page = api.http.get("/v1/events", params={**query, **({"cursor": cursor} if cursor else {})}).json()
        yield page["items"]
        cursor = page["next"]
        if cursor is None:
            return
        if between:
            between()


def ids(api: RunningApi, query: dict[str, Any]) -> list[str]:
    return [event["id"] for page in pages(api, query) for event in page]


@pytest.mark.parametrize("limit", [1, 2, 5, 20, 500])
def test_pages_of_any_size_give_every_event_once_newest_first(api: RunningApi, written: list[str], limit: int) -> None:
    assert ids(api, {"limit": limit}) == written
    of_b = [event_id for event_id in written if event_id.startswith("b.")]
    assert ids(api, {"limit": limit, "stream_id": "b"}) == of_b
    frozen = [event_id for event_id in written if ".frozen." in event_id]
    assert ids(api, {"limit": limit, "label": "frozen"}) == frozen


def test_full_pages_are_full(api: RunningApi, written: list[str]) -> None:
    sizes = [len(page) for page in pages(api, {"limit": 7})]
    assert sizes == [7] * (len(written) // 7) + [len(written) % 7]
    assert [len(page) for page in pages(api, {"limit": len(written)})] == [len(written)]


def test_since_is_inclusive_and_until_is_not(api: RunningApi, written: list[str]) -> None:
    wanted = [event_id for event_id in written if 3 <= int(event_id.rpartition(".")[2]) - BASE_MS < 6]
    assert ids(api, {"since_ms": BASE_MS + 3, "until_ms": BASE_MS + 6, "limit": 2}) == wanted
    assert ids(api, {"since_ms": BASE_MS + 6, "until_ms": BASE_MS + 3}) == []


def test_pages_stay_put_while_new_events_arrive(api: RunningApi, redis_client: redis.Redis, written: list[str]) -> None:
    newer = iter(range(1000))

    def write_newer() -> None:
        write_event(redis_client, an_event("a", BASE_MS + 100 + next(newer)))

    assert [event["id"] for page in pages(api, {"limit": 5}, write_newer) for event in page] == written


def test_a_rare_label_is_found_without_scanning_the_history_for_one_page(
    api: RunningApi, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MAX_SCANNED", 50)
    for stream_id in ("a", "b"):
        api.add(stream_id)
        for at in range(300):
            write_event(redis_client, an_event(stream_id, BASE_MS + at))
        write_event(redis_client, an_event(stream_id, BASE_MS, "covered"))
    found = list(pages(api, {"label": "covered", "limit": 3}))
    assert len(found) > 2
    assert [event["id"] for page in found for event in page] == [f"b.covered.{BASE_MS}", f"a.covered.{BASE_MS}"]


def test_an_event_is_shown_as_it_was_written(api: RunningApi, redis_client: redis.Redis) -> None:
    api.add("a")
    opened = an_event("a", BASE_MS, state="open")
    write_event(redis_client, opened)
    unmarked = EventMarks().model_dump() | {"media": None, "reviewed": False}
    assert api.http.get("/v1/events").json() == {"items": [opened.model_dump() | unmarked], "next": None}
    why: dict[str, Any] = {"model_sha256": None, "scores": []}
    closed = an_event("a", BASE_MS)
    write_event(redis_client, closed)
    assert api.http.get("/v1/events").json()["items"] == [closed.model_dump() | unmarked]
    assert api.http.get(f"/v1/events/{closed.id}").json() == closed.model_dump() | unmarked | why


def test_what_was_trimmed_meanwhile_is_left_out(api: RunningApi, redis_client: redis.Redis, written: list[str]) -> None:
    redis_client.hdel(keys_of("c").event_data("c"), f"c.moved.{BASE_MS + 5}")
    assert ids(api, {"limit": 4}) == [event_id for event_id in written if event_id != f"c.moved.{BASE_MS + 5}"]
    assert api.error(404, "GET", f"/v1/events/c.moved.{BASE_MS + 5}")["code"] == "event_unknown"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        ("since_ms=-1", "since_ms"),
        ("until_ms=99999999999999999999", "until_ms"),
        ("label=Moved!", "label"),
        ("stream_id=a.b", "stream_id"),
        ("cursor=x", "cursor"),
        ("cursor=YQ", "cursor"),
        ("cursor=YSBi", "cursor"),
        ("cursor=%2B%2F%00", "cursor"),
        (f"cursor={'x' * 600}", "cursor"),
    ],
)
def test_bad_parameters_are_named(api: RunningApi, query: str, field: str) -> None:
    error = api.error(422, "GET", f"/v1/events?{query}")
    assert (error["code"], error["field"]) == ("invalid", field)


def test_an_unknown_stream_is_not_an_empty_one(api: RunningApi) -> None:
    assert api.error(404, "GET", "/v1/events?stream_id=nobody")["code"] == "stream_unknown"
    assert api.error(422, "GET", "/v1/events/not-an-id")["field"] == "event_id"
