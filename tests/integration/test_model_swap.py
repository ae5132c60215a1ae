"""Models that change under a running worker: what is asked for takes over with an empty memory, nobody else notices."""

import gc
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import redis
from api_server import running_api
from patience import eventually
from worker_runner import BASE_MS, FRAME_MS, LABELS, WorkerRunner, pictures, save_random_model, spec_of

from services.inference.models.runner import Runner
from shared.manifest import Manifest

FILM = pictures(30)
OTHER_LABELS = ("dog", "cat", "hen")


@pytest.fixture
def worker(redis_client: redis.Redis, tmp_path: Path) -> Iterator[WorkerRunner]:
    with WorkerRunner(redis_client, tmp_path) as worker_runner:
        yield worker_runner


def watch(worker: WorkerRunner, stream_id: str, film: Sequence[bytes], *, model: str = "tiny", first: int = 0) -> None:
    """Registers the stream if it is new, publishes the film and waits until it has been looked at."""
    spec = worker.registry.specs().get(stream_id)
    if spec is None:
        spec = spec_of(stream_id, model=model)
        worker.registry.add(spec)
    worker.publish(spec, film, first)
    worker.wait_processed(stream_id, worker.record(stream_id).frames_published)


def scores(worker: WorkerRunner, stream_id: str, first: int = 0, labels: Sequence[str] = LABELS) -> np.ndarray:
    """Scores of the stream's frames from `first` on."""
    by_id = worker.scores(stream_id, labels)
    return np.array([row for entry_id, row in by_id.items() if int(entry_id[:-2]) >= BASE_MS + first * FRAME_MS])


def num_resets(worker: WorkerRunner) -> float:
    return float(worker.metrics.state_resets.labels("model_changed")._value.get())


def runners_alive() -> set[str]:
    gc.collect()
    return {each.manifest.reference for each in gc.get_objects() if type(each) is Runner}


def test_a_folder_that_appears_is_taken_up_by_a_change_over_rest(
    worker: WorkerRunner, redis_url: str, tmp_path: Path
) -> None:
    first = save_random_model(tmp_path, "eager", enter=0.02)
    worker.start()
    with running_api(redis_url, models_dir=tmp_path) as api:
        assert api.add("cam", model="eager", pace="fast", base_ms=BASE_MS)["fps"] == 8
        watch(worker, "cam", FILM[:10])
        assert api.http.get("/v1/streams/cam").json()["running_model"] == first
        assert "no such model" in api.error(422, "PATCH", "/v1/streams/cam", json={"model": "farm"})["message"]
        second = save_random_model(tmp_path, "farm", enter=0.02, labels=OTHER_LABELS, size=(48, 64), fps=4, hidden=12)
        changed = api.http.patch("/v1/streams/cam", json={"model": "farm"}).json()
        assert (changed["model"], changed["fps"]) == ("farm", 4)
        worker.wait_model("cam", second)
        watch(worker, "cam", FILM[10:], first=10)
        items = api.http.get("/v1/events?stream_id=cam").json()["items"]
    by_label = {item["label"]: item for item in items}
    assert by_label.keys() == {*LABELS, *OTHER_LABELS}
    for label in LABELS:
        assert (by_label[label]["model"], by_label[label]["close_reason"]) == (first, "model_changed")
    assert {by_label[label]["model"] for label in OTHER_LABELS} == {second}
    assert [by_label[label]["memory_reset"] for label in OTHER_LABELS].count("model_changed") == 1
    assert num_resets(worker) == 1


def test_a_new_version_takes_over_where_it_is_asked_for_and_nowhere_else(worker: WorkerRunner, tmp_path: Path) -> None:
    old = save_random_model(tmp_path, enter=0.98)
    worker.start()
    watch(worker, "undisturbed", FILM)
    for stream_id in ("changed", "stays"):
        watch(worker, stream_id, FILM[:10])
    new = save_random_model(tmp_path, seed=1, enter=0.02)
    assert new.split("@")[0] == old.split("@")[0]
    worker.ask("changed", "tiny")
    worker.wait_model("changed", new)
    for stream_id in ("changed", "stays"):
        watch(worker, stream_id, FILM[10:], first=10)
    watch(worker, "fresh", FILM[10:])
    assert worker.record("stays").inference.model == old
    assert worker.record("fresh").inference.model == new
    assert np.allclose(scores(worker, "stays"), scores(worker, "undisturbed"), atol=1e-4)
    assert np.allclose(scores(worker, "changed", first=10), scores(worker, "fresh"), atol=1e-4)
    assert num_resets(worker) == 1
    events = worker.events("changed")
    assert {event.model for event in events} == {new}
    assert [event.memory_reset for event in events].count("model_changed") == 1


def test_back_and_forth_every_model_begins_anew_and_none_is_loaded_twice(worker: WorkerRunner, tmp_path: Path) -> None:
    old = save_random_model(tmp_path)
    worker.start()
    watch(worker, "stays", FILM)
    watch(worker, "cam", FILM[:10])
    new = save_random_model(tmp_path, seed=1)
    worker.ask("cam", "tiny")
    worker.wait_model("cam", new)
    watch(worker, "cam", FILM[10:20], first=10)
    assert save_random_model(tmp_path) == old
    worker.ask("cam", "tiny")
    worker.wait_model("cam", old)
    watch(worker, "cam", FILM[20:], first=20)
    watch(worker, "fresh", FILM[20:])
    assert np.allclose(scores(worker, "cam", first=20), scores(worker, "fresh"), atol=1e-4)
    assert num_resets(worker) == 2
    eventually(lambda: runners_alive() == {old}, "the other version is let go")
    assert len([each for each in gc.get_objects() if type(each) is Runner]) == 1


def test_a_broken_new_version_leaves_the_stream_where_it_is_until_it_is_mended(
    worker: WorkerRunner, redis_url: str, tmp_path: Path
) -> None:
    old = save_random_model(tmp_path)
    worker.start()
    watch(worker, "whole", FILM)
    watch(worker, "cam", FILM[:10])
    new = save_random_model(tmp_path, seed=1)
    manifest = tmp_path / "tiny" / "model.json"
    mended = manifest.read_text()
    manifest.write_text(mended[: len(mended) // 2])
    worker.ask("cam", "tiny")
    assert "model.json" in worker.wait_reason("cam")
    watch(worker, "cam", FILM[10:], first=10)
    assert np.allclose(scores(worker, "cam"), scores(worker, "whole"), atol=1e-4)
    with running_api(redis_url, models_dir=tmp_path) as api:
        view = api.http.get("/v1/streams/cam").json()
        assert (view["state"], view["running_model"], view["finished"]) == ("pending", old, False)
        assert "model.json" in view["reason"]
        assert "not usable" in api.error(422, "PATCH", "/v1/streams/cam", json={"model": "tiny"})["message"]
        assert api.http.patch("/v1/streams/cam", json={"name": "Yard"}).status_code == 200
    manifest.write_text(mended)
    worker.wait_model("cam", new)
    assert worker.record("cam").inference.reason is None


def test_weights_without_their_manifest_are_waited_out(worker: WorkerRunner, tmp_path: Path) -> None:
    save_random_model(tmp_path)
    new = save_random_model(tmp_path / "next", seed=1)
    worker.start()
    watch(worker, "cam", FILM[:10])
    for file in ("weights.safetensors", "model.json"):  # the order in which training writes them
        (tmp_path / "next" / "tiny" / file).replace(tmp_path / "tiny" / file)
        if file == "weights.safetensors":
            worker.ask("cam", "tiny")
            assert "SHA-256" in worker.wait_reason("cam")
    worker.wait_model("cam", new)


def test_models_of_all_shapes_side_by_side_score_as_alone(worker: WorkerRunner, tmp_path: Path) -> None:
    save_random_model(tmp_path)
    save_random_model(tmp_path, "farm", labels=OTHER_LABELS, size=(64, 96), fps=5, hidden=16)
    shapes = {"tiny": LABELS, "farm": OTHER_LABELS}
    worker.start(batch_size=5)
    for model in shapes:
        watch(worker, f"alone-{model}", FILM, model=model)
    mixed = [spec_of(f"mixed-{model}-{number}", model=model) for number in range(3) for model in shapes]
    for spec in mixed:
        worker.registry.add(spec)
        worker.publish(spec, FILM)
    for spec in mixed:
        worker.wait_processed(spec.id, len(FILM))
        labels = shapes[spec.model]
        alone, together = (scores(worker, name, labels=labels) for name in (f"alone-{spec.model}", spec.id))
        assert alone.shape == (len(FILM), len(labels))
        assert np.allclose(alone, together, atol=1e-4)


def test_a_model_that_nobody_uses_any_more_is_let_go(worker: WorkerRunner, tmp_path: Path) -> None:
    tiny, farm = save_random_model(tmp_path), save_random_model(tmp_path, "farm", labels=OTHER_LABELS)
    worker.start()
    watch(worker, "cam", FILM[:5])
    watch(worker, "other", FILM[:5], model="farm")
    assert runners_alive() == {tiny, farm}
    worker.ask("cam", "farm")
    eventually(lambda: runners_alive() == {farm}, "a model that lost its last stream to another is let go")
    newer = save_random_model(tmp_path, "farm", seed=1)
    worker.ask("cam", "farm")
    worker.wait_model("cam", newer)
    worker.registry.remove("other")
    eventually(lambda: runners_alive() == {newer}, "a version that lost its last stream is let go")


def test_the_next_worker_runs_on_what_is_there_and_says_that_the_memory_was_reset(
    worker: WorkerRunner, tmp_path: Path
) -> None:
    save_random_model(tmp_path)
    worker.start()
    watch(worker, "cam", FILM[:10])
    worker.stop()
    new = save_random_model(tmp_path, seed=1, enter=0.02)
    worker.start()
    worker.wait_model("cam", new)
    watch(worker, "cam", FILM[10:], first=10)
    watch(worker, "fresh", FILM[10:])
    assert np.allclose(scores(worker, "cam", first=10), scores(worker, "fresh"), atol=1e-4)
    assert num_resets(worker) == 1
    assert [event.memory_reset for event in worker.events("cam")].count("model_changed") == 1


def test_a_worker_that_starts_on_a_broken_folder_says_so_until_it_is_mended(
    worker: WorkerRunner, tmp_path: Path
) -> None:
    reference = save_random_model(tmp_path)
    manifest = tmp_path / "tiny" / "model.json"
    mended = manifest.read_text()
    worker.registry.add(spec_of("cam"))
    manifest.write_text("{")
    worker.start()
    worker.wait_reason("cam")
    worker.stop()
    manifest.write_text(mended)
    worker.start()
    worker.wait_model("cam", reference)
    assert worker.record("cam").inference.reason is None


def test_other_thresholds_for_the_same_weights_keep_the_memory(worker: WorkerRunner, tmp_path: Path) -> None:
    reference = save_random_model(tmp_path, enter=0.98)
    worker.start()
    watch(worker, "whole", FILM)
    watch(worker, "cam", FILM[:10])
    assert save_random_model(tmp_path, enter=0.02) == reference
    worker.ask("cam", "tiny")
    number = 10
    while not worker.events("cam"):
        watch(worker, "cam", FILM[number : number + 1], first=number)
        number += 1
        eventually(lambda: worker.metrics.state_restores._value.get() == 1, "the stream is admitted anew")
    watch(worker, "cam", FILM[number:], first=number)
    assert np.allclose(scores(worker, "cam"), scores(worker, "whole"), atol=1e-4)
    assert num_resets(worker) == 0


def test_a_label_renamed_beside_the_same_weights_closes_its_events(worker: WorkerRunner, tmp_path: Path) -> None:
    reference = save_random_model(tmp_path, enter=0.02)
    worker.start()
    watch(worker, "cam", FILM[:10])
    path = tmp_path / "tiny" / "model.json"
    content = json.loads(path.read_text())
    content |= {"labels": ["moved", "still"], "thresholds": {}}
    path.write_text(Manifest.model_validate(content).model_dump_json())
    worker.ask("cam", "tiny")
    eventually(lambda: num_resets(worker) == 1, "the stream is admitted anew")
    watch(worker, "cam", FILM[10:], first=10)
    closed = [event for event in worker.events("cam") if event.close_reason == "model_changed"]
    assert [(event.label, event.model) for event in closed] == [("frozen", reference), ("moved", reference)]


def test_an_id_that_is_registered_anew_does_not_inherit_a_model(worker: WorkerRunner, tmp_path: Path) -> None:
    save_random_model(tmp_path)
    worker.start()
    watch(worker, "cam", FILM[:5])
    worker.registry.remove("cam")
    worker.registry.add(spec_of("cam", model="missing", generation=2))
    assert "no such file" in worker.wait_reason("cam")
    assert worker.record("cam").inference.model is None


def test_changes_in_full_flight_lose_no_frame_and_score_none_twice(worker: WorkerRunner, tmp_path: Path) -> None:
    references = [save_random_model(tmp_path), save_random_model(tmp_path, "farm", labels=OTHER_LABELS)]
    spec, film = spec_of("cam"), pictures(60)
    worker.registry.add(spec)
    worker.start(batch_size=4)
    for part in range(4):
        worker.publish(spec, film, first=part * len(film))
        worker.ask("cam", ("farm", "tiny")[part % 2])
        worker.wait_model("cam", references[1 - part % 2])
    record = worker.wait_processed("cam", 4 * len(film))
    assert (record.progress.frames_processed, record.frames_dropped) == (4 * len(film), 0)
    by_model = [worker.scores("cam", labels).keys() for labels in (LABELS, OTHER_LABELS)]
    assert not by_model[0] & by_model[1]
    assert len(by_model[0] | by_model[1]) == 4 * len(film)
