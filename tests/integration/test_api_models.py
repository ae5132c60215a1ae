"""Models over REST: what a stream asks for, and the rate that comes with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from api_server import RunningApi, running_api
from worker_runner import save_random_model

from shared.store.registry import Registry


@pytest.fixture
def api(redis_url: str, redis_client: redis.Redis, tmp_path: Path) -> Iterator[RunningApi]:
    save_random_model(tmp_path, "camera-events", fps=5)
    save_random_model(tmp_path, "slow", fps=0.005)
    with running_api(redis_url, models_dir=tmp_path) as running:
        yield running


def fps_after(api: RunningApi, change: dict[str, object]) -> float:
    reply = api.http.patch("/v1/streams/cam", json=change)
    assert reply.status_code == 200, reply.text
    return float(reply.json()["fps"])


def test_a_stream_runs_at_its_models_rate_unless_told_otherwise(api: RunningApi) -> None:
    assert api.add("cam")["fps"] == 5
    assert api.add("quick", fps=12)["fps"] == 12
    assert api.add("plain", fps=None)["fps"] == 5
    assert fps_after(api, {"model": "slow"}) == 0.01  # the least that a stream may have
    assert fps_after(api, {"fps": 12}) == 12
    assert fps_after(api, {"model": "camera-events"}) == 12
    assert fps_after(api, {"fps": None}) == 5
    assert fps_after(api, {"model": "slow", "fps": 3}) == 3
    assert fps_after(api, {"model": None, "fps": None}) == 5


def test_only_a_change_that_names_a_model_or_a_rate_sees_a_new_rate(api: RunningApi, tmp_path: Path) -> None:
    api.add("cam")
    save_random_model(tmp_path, "camera-events", seed=1, fps=2)
    assert fps_after(api, {"name": "New", "pace": "live"}) == 5
    assert fps_after(api, {"model": "camera-events"}) == 2


def test_every_change_that_names_a_model_is_seen_by_inference(api: RunningApi, redis_client: redis.Redis) -> None:
    view = api.add("cam")
    assert view["running_model"] is None
    assert "model_asks" not in view
    for number in (1, 2):
        api.http.patch("/v1/streams/cam", json={"model": "camera-events"})
        api.http.patch("/v1/streams/cam", json={"name": f"Camera {number}"})
        assert Registry(redis_client).get("cam").spec.model_asks == number


def test_a_broken_folder_stands_in_the_way_of_its_own_choice_only(api: RunningApi, tmp_path: Path) -> None:
    api.add("cam")
    (tmp_path / "camera-events" / "model.json").write_text("{")
    error = api.error(422, "PATCH", "/v1/streams/cam", json={"model": "camera-events"})
    assert (error["field"], error["value"]) == ("model", "'camera-events'")
    assert fps_after(api, {"name": "New", "reset_after_seconds": 4}) == 5


def test_where_models_are_on_another_machine_the_rate_stays(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    with running_api(redis_url, models_dir=tmp_path / "elsewhere") as api:
        assert api.add("cam", model="unseen")["fps"] == 8
        assert fps_after(api, {"fps": 4}) == 4
        assert fps_after(api, {"model": "other"}) == 4
        assert fps_after(api, {"fps": None}) == 8
    assert Registry(redis_client).get("cam").spec.model_asks == 1


def test_a_card_is_shown_with_its_memory_table_as_figures(redis_url: str, redis_client: redis.Redis) -> None:
    with running_api(redis_url) as api:
        shown = api.http.get("/v1/models/camera-events/card").json()
        (model,) = api.http.get("/v1/models").json()["items"]
    assert shown["card"].startswith("# camera-events\n")
    assert not shown["is_cut"]
    assert shown["reference"] == model["reference"] == f"camera-events@{shown['sha256'][:8]}"
    assert [each["label"] for each in shown["memory"]] == model["labels"]
    assert all(each["ap_with_memory"] > each["ap_one_frame"] and each["words"] for each in shown["memory"])


def test_a_card_is_bounded_and_need_not_be_there(api: RunningApi, tmp_path: Path) -> None:
    plain = api.http.get("/v1/models/camera-events/card").json()
    assert (plain["card"], plain["is_cut"], plain["memory"], len(plain["sha256"])) == (None, False, [], 64)
    card = tmp_path / "camera-events" / "README.md"
    card.write_bytes(b"\xff" + b"x" * (1 << 20))
    long = api.http.get("/v1/models/camera-events/card").json()
    assert (len(long["card"]), long["is_cut"]) == (256 << 10, True)
    card.unlink()
    card.mkdir()
    assert api.http.get("/v1/models/camera-events/card").json()["card"] is None
    (tmp_path / "slow" / "model.json").write_text("{")
    assert api.http.get("/v1/models/slow/card").json()["sha256"] is None
    assert api.error(404, "GET", "/v1/models/none/card")["code"] == "model_unknown"
    assert api.error(422, "GET", "/v1/models/..slow/card")["field"] == "model_name"
