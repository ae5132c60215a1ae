"""A model on trial on all streams of a group: with the real worker, and through the death of who looks after it."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
import rollout_keeper
from api_server import RunningApi, running_api
from filming import filming
from in_process import InProcess
from patience import eventually
from rollout_keeper import QUICK
from worker_runner import LABELS, WorkerRunner, save_random_model

from services.api.kept.rollouts.record import OVER
from shared.store.keys import ROLLOUTS

CAMERAS = ("one", "two", "three")
EACH_FRAME = {"min_seconds": 0, "merge_seconds": 0}
"""An event for each frame whose score is high enough: at 60 frames/s wanted and ten given, the next one comes after a
gap."""
NOT_LATE = {"max_latency_ratio": 1000}
"""Of a busy machine's latency nothing follows."""
ROLLOUT = "/v1/groups/north/rollout"


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """Models that never raise an event, and one that does so at each frame."""
    for seed, name in enumerate(("calm", "good", "other")):
        save_random_model(tmp_path, name, seed=seed, enter=0.98)
    save_random_model(tmp_path, "loud", seed=1, enter=0.02)
    return tmp_path


@pytest.fixture
def api(redis_url: str, redis_client: redis.Redis, models_dir: Path) -> Iterator[RunningApi]:
    del redis_client  # it has emptied Redis
    with running_api(redis_url, QUICK, models_dir=models_dir) as running:
        yield running


def add(api: RunningApi, stream_id: str, **fields: Any) -> None:
    api.add(stream_id, **{"groups": ["north"], "model": "calm", **fields})


def models(api: RunningApi, *stream_ids: str) -> list[str]:
    return [each.spec.model for each in api.context.registry.records(stream_ids)]


def started(api: RunningApi, model: str, **limits: Any) -> dict[str, Any]:
    reply = api.http.put(ROLLOUT, json={"model": model, "hours": 0.05, **limits})
    assert reply.status_code == 201, reply.text
    view: dict[str, Any] = reply.json()
    return view


def shown(api: RunningApi) -> dict[str, Any]:
    view: dict[str, Any] = api.http.get(ROLLOUT).json()
    return view


def ended(api: RunningApi) -> dict[str, Any]:
    eventually(lambda: shown(api)["state"] in OVER, "the rollout's end")
    return shown(api)


@contextmanager
def watched(api: RunningApi, client: redis.Redis, models_dir: Path) -> Iterator[WorkerRunner]:
    """Three cameras that a worker looks at, since some frames."""
    for name in CAMERAS:
        add(api, name, fps=60, thresholds=dict.fromkeys(LABELS, EACH_FRAME))
    with WorkerRunner(client, models_dir) as worker:
        worker.start()
        with filming(client, *CAMERAS):
            for name in CAMERAS:
                worker.wait_processed(name, 15)
            yield worker


@pytest.fixture
def cameras(api: RunningApi, redis_client: redis.Redis, models_dir: Path) -> Iterator[WorkerRunner]:
    with watched(api, redis_client, models_dir) as worker:
        yield worker


def test_a_model_that_cries_without_end_is_returned_and_the_streams_go_on(
    api: RunningApi, cameras: WorkerRunner, caplog: pytest.LogCaptureFixture
) -> None:
    calm = str(cameras.record("one").inference.model)
    view = started(api, "loud", hours=720, **NOT_LATE)
    assert (view["state"], view["num_streams"], view["ended_at_ms"]) == ("measuring", 3, None)
    view = ended(api)
    assert view["state"] == "returned"
    assert "returned: events in all" in view["verdict"]
    assert view["after"]["events"] >= 17
    assert view["before"]["events"] == 0
    assert view["after"]["stream_hours"] == view["before"]["stream_hours"] > 0
    assert view["before"]["num_ages"] > 0
    assert models(api, *CAMERAS) == ["calm"] * 3
    assert {cameras.record(name).spec.revision for name in CAMERAS} == {2}
    for name in CAMERAS:
        cameras.wait_model(name, calm)
        cameras.wait_processed(name, cameras.record(name).progress.frames_processed + 5)
    assert {event.model.partition("@")[0] for event in cameras.events("one") if event.model} == {"loud"}
    assert any("rollout of loud on group north: returned" in each.message for each in caplog.records)
    assert 'afterimage_rollouts{state="returned"} 1.0' in api.metrics()


@pytest.mark.usefixtures("cameras")
def test_a_model_that_is_no_worse_is_kept(api: RunningApi) -> None:
    started(api, "good", **NOT_LATE)
    view = ended(api)
    assert (view["state"], view["num_on_model"]) == ("kept", 3)
    assert view["verdict"] == "kept: no worse in 0.05 hours, by what was seen"
    assert view["after"]["num_ages"] > 0
    assert models(api, *CAMERAS) == ["good"] * 3


def test_a_model_that_inference_cannot_load_is_returned_at_once(
    redis_url: str, redis_client: redis.Redis, models_dir: Path
) -> None:
    nowhere = models_dir / "none"  # the api's machine holds no models: only inference can judge them
    with (
        running_api(redis_url, QUICK, models_dir=nowhere) as api,
        watched(api, redis_client, models_dir),
    ):
        started(api, "missing", hours=720, **NOT_LATE)
        view = ended(api)
        assert view["state"] == "returned"
        assert "no such file" in view["verdict"]
        assert models(api, *CAMERAS) == ["calm"] * 3


NUM_MANY = 3 * QUICK.batch + 2


@contextmanager
def answering(redis_url: str, models_dir: Path) -> Iterator[RunningApi]:
    """An api that leaves rollouts to others."""
    with running_api(redis_url, models_dir=models_dir) as api:
        api.context.rollouts.keeper.stop()
        yield api


def kill_half_way(api: RunningApi, redis_url: str, models_dir: Path, names: Sequence[str], model: str) -> None:
    """Has a process of its own give a model to the streams, and kills it when some have it."""
    command = [sys.executable, rollout_keeper.__file__, redis_url, str(models_dir), "1"]
    with subprocess.Popen(command) as process:
        try:
            eventually(lambda: model in models(api, *names), "the first switches")
        finally:
            process.kill()
    assert 0 < models(api, *names).count(model) < len(names)


def test_who_dies_between_the_switches_is_followed_by_the_next_and_changes_by_hand_stay(
    redis_url: str, redis_client: redis.Redis, models_dir: Path
) -> None:
    del redis_client  # it has emptied Redis
    names = [f"cam-{number:02}" for number in range(NUM_MANY)]
    with answering(redis_url, models_dir) as api:
        for name in names:
            add(api, name)
        started(api, "good", hours=720)
        kill_half_way(api, redis_url, models_dir, names, "good")
        by_hand = [names[models(api, *names).index(model)] for model in ("good", "calm")]
        for name in by_hand:
            assert api.http.patch(f"/v1/streams/{name}", json={"model": "other"}).status_code == 200
        api.http.delete(f"/v1/streams/{names[-1]}")
        with running_api(redis_url, QUICK, models_dir=models_dir):
            eventually(lambda: shown(api)["state"] == "trying", "the rest")
        of_it = [name for name in names[:-1] if name not in by_hand]
        assert set(models(api, *of_it)) == {"good"}
        view = shown(api)
        assert (view["num_streams"], view["num_on_model"], view["num_left"]) == (NUM_MANY, len(of_it), 3)
        assert api.error(409, "PUT", ROLLOUT, json={"model": "other"})["code"] == "rollout_under_way"
        assert api.http.delete(ROLLOUT).json()["state"] == "returning"
        kill_half_way(api, redis_url, models_dir, of_it, "calm")
        with running_api(redis_url, QUICK, models_dir=models_dir), running_api(redis_url, QUICK, models_dir=models_dir):
            view = ended(api)
        assert (view["state"], view["verdict"]) == ("returned", "returned: ended by hand")
        assert set(models(api, *of_it)) == {"calm"}
        assert models(api, *by_hand) == ["other", "other"]
        assert {each.spec.revision for each in api.context.registry.records(of_it)} == {2}  # each changed twice


def test_by_hand_it_is_ended_either_way_and_the_command_line_does_the_same(
    api: RunningApi, in_process: InProcess
) -> None:
    add(api, "one", fps=None)
    where = ("north", "--url", api.url)
    begun = in_process("rollout", "start", "north", "good", "--hours", "48", "--url", api.url)
    assert (begun.code, '"hours": 48' in begun.output) == (0, True), begun
    eventually(lambda: shown(api)["state"] == "trying", "the switch")
    assert in_process("rollout", "end", *where, "--keep").code == 0
    assert '"verdict": "kept: ended by hand"' in in_process("rollout", "show", *where).output
    assert models(api, "one") == ["good"]
    started(api, "calm", hours=720)
    api.http.delete(ROLLOUT)
    assert ended(api)["state"] == "returned"
    assert models(api, "one") == ["good"]
    again = in_process("rollout", "end", *where)
    assert (again.code, "over already" in again.errors) == (1, True)


def test_what_cannot_be_is_refused_and_nothing_changes(api: RunningApi, models_dir: Path) -> None:
    save_random_model(models_dir, "farm", labels=("hen",))
    add(api, "one", groups=["north", "south"])
    add(api, "two", thresholds={"moved": 0.7})
    assert api.error(404, "GET", ROLLOUT)["code"] == "rollout_unknown"
    assert api.error(404, "DELETE", ROLLOUT)["code"] == "rollout_unknown"
    assert api.error(404, "PUT", "/v1/groups/west/rollout", json={"model": "good"})["code"] == "group_unknown"
    missing = api.error(422, "PUT", ROLLOUT, json={"model": "missing"})
    assert (missing["field"], "no such model" in missing["message"]) == ("model", True)
    unfit = api.error(422, "PUT", ROLLOUT, json={"model": "farm"})
    assert unfit["message"].startswith("stream 'two': thresholds: farm has no label 'moved'")
    assert api.error(409, "PUT", ROLLOUT, json={"model": "calm"})["code"] == "nothing_to_try"
    for field, value in {"hours": 0.01, "max_false_ratio": 0, "max_latency_ratio": 0.5, "model": "../x"}.items():
        assert api.error(422, "PUT", ROLLOUT, json={"model": "good", field: value})["field"] == field
    assert models(api, "one", "two") == ["calm", "calm"]
    api.context.rollouts.keeper.stop()
    started(api, "good", hours=720)
    assert api.error(409, "DELETE", f"{ROLLOUT}?keep=true")["code"] == "not_on_trial"
    overlap = api.error(409, "PUT", "/v1/groups/south/rollout", json={"model": "other"})
    assert (overlap["code"], "'one'" in overlap["message"]) == ("rollout_under_way", True)


def test_of_two_that_begin_at_once_with_a_stream_in_common_one_is_refused(api: RunningApi) -> None:
    add(api, "one", groups=["north", "south"])
    with ThreadPoolExecutor(2) as pool:
        for _ in range(5):
            asked = [
                pool.submit(api.http.put, f"/v1/groups/{group}/rollout", json={"model": "good", "hours": 720})
                for group in ("north", "south")
            ]
            assert sorted(each.result().status_code for each in asked) == [201, 409]
            for group in ("north", "south"):
                api.http.delete(f"/v1/groups/{group}/rollout")
            eventually(lambda: not _under_way(api), "their end")


def _under_way(api: RunningApi) -> list[str]:
    states = [api.http.get(f"/v1/groups/{group}/rollout").json().get("state", "kept") for group in ("north", "south")]
    return [state for state in states if state not in OVER]


def test_what_cannot_be_read_is_waited_out(api: RunningApi, redis_client: redis.Redis) -> None:
    add(api, "one")
    redis_client.set(ROLLOUTS, "damaged")
    api.context.rollouts.keeper.wake()
    assert api.http.get(ROLLOUT).status_code == 503
    redis_client.delete(ROLLOUTS)
    redis_client.hset(ROLLOUTS, "north", '{"v": 2, "group": "north"}')
    redis_client.hset(ROLLOUTS, "west", "no record")
    assert "of a later one" in api.error(409, "GET", ROLLOUT)["message"]
    assert api.error(409, "PUT", ROLLOUT, json={"model": "good"})["code"] == "unreadable"
    redis_client.hdel(ROLLOUTS, "north")
    started(api, "good", hours=720)
    eventually(lambda: models(api, "one") == ["good"], "the switch")
    assert redis_client.hget(ROLLOUTS, "west") == b"no record"
