"""What programs expect of an api: PUT, preconditions, HEAD, gzip, problems, filters, files of events."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from api_server import BASE_MS, CAMERA, RunningApi, an_event, publish, running_api, write_event
from films import render

from services.api.protocol.preconditions import Preconditions
from shared.store.registry import Registry
from shared.streams import StreamSpec
from training.datasets.reading import read_dataset

ONE = "/v1/streams/one"


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    (folder / "yard").mkdir()
    for name in ("gate.mp4", "yard/monday.mp4"):
        render(folder / name, seconds=4, fps=10, size=(64, 48), rotation=0)
    return folder


@pytest.fixture(scope="module")
def server(redis_url: str, media: Path) -> Iterator[RunningApi]:
    with running_api(redis_url, media_root=media, max_streams=5) as api:
        yield api


@pytest.fixture
def api(server: RunningApi, redis_client: redis.Redis) -> RunningApi:
    return server


def put(api: RunningApi, fields: dict[str, Any], **options: Any) -> tuple[int, list[str], dict[str, Any]]:
    """Status, changed fields and view."""
    reply = api.http.put(ONE, json={**CAMERA, **fields}, **options)
    assert reply.is_success, reply.text
    return reply.status_code, reply.headers["X-Changed"].split(", "), reply.json()


def test_the_same_put_changes_nothing(api: RunningApi, redis_client: redis.Redis) -> None:
    wanted = {"fps": 4, "thresholds": {"moved": 0.7}, "tags": ["b", "a", "b"], "model": "camera-events"}
    status, _, view = put(api, wanted)
    assert (status, view["tags"], view["paused"]) == (201, ["a", "b"], False)
    publish(redis_client, "one", BASE_MS)
    event = write_event(redis_client, an_event("one", BASE_MS))
    before = Registry(redis_client).get("one")
    for _ in range(2):
        status, changed, view = put(api, wanted)
        assert (status, changed, view["frames_published"]) == (200, [""], 1)
    assert Registry(redis_client).get("one") == before
    assert api.http.get(f"/v1/events/{event}").status_code == 200


def test_a_put_sets_back_what_it_leaves_out_but_the_base_time(api: RunningApi) -> None:
    _, _, created = put(api, {"fps": 4, "base_ms": BASE_MS, "groups": ["north"], "paused": True})
    status, changed, view = put(api, {"name": "Other", "groups": ["south"]})
    assert (status, changed) == (200, ["fps", "groups", "name", "paused"])
    assert (view["fps_given"], view["groups"], view["paused"], view["base_ms"]) == (False, ["south"], False, BASE_MS)
    assert view["created_at_ms"] == created["created_at_ms"]


def test_a_dry_run_checks_and_says_everything_and_changes_nothing(api: RunningApi, redis_client: redis.Redis) -> None:
    dry = {"params": {"dry_run": True}}
    status, changed, view = put(api, {"fps": 4}, **dry)
    assert (status, changed, view["fps"]) == (200, ["fps", "name", "source"], 4)
    assert api.error(404, "GET", ONE)["code"] == "stream_unknown"
    put(api, {"source": "rtsp://user:first@host/1"})
    before = Registry(redis_client).get("one")
    assert put(api, {"source": "rtsp://user:second@host/1"}, **dry)[1] == ["base_ms", "source"]
    assert put(api, {"source": "rtsp://***@host/1"}, **dry)[1] == [""]
    assert api.error(422, "PUT", ONE, json={**CAMERA, "model": "farm"}, **dry)["field"] == "model"
    assert Registry(redis_client).get("one") == before


def test_who_has_not_seen_the_last_change_is_refused(api: RunningApi) -> None:
    api.add("one")
    etag = api.http.get(ONE).headers["ETag"]
    assert api.http.patch(ONE, json={"fps": 3}, headers={"If-Match": f'"x", {etag}'}).status_code == 200
    stale = {"If-Match": etag}
    for method, path in (("PATCH", ONE), ("PUT", ONE), ("DELETE", ONE), ("POST", f"{ONE}/pause")):
        body = {"json": {**CAMERA}} if method in {"PATCH", "PUT"} else {}
        assert api.error(412, method, path, headers=stale, **body)["field"] == "If-Match"
    assert api.error(412, "PUT", ONE, json=CAMERA, headers={"If-None-Match": "*"})["field"] == "If-None-Match"
    assert api.error(412, "PUT", "/v1/streams/two", json=CAMERA, headers={"If-Match": "*"})["field"] == "If-Match"
    assert api.error(412, "PATCH", ONE, json={}, headers={"If-Match": etag[1:-1]})["field"] == "If-Match"
    newest = api.http.get(ONE).headers["ETag"]
    assert newest != etag
    assert api.http.patch(ONE, json={"fps": 3}).headers["ETag"] == newest
    assert api.http.delete(ONE, headers={"If-Match": newest}).status_code == 204


@pytest.mark.parametrize(("method", "path"), [("DELETE", ONE), ("PATCH", ONE), ("POST", f"{ONE}/pause")])
def test_a_change_between_the_look_and_the_write_is_not_lost(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    api.add("one")
    look = Preconditions.check

    def look_and_let_another_write(seen: Preconditions, spec: StreamSpec | None) -> None:
        look(seen, spec)
        if seen.if_match:
            httpx.patch(f"{api.url}{ONE}", json={"fps": 3}, trust_env=False).raise_for_status()

    monkeypatch.setattr(Preconditions, "check", look_and_let_another_write)
    headers = {"If-Match": api.http.get(ONE).headers["ETag"]}
    assert api.error(412, method, path, headers=headers, json={"fps": 5})["field"] == "If-Match"
    assert (api.http.get(ONE).json()["fps"], api.http.get(ONE).json()["paused"]) == (3, False)


def test_pausing_twice_is_pausing(api: RunningApi) -> None:
    api.add("one")
    first, second = (api.http.post(f"{ONE}/pause") for _ in range(2))
    assert first.json()["paused"] is second.json()["paused"] is True
    assert first.headers["ETag"] == second.headers["ETag"]
    assert api.http.post(f"{ONE}/resume").json()["paused"] is False
    assert api.error(404, "POST", "/v1/streams/nobody/pause")["code"] == "stream_unknown"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("tag=outdoor", "ab"),
        ("tag=outdoor&tag=floor:2", "b"),
        ("group=north&group=south", "abc"),
        ("group=south&tag=outdoor", "b"),
        ("stream_id=c&stream_id=a", "ac"),
        ("stream_id=c&tag=outdoor", ""),
        ("text=GATE", "ac"),
        ("state=pending&limit=1", "a"),
        ("state=live", ""),
        ("state=live&state=pending&text=yard", "b"),
    ],
)
def test_lists_of_streams_are_filtered(api: RunningApi, query: str, found: str) -> None:
    api.add("a", name="north gate", groups=["north"], tags=["outdoor"])
    api.add("b", name="Yard", groups=["south"], tags=["floor:2", "outdoor"])
    api.add("c", name="Gate", groups=["south"])
    page = api.http.get(f"/v1/streams?{query}").json()
    assert "".join(view["id"] for view in page["items"]) == found
    assert (page["next"] is not None) == ("limit=1" in query)


@pytest.fixture
def written(api: RunningApi, redis_client: redis.Redis) -> None:
    api.add("gate", name="Gate", source="gate.mp4", groups=["north"], base_ms=BASE_MS)
    api.add("yard", name="Gate, too", source="yard/monday.mp4", tags=["outdoor"], base_ms=BASE_MS)
    api.add("camera", name="Roof")
    for at, label, state in ((0, "moved", "closed"), (200, "frozen", "closed"), (400, "moved", "open")):
        for stream_id in ("gate", "yard", "camera"):
            write_event(redis_client, an_event(stream_id, BASE_MS + at, label, state))


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("", 9),
        ("stream_id=gate&stream_id=yard", 6),
        ("label=moved", 6),
        ("label=moved&label=frozen", 9),
        ("state=open", 3),
        ("state=closed&group=north", 2),
        ("tag=outdoor&label=frozen", 1),
        ("text=gate", 6),
        ("text=FROZ", 3),
        ("text=roof&state=open", 1),
        ("text=nothing", 0),
    ],
)
def test_lists_of_events_are_filtered(api: RunningApi, written: None, query: str, number: int) -> None:
    found, cursor = [], ""
    while cursor is not None:
        page = api.http.get(f"/v1/events?limit=2&{query}{cursor and f'&cursor={cursor}'}").json()
        found += [event["id"] for event in page["items"]]
        cursor = page["next"]
    assert len(found) == len(set(found)) == number
    assert len(api.http.get(f"/v1/events/export?{query}").text.splitlines()) == number


def test_events_are_exported_as_they_are_listed(api: RunningApi, written: None) -> None:
    judged = f"/v1/events/{api.http.get('/v1/events').json()['items'][0]['id']}/feedback"
    assert api.http.put(judged, json={"verdict": "wrong"}).status_code == 200
    listed = api.http.get("/v1/events").json()["items"]
    lines = api.http.get("/v1/events/export")
    assert [json.loads(line) | {"media": None, "reviewed": False} for line in lines.text.splitlines()] == listed
    assert lines.headers["Content-Disposition"] == 'attachment; filename="events.jsonl"'
    rows = list(csv.DictReader(io.StringIO(api.http.get("/v1/events/export?format=csv").text)))
    assert [row["id"] for row in rows] == [event["id"] for event in listed]
    assert [row["feedback"] for row in rows] == ["wrong"] + [""] * (len(listed) - 1)
    assert api.http.get("/v1/events?feedback=wrong&severity=alert").json()["items"] == listed[:1]
    assert api.http.get("/v1/events?feedback=none").json()["items"] == listed[1:]
    assert api.http.get("/v1/events?severity=notice").json()["items"] == []
    assert api.http.delete(judged).status_code == 200
    assert {row["ended_at_ms"] for row in rows if row["state"] == "open"} == {""}
    assert api.error(404, "GET", "/v1/events/export?stream_id=nobody")["code"] == "stream_unknown"


def test_what_is_exported_can_be_trained_on(api: RunningApi, written: None, media: Path, tmp_path: Path) -> None:
    annotations = tmp_path / "annotations.json"
    annotations.write_bytes(api.http.get("/v1/events/export?format=activitynet").content)
    dataset = read_dataset(annotations, media)
    assert dataset.problems == ()
    assert sorted(dataset.labels) == ["frozen", "moved"]
    found = {
        str(video.path.relative_to(media)): [
            (each.label, each.start_seconds, each.end_seconds) for each in video.intervals
        ]
        for video in dataset.videos
    }
    spans = [("frozen", 1.5, 2.0), ("moved", 1.5, 2.0)]
    assert found == {"gate.mp4": spans, "yard/monday.mp4": spans}


def test_of_a_file_only_its_own_events_are_exported_each_once(api: RunningApi, redis_client: redis.Redis) -> None:
    """A stream may have had another source, and a file may be played again and again, by several streams."""

    def annotations() -> dict[str, Any]:
        database = api.http.get("/v1/events/export?format=activitynet").json()["database"]
        return {
            name: [(each["label"], *each["segment"]) for each in video["annotations"]]
            for name, video in database.items()
        }

    for stream_id in ("gate", "yard"):
        api.add(stream_id, source="gate.mp4", base_ms=BASE_MS, loop=True)
    for stream_id, at, begin in (("gate", 0, 1.5), ("gate", 4000, 1.75), ("yard", 0, 1.25), ("yard", 1000, 2.5)):
        event = an_event(stream_id, BASE_MS + at).model_copy(update={"media_started_seconds": begin})
        write_event(redis_client, event)
    assert annotations() == {"gate.mp4": [("moved", 1.25, 2.25), ("moved", 2.5, 3.0)]}
    changed = api.http.patch("/v1/streams/gate", json={"source": "yard/monday.mp4"}).json()
    write_event(redis_client, an_event("gate", changed["base_ms"], "frozen"))
    spans = [("moved", 1.25, 1.75), ("moved", 2.5, 3.0)]
    assert annotations() == {"gate.mp4": spans, "yard/monday.mp4": [("frozen", 1.5, 2.0)]}


@pytest.mark.parametrize(
    "path", ["/v1/streams", ONE, "/v1/events", "/v1/events/live", "/v1/events/export", "/v1/version", "/openapi.json"]
)
def test_head_is_get_without_its_body(api: RunningApi, path: str) -> None:
    api.add("one")
    reply = api.http.head(path)
    assert (reply.status_code, reply.content) == (200, b"")
    if path not in {"/v1/events/live", "/v1/events/export"}:
        assert reply.headers["Content-Length"] == api.http.head(path).headers["Content-Length"] != "0"
    assert api.http.head("/v1/streams/nobody").status_code == 404


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (ONE, "DELETE, GET, HEAD, PATCH, PUT"),
        ("/v1/streams", "GET, HEAD, POST"),
        ("/v1/streams/probe", "POST"),
        ("/v1/events/export", "GET, HEAD"),
        ("/v1/events/live", "GET, HEAD"),
        (f"{ONE}/pause", "POST"),
    ],
)
def test_what_is_not_allowed_says_what_is(api: RunningApi, path: str, allowed: str) -> None:
    for method in {"TRACE", "GET", "POST", "PUT", "PATCH", "DELETE"} - set(allowed.split(", ")):
        reply = api.http.request(method, path, params={"text": "a"}, json={})
        assert (reply.status_code, reply.headers.get("Allow")) == (405, allowed), method


def test_long_answers_are_compressed_for_who_wants_that(api: RunningApi, written: None) -> None:
    short, long = (api.http.get(path, headers={"Accept-Encoding": "gzip"}) for path in ("/v1/version", "/v1/events"))
    assert "Content-Encoding" not in short.headers
    assert long.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in api.http.get("/v1/events", headers={"Accept-Encoding": "identity"}).headers
    assert short.json()["version"]


def test_no_more_streams_than_may_be(api: RunningApi) -> None:
    for number in range(5):
        api.add(f"s{number}")
    for method, path in (("POST", "/v1/streams"), ("PUT", ONE)):
        error = api.error(409, method, path, json=CAMERA)
        assert (error["code"], "AFTERIMAGE_MAX_STREAMS" in error["message"]) == ("too_many_streams", True)
    assert api.http.put("/v1/streams/s0", json=CAMERA).status_code == 200
    api.http.delete("/v1/streams/s0")
    api.add("one")


@pytest.mark.parametrize("query", ["until_ms=0", "since_ms=5&until_ms=5", "since_ms=9007199254740992", "label=moved"])
def test_a_span_without_scores_is_empty(api: RunningApi, query: str) -> None:
    api.add("one")
    assert api.http.get(f"{ONE}/scores?{query}").json() == {"items": [], "next_since_ms": None}
