"""Thresholds tried on the scores that are kept, and the picture of a moment."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from api_server import BASE_MS, RunningApi, running_api
from default_layout import keys_of
from leasing import lease_of

from services.api.kept.scores import preview
from shared.entries import Frame, labels_field, scores_text
from shared.life.tracker import Tracker, TrackerState
from shared.manifest import Thresholds
from shared.store.frame_queue import FrameWriter
from shared.store.registry import Registry

FRAME_MS = 125
LABELS = ("moved", "covered")
PEAKS = {10: 0.9, 20: 0.75, 30: 0.62, 40: 0.8}
"""Second → score of `moved` for two seconds from it on; elsewhere it is low."""
MOVED = {"enter": 0.5, "exit": 0.3, "min_seconds": 0.5, "merge_seconds": 1.0}
PATH = "/v1/streams/cam/thresholds/preview"


def at(seconds: float) -> int:
    return BASE_MS + round(seconds * 1000)


def peak_at(time_ms: int) -> float:
    return next((peak for second, peak in PEAKS.items() if at(second) <= time_ms <= at(second + 2)), 0.1)


SCORES = [(time_ms, peak_at(time_ms)) for time_ms in range(at(0), at(60), FRAME_MS)]


@pytest.fixture
def api(redis_client: redis.Redis, redis_url: str) -> Iterator[RunningApi]:
    with running_api(redis_url) as api:
        api.add("cam", thresholds={"moved": MOVED})
        yield api


def store(client: redis.Redis, scores: list[tuple[int, float]]) -> None:
    key, names = keys_of("cam").scores("cam"), labels_field(LABELS)
    pipeline = client.pipeline(transaction=False)
    for time_ms, score in scores:
        pipeline.xadd(key, {names: scores_text([score, 0.0])}, id=f"{time_ms}-0")
    pipeline.execute()


def asked(api: RunningApi, thresholds: dict[str, Any], **others: Any) -> dict[str, Any]:
    reply = api.http.post(PATH, json={"thresholds": thresholds, **others})
    assert reply.status_code == 200, reply.text
    return reply.json()  # type: ignore[no-any-return]


def seconds_of(side: dict[str, Any]) -> list[tuple[float, float | None]]:
    times = [(each["started_at_ms"], each["ended_at_ms"]) for each in side["events"]]
    return [((start - BASE_MS) / 1000, None if end is None else (end - BASE_MS) / 1000) for start, end in times]


def test_a_preview_shows_what_present_and_wanted_thresholds_give(api: RunningApi, redis_client: redis.Redis) -> None:
    assert asked(api, {"moved": 0.7})["num_frames"] == 0
    store(redis_client, SCORES)
    before = api.http.get("/v1/streams/cam")
    found = asked(api, {"moved": {**MOVED, "enter": 0.7}, "covered": 0.9})
    assert (found["from_ms"], found["until_ms"], found["num_frames"]) == (at(0), SCORES[-1][0], len(SCORES))
    moved, covered = found["labels"]["moved"], found["labels"]["covered"]
    assert seconds_of(moved["present"]) == [(second, second + 2) for second in PEAKS]
    assert seconds_of(moved["wanted"]) == [(second, second + 2) for second in PEAKS if PEAKS[second] > 0.7]
    assert (moved["wanted"]["num_events"], moved["wanted"]["events"][0]["peak_score"]) == (3, 0.9)
    assert moved["present"]["thresholds"] == MOVED
    assert covered["wanted"]["thresholds"]["enter"] == 0.9
    assert covered["wanted"]["events"] == covered["present"]["events"] == []
    assert seconds_of(asked(api, {"moved": MOVED}, since_ms=at(25))["labels"]["moved"]["wanted"]) == [
        (30, 32),
        (40, 42),
    ]
    assert api.http.get("/v1/streams/cam").headers["ETag"] == before.headers["ETag"]


def test_it_is_the_tracker_itself_that_finds_them(api: RunningApi, redis_client: redis.Redis) -> None:
    """With holes between frames, dips, what is still open, and what is too short: as inference would have it."""
    scores = [
        (time_ms, score)
        for time_ms, score in [*SCORES, *((at(61) + i * FRAME_MS, 0.95) for i in range(20))]
        if not at(11) < time_ms < at(11.9) and not at(40.5) < time_ms < at(41.9)
    ]
    store(redis_client, scores)
    for wanted in (MOVED, {**MOVED, "merge_seconds": 0.5}, {**MOVED, "min_seconds": 2.5}, {**MOVED, "exit": 0.05}):
        tracker = Tracker(["moved"], {"moved": Thresholds(**wanted)}, TrackerState(), FRAME_MS)
        passed = [each for time_ms, score in scores for each in tracker.update(time_ms, 0, 0, [score])]
        tracks: list[tuple[int, int | None]]
        tracks = [(each.track.started_at_ms, each.track.last_above_ms) for each in passed if each.kind == "closed"]
        tracks += [(each.started_at_ms, None) for each in tracker.state.tracks.values() if each.is_event]
        found = asked(api, {"moved": wanted})["labels"]["moved"]["wanted"]["events"]
        assert [(each["started_at_ms"], each["ended_at_ms"]) for each in found] == tracks


def test_a_gap_that_empties_the_memory_ends_what_is_open(api: RunningApi, redis_client: redis.Redis) -> None:
    reset = {"reset_after_seconds": 3, "thresholds": {"moved": {**MOVED, "merge_seconds": 600}}}
    assert api.http.patch("/v1/streams/cam", json=reset).status_code == 200
    store(redis_client, [(time_ms, 0.9) for time_ms in range(at(0), at(10), FRAME_MS) if not at(4) < time_ms < at(8)])
    found = asked(api, {"moved": {**MOVED, "merge_seconds": 600}})["labels"]["moved"]["present"]
    assert seconds_of(found) == [(0, 4), (8, None)]


def test_a_preview_is_bounded(api: RunningApi, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    store(redis_client, SCORES)
    monkeypatch.setattr(preview, "MAX_FRAMES", 200)
    monkeypatch.setattr(preview, "PIECE_FRAMES", 70)
    found = asked(api, {"moved": MOVED})
    assert found["num_frames"] == 200
    assert SCORES[-1][0] - found["until_ms"] <= FRAME_MS
    assert seconds_of(found["labels"]["moved"]["present"]) == [(40, 42)]


def test_what_cannot_be_tried_is_refused(api: RunningApi) -> None:
    error = api.error(422, "POST", PATH, json={"thresholds": {"burnt": 0.5}})
    assert error["field"] == "thresholds"
    assert "no label 'burnt'; it has: covered" in error["message"]
    error = api.error(422, "POST", PATH, json={"thresholds": {"moved": {"enter": 1.5}}})
    assert (error["field"], error["value"]) == ("thresholds.moved.enter", "1.5")
    assert api.error(422, "POST", PATH, json={})["field"] == "thresholds"
    assert api.error(422, "POST", PATH, json={"thresholds": {}, "fps": 3})["field"] == "fps"
    assert api.error(404, "POST", PATH.replace("cam", "nobody"), json={"thresholds": {}})["code"] == "stream_unknown"


def test_a_viewer_may_try_and_no_audit_line_tells_of_it(
    redis_client: redis.Redis, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with running_api(redis_url) as api:
        key, _ = api.context.keyring.create("a", "admin")
        viewer, _ = api.context.keyring.create("v", "viewer")
        admins, viewers = ({"Authorization": f"Bearer {each.text}"} for each in (key, viewer))
        added = api.http.post(
            "/v1/streams", json={"name": "c", "source": "rtsp://c.invalid/1", "id": "cam"}, headers=admins
        )
        assert added.status_code == 201
        caplog.clear()
        assert api.http.post(PATH, json={"thresholds": {}}, headers=viewers).status_code == 200
        foreign = {**viewers, "Origin": "http://elsewhere.invalid"}
        assert api.error(403, "POST", PATH, json={"thresholds": {}}, headers=foreign)["code"] == "origin_foreign"
        assert api.http.post("/v1/streams/cam/pause", headers=admins).status_code == 200
    assert [record.message.split("POST ")[1] for record in caplog.records if "audit" in record.message] == [
        "/v1/streams/cam/pause: 200; paused False → True"
    ]


def test_the_picture_of_a_moment_is_the_kept_frame_nearest_to_it(api: RunningApi, redis_client: redis.Redis) -> None:
    path = "/v1/streams/cam/frames.jpg"
    error = api.error(404, "GET", path, params={"at_ms": at(1)})
    assert (error["code"], error["message"].rpartition(" ")[2]) == ("no_frame", "pending")
    lease = lease_of(redis_client, "ingest", "cam")
    writer = FrameWriter(redis_client, "cam", Registry(redis_client).get("cam").spec.generation, "live", lease)
    writer.publish([Frame(at(second), at(second), 1, 0.0, b"jpeg %d" % second) for second in range(4)])
    writer.publish([Frame.end(at(3))])
    for moment, second in ((0, 0), (0.4, 0), (0.6, 1), (1, 1), (2.9, 3), (3, 3), (500, 3), (-2, 0)):
        reply = api.http.get(path, params={"at_ms": at(moment)})
        assert (reply.status_code, reply.content) == (200, b"jpeg %d" % second), moment
        assert reply.headers["X-Captured-At-Ms"] == str(at(second))
        assert (reply.headers["Content-Type"], reply.headers["Cache-Control"]) == ("image/jpeg", "no-store")
    assert api.error(422, "GET", path)["field"] == "at_ms"
    assert api.error(404, "GET", "/v1/streams/nobody/frames.jpg?at_ms=1")["code"] == "stream_unknown"
