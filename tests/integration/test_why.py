"""An event says why it fired: by which scores, thresholds and model."""

import pytest
import redis
from api_server import RunningApi, running_api
from default_layout import keys_of
from worker_runner import BASE_MS, FRAME_MS, WorkerRunner, pictures, spec_of

from services.api.kept import history
from shared.life.delivery_rules import LabelDelivery
from shared.manifest import read_manifest
from shared.streams import ThresholdOverride

NUM_FRAMES = 16
ENTER = 0.02


def test_an_event_says_why_it_fired(
    redis_client: redis.Redis, redis_url: str, runner: WorkerRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "AROUND_MS", 4 * FRAME_MS)
    spec = spec_of(
        "cam",
        thresholds={"moved": ThresholdOverride(enter=0.999), "frozen": ThresholdOverride(enter=ENTER, exit=ENTER / 2)},
        delivery={"frozen": LabelDelivery(severity="notice")},
    )
    runner.registry.add(spec)
    runner.publish(spec, pictures(NUM_FRAMES), end=True)
    runner.start()
    runner.wait_processed("cam", NUM_FRAMES)
    changed: dict[str, object] = {"thresholds": {}, "delivery": {}}  # what is said of the event is what was true then
    assert runner.registry.replace(spec, spec.model_copy(update=changed))
    scores = [score[1] for score in runner.scores("cam").values()]
    with running_api(redis_url, models_dir=runner.models_dir) as api:
        [event] = shown(api)
        why = api.http.get(f"/v1/events/{event['id']}").json()
        assert why["scores"] == [
            {"at_ms": BASE_MS + number * FRAME_MS, "score": pytest.approx(score, abs=1e-5)}
            for number, score in enumerate(scores)
        ]
        monkeypatch.setattr(history, "MAX_AROUND", 3)
        bounded = api.http.get(f"/v1/events/{event['id']}").json()
        assert bounded["scores"] == why["scores"][:3]
        redis_client.delete(keys_of("cam").scores("cam"))
        assert api.http.get(f"/v1/events/{event['id']}").json()["scores"] == []
    manifest = read_manifest(runner.models_dir / "tiny")
    assert (why["model"], why["model_sha256"]) == (manifest.reference, manifest.weights.sha256)
    assert (why["severity"], why["memory_reset"], why["frames_missed"]) == ("notice", None, 0)
    assert why["thresholds"] == {**manifest.thresholds_for("frozen").model_dump(), "enter": ENTER, "exit": ENTER / 2}
    assert event == {name: value for name, value in why.items() if name not in {"scores", "model_sha256"}}


def shown(api: RunningApi) -> list[dict[str, object]]:
    items: list[dict[str, object]] = api.http.get("/v1/events?stream_id=cam").json()["items"]
    return items
