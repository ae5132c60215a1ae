"""What becomes of a rollout as hours pass: on a real Redis, with a clock that the test holds."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from api_server import an_event, write_event
from default_layout import keys_of
from pydantic import SecretStr
from worker_runner import save_random_model

from services.api.context import ApiContext, build_context
from services.api.kept.rollouts import counting
from services.api.kept.rollouts.book import RolloutBook
from services.api.kept.rollouts.counting import EventCount, count_events
from services.api.kept.rollouts.judging import DAY_MS, HOUR_MS
from services.api.kept.rollouts.moving import Mover
from services.api.kept.rollouts.record import MAX_TOLD, RolloutLimits, RolloutRecord
from services.api.kept.rollouts.steps import RolloutPace, Steps
from services.api.schemas.streams import StreamCreate
from services.api.settings import ApiSettings
from shared.events import Event
from shared.life.event_desk import EventDesk
from shared.life.marks import Feedback, Judgement, Mark
from shared.manifest import OFFLINE
from shared.store.registry import Registry
from shared.streams import InferenceStatus, Progress, StreamState, StreamStatus

MINUTE_MS = 60_000
PACE = RolloutPace(batch=8)
LIMITS = RolloutLimits(model="good", hours=720)


class Trial:
    """A rollout over a group's streams that is taken on as the test's clock says."""

    def __init__(self, context: ApiContext, client: redis.Redis) -> None:
        self.client, self.registrar, self.desk = client, context.registrar, context.rollouts
        self.registry, self.book = Registry(client), RolloutBook(client)
        self.mover = Mover(context.registrar, self.book, PACE.batch, lambda: False)
        self.steps = Steps(client, self.mover, PACE)
        self.record: RolloutRecord

    def add(self, *stream_ids: str, days: float = 10, model: str = "calm") -> None:
        """Registers streams so many days ago."""
        for stream_id in stream_ids:
            wanted = StreamCreate(id=stream_id, name="A", source="rtsp://a.invalid/1", groups=("north",), model=model)
            self.registrar.add(wanted)
            seen = self.registry.get(stream_id).spec
            created_at_ms = seen.created_at_ms - round(days * DAY_MS)
            assert self.registry.replace(seen, seen.model_copy(update={"created_at_ms": created_at_ms}))

    def start(self, limits: RolloutLimits = LIMITS) -> int:
        """Begins, and switches at once; the time of the switch."""
        self.record = self.desk.start("north", limits)
        measured_ms = self.record.started_at_ms + round(PACE.measure_seconds * 1000)
        assert self.at(measured_ms).state == "switching"
        assert self.settle(measured_ms).state == "trying"
        return measured_ms

    def at(self, now_ms: int) -> RolloutRecord:
        """What it is at that time, one step later."""
        self.record = self.steps.take(self.record, self.book.changes(), now_ms)
        return self.record

    def settle(self, now_ms: int) -> RolloutRecord:
        """What it is once its streams have the models that they are to have."""
        while self.record.state in {"switching", "returning"}:
            self.at(now_ms)
        return self.record

    def see(
        self, stream_id: str, at_ms: int, model: str | None = None, reason: str | None = None, waiting: int = 1
    ) -> None:
        """As if a camera's frame of that time had been looked at, by this model, and the next ones were waiting."""
        spec, keys = self.registry.get(stream_id).spec, keys_of(stream_id)
        status = StreamStatus(state=StreamState.LIVE, generation=spec.generation)
        inference = InferenceStatus(model=model and f"{model}@12345678", reason=reason)
        self.client.hset(keys.status, stream_id, status.model_dump_json())
        self.client.hset(keys.progress, stream_id, str(Progress(spec.generation, f"{at_ms}-0", 1, 1)))
        self.client.hset(keys.published, stream_id, 1 + waiting)
        self.client.hset(keys.inference, stream_id, inference.model_dump_json())

    def raise_event(self, stream_id: str, at_ms: int, verdict: Judgement | None = None, *, kept: bool = False) -> None:
        """An event, and what people said of it."""
        event = an_event(stream_id, at_ms)
        write_event(self.client, event)
        desk = EventDesk(self.client)
        if verdict:
            desk.mark(event.id, lambda marks: marks.with_feedback(Feedback(at_ms=at_ms, verdict=verdict)))
        if kept:
            desk.mark(event.id, lambda marks: marks.with_kept(Mark(at_ms=at_ms)))


@pytest.fixture
def trial(redis_url: str, redis_client: redis.Redis, tmp_path: Path) -> Iterator[Trial]:
    for name in ("calm", "good", "other"):
        save_random_model(tmp_path, name)
    context = build_context(ApiSettings(redis_url=SecretStr(redis_url), models_dir=tmp_path), PACE)
    yield Trial(context, redis_client)
    context.client.close()


def test_night_is_compared_with_night_and_what_is_not_the_models_is_left_out(trial: Trial) -> None:
    trial.add("one")
    switched_ms = trial.start()
    since_ms = switched_ms + MINUTE_MS
    now_ms = since_ms + HOUR_MS
    trial.raise_event("one", since_ms - 1, "wrong")  # with an empty memory, just switched
    trial.raise_event("one", since_ms, "wrong")
    trial.raise_event("one", since_ms + 1, "wrong", kept=True)
    trial.raise_event("one", since_ms + 2, "right", kept=True)
    trial.raise_event("one", since_ms + 3)
    offline = {**an_event("one", since_ms + 4).model_dump(), "id": f"one.{OFFLINE}.{since_ms + 4}", "label": OFFLINE}
    write_event(trial.client, Event(**offline))
    trial.raise_event("one", now_ms - DAY_MS, "wrong")  # an hour later in the day than now
    trial.raise_event("one", now_ms - DAY_MS - 1, "wrong")
    trial.raise_event("one", since_ms - DAY_MS)
    trial.raise_event("one", since_ms - DAY_MS - 1)
    record = trial.at(now_ms)
    assert (record.after.events, record.after.wrong) == (4, 2)
    assert (record.before.events, record.before.wrong) == (2, 1)
    assert record.after.stream_hours == record.before.stream_hours == 1
    assert record.state == "trying"


def test_more_that_is_judged_wrong_than_before_returns_the_streams(trial: Trial) -> None:
    trial.add("one", "two")
    since_ms = trial.start() + MINUTE_MS
    for number in range(9):
        trial.raise_event("one", since_ms + number, "wrong")
        trial.raise_event("two", since_ms + number - DAY_MS, "right")
    assert trial.at(since_ms + 9).state == "trying"  # 0.6 ** 9 = 0.0101
    trial.raise_event("two", since_ms + 10, "wrong")
    assert trial.at(since_ms + MINUTE_MS - 1).state == "trying"  # not counted yet
    record = trial.at(since_ms + MINUTE_MS + 9)
    assert record.state == "returning"
    assert "events judged wrong: 10 in" in str(record.reason)
    trial.settle(since_ms + MINUTE_MS + 10)
    assert (trial.record.state, trial.record.num_on_model) == ("returned", 0)
    assert {each.spec.model for each in trial.registry.records(["one", "two"])} == {"calm"}


def test_the_days_before_are_counted_while_they_are_short_of_a_day(trial: Trial) -> None:
    trial.add("one", days=3)
    since_ms = trial.start() + MINUTE_MS
    trial.raise_event("one", since_ms - DAY_MS + HOUR_MS)
    record = trial.at(since_ms + 12 * HOUR_MS)
    assert (record.before.events, record.before_is_whole) == (1, False)
    for number in range(2):
        trial.raise_event("one", since_ms - 2 * DAY_MS + HOUR_MS + number)
    record = trial.at(since_ms + DAY_MS + MINUTE_MS)  # the day before is now the one before that, and it was whole
    assert (record.before.events, record.before_is_whole) == (2, True)
    before = record.before
    trial.client.delete(keys_of("one").events("one"), keys_of("one").event_data("one"))
    trial.raise_event("one", since_ms + HOUR_MS)
    record = trial.at(since_ms + 20 * DAY_MS)
    assert (record.before, record.after.events) == (before, 0)
    assert record.after.stream_hours == 24


def test_frames_that_get_old_return_the_streams(trial: Trial) -> None:
    trial.add("one", "played")
    trial.record = trial.desk.start("north", LIMITS)
    started_ms = trial.record.started_at_ms
    for number in range(31):
        now_ms = started_ms + number * 2000
        trial.see("one", now_ms - 150, "calm")
        trial.see("played", now_ms - DAY_MS, "calm")  # its times are not those of the clock
        trial.at(now_ms)
    assert (trial.record.state, sum(trial.record.before.ages)) == ("switching", 31)
    switched_ms = started_ms + MINUTE_MS
    assert trial.settle(switched_ms).state == "trying"
    trial.see("one", switched_ms - 9000, "calm")  # which is not the new model's fault
    trial.see("played", switched_ms - 2 * DAY_MS, "good")
    assert sum(trial.at(switched_ms + 61_000).after.ages) == 0
    for number in range(40):  # a camera that gives nothing leaves nothing waiting
        trial.see("one", switched_ms, "good", waiting=0)
        trial.at(switched_ms + 62_000 + number)
    assert (trial.record.state, sum(trial.record.after.ages[:2])) == ("trying", 40)
    for number in range(3):
        assert trial.record.state == "trying"
        now_ms = switched_ms + 63_000 + number * 1000
        trial.see("one", now_ms - 4000, "good")
        trial.at(now_ms)
    assert trial.record.state == "returning"
    assert "latency: 95 % of frames were looked at within" in str(trial.record.reason)


def test_what_inference_said_before_is_not_held_against_a_model(trial: Trial) -> None:
    trial.add("one")
    trial.see("one", 1, "calm", "no room")
    switched_ms = trial.start()
    assert trial.at(switched_ms + 1).state == "trying"
    trial.see("one", 1, "calm", "cannot be loaded")
    assert trial.at(switched_ms + 2).reason == "stream 'one': cannot be loaded"
    assert trial.settle(switched_ms + 3).state == "returned"


def test_a_model_that_nobody_was_looked_at_by_is_not_kept(trial: Trial) -> None:
    trial.add("one")
    switched_ms = trial.start(LIMITS.model_copy(update={"hours": 1}))
    assert trial.at(switched_ms + HOUR_MS - 1).state == "trying"
    trial.at(switched_ms + HOUR_MS)
    assert (trial.record.state, "no stream was looked at" in str(trial.record.reason)) == ("returning", True)
    assert trial.settle(switched_ms + HOUR_MS).state == "returned"


def test_streams_whose_former_model_is_gone_are_named_and_the_others_return(trial: Trial, tmp_path: Path) -> None:
    lost = [f"lost-{number:02}" for number in range(MAX_TOLD + 2)]
    trial.add(*lost)
    trial.add("fine", model="other")
    switched_ms = trial.start()
    shutil.rmtree(tmp_path / "calm")
    trial.record = trial.record.entering("returning", switched_ms, "for a reason")
    trial.settle(switched_ms)
    assert (trial.record.state, trial.record.num_failed, len(trial.record.failed)) == ("returned", len(lost), MAX_TOLD)
    assert "no such model" in trial.record.failed["lost-00"]
    assert trial.registry.get("fine").spec.model == "other"
    assert trial.registry.get("lost-00").spec.model == "good"


def test_who_changes_a_stream_right_before_it_is_switched_is_heeded(trial: Trial) -> None:
    trial.add("one", "two", "anew", "gone")
    record = trial.desk.start("north", LIMITS)
    found = {each.spec.id: each for each in trial.registry.records(record.streams)}
    seen = found["one"].spec
    assert trial.registry.replace(seen, seen.model_copy(update={"model": "other"}))
    for name in ("anew", "gone"):
        trial.registry.remove(name)
    trial.add("anew")
    assert trial.mover.move(record, found, trial.book.changes(), back=False).failed == {}
    models = {each.spec.id: each.spec.model for each in trial.registry.records(found)}
    assert models == {"one": "other", "two": "good", "anew": "calm"}


def test_who_was_held_up_does_not_go_on_with_what_was_ended(trial: Trial) -> None:
    trial.add("one", "two")
    begun = trial.desk.start("north", LIMITS)
    switching = begun.entering("switching", begun.started_at_ms)
    stored = trial.book.get("north")
    assert stored
    assert trial.book.put("north", stored.text, switching)
    changes = trial.book.changes()
    assert trial.desk.end("north", keep=False)[1].state == "returning"
    held_up = trial.steps.take(switching, changes, begun.started_at_ms)
    assert held_up.state == "switching"
    assert {each.spec.model for each in trial.registry.records(["one", "two"])} == {"calm"}


def test_a_rollout_that_all_have_left_is_over(trial: Trial) -> None:
    trial.add("one", "two")
    switched_ms = trial.start()
    trial.registry.remove("one")
    trial.add("one")  # another one of that name
    seen = trial.registry.get("two").spec
    assert trial.registry.replace(seen, seen.model_copy(update={"model": "other"}))
    record = trial.at(switched_ms + 1)
    assert (record.state, record.num_left, record.streams) == ("returned", 2, {})


def test_of_each_stream_the_newest_events_are_counted(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    trial.add("one", "two")
    for number in range(12):
        trial.raise_event("one", 1000 + number, "wrong" if number < 6 else None)
    trial.raise_event("two", 1000, "wrong")
    stretches = {"one": (1000, 1012), "two": (1000, 1001), "gone": (0, 1000)}
    assert count_events(trial.client, stretches) == EventCount(13, 7)
    assert count_events(trial.client, {"one": (1000, 1011)}) == EventCount(11, 6)
    monkeypatch.setattr(counting, "LEAST", 8)
    monkeypatch.setattr(counting, "MAX_COUNTED", 8)
    assert count_events(trial.client, stretches) == EventCount(9, 3)
    assert count_events(trial.client, {}) == EventCount(0, 0)
