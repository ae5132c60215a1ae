"""What becomes of a rollout at a look: it is measured, switched, tried, and kept or returned.

Every step may be done over again by whoever comes next: what it changes is told by the streams themselves.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

import redis

from services.api.kept.rollouts.counting import count_events
from services.api.kept.rollouts.judging import DAY_MS, problem_in, windows_of
from services.api.kept.rollouts.moving import Moved, Mover, is_of
from services.api.kept.rollouts.record import (
    AGE_BOUNDS,
    MAX_TOLD,
    RolloutFigures,
    RolloutRecord,
    RolloutState,
    RolloutStream,
)
from shared.entries import EntryId
from shared.records import StreamRecord
from shared.store.registry import Registry
from shared.streams import StreamState
from shared.words.redaction import redact

UNDATED_SECONDS: Final = 60.0
"""Older than this before the switch: the frames' times are not those of the clock, as of a recording played anew."""
NEVER_SEEN: Final = "no stream was looked at by it: there was nothing to judge"
ALL_LEFT: Final = "no stream is on it any more: all were given another model or removed"


@dataclass(frozen=True, slots=True)
class RolloutPace:
    """How often is looked, and how long what takes."""

    look_seconds: float = 5.0
    measure_look_seconds: float = 1.0
    """while frames' ages with the former models are measured, which is short"""
    hurry_seconds: float = 0.2
    """while streams are switched"""
    batch: int = 50
    """of streams that are switched between two looks"""
    measure_seconds: float = 60.0
    """how old frames are with the former models"""
    settle_seconds: float = 60.0
    """after the switch, in which the model is loaded and its memory fills: that counts for nothing"""
    count_seconds: float = 60.0
    """between two counts of the events"""
    hour_seconds: float = 3600.0
    """of a trial's `hours`"""

    def until_next(self, state: RolloutState) -> float:
        """Seconds until one in this state is looked at again."""
        if state == "measuring":
            return self.measure_look_seconds
        return self.hurry_seconds if state in {"switching", "returning"} else self.look_seconds


class Steps:
    """Takes a rollout one step on. Raises StoreUnavailable."""

    def __init__(self, client: redis.Redis, mover: Mover, pace: RolloutPace) -> None:
        self._client = client
        self._registry = Registry(client)  # nobody asks for their sources
        self._mover = mover
        self._pace = pace

    def take(self, record: RolloutRecord, changes: str, now_ms: int) -> RolloutRecord:
        """What becomes of it now; `changes` is the book's counter when it was read."""
        found = {each.spec.id: each for each in self._registry.records(record.streams)}
        record = _counted(record, found)
        match record.state:
            case "measuring":
                return self._measured(record, found, now_ms)
            case "switching":
                return _switched(record, self._mover.move(record, found, changes, back=False), now_ms)
            case "trying":
                return self._tried(record, found, now_ms)
            case "returning":
                return _returned(record, self._mover.move(record, found, changes, back=True), now_ms)
            case _:
                return record

    def _measured(self, record: RolloutRecord, found: Mapping[str, StreamRecord], now_ms: int) -> RolloutRecord:
        streams, ages = dict(record.streams), list[float]()
        for stream_id, stream in record.streams.items():
            if is_of(stream, found.get(stream_id), stream.former):
                seen, age = found[stream_id], _age(found[stream_id], now_ms)
                undated = stream.undated or (age is not None and age > UNDATED_SECONDS)
                streams[stream_id] = stream.model_copy(update={"said": seen.inference.reason, "undated": undated})
                ages += [] if age is None or undated else [_of_model(age, seen)]
        record = record.model_copy(update={"streams": streams, "before": _with_ages(record.before, ages)})
        is_due = now_ms - record.since_ms >= self._pace.measure_seconds * 1000
        return record.entering("switching", now_ms) if is_due else record

    def _tried(self, record: RolloutRecord, found: Mapping[str, StreamRecord], now_ms: int) -> RolloutRecord:
        on_it = {name: each for name, each in record.streams.items() if is_of(each, found.get(name), record.model)}
        if not on_it:
            return record.entering("returned", now_ms, ALL_LEFT)
        if (refusal := _refusal(on_it, found)) is not None:
            return record.entering("returning", now_ms, refusal)
        switched_at_ms = record.switched_at_ms or record.since_ms
        since_ms = switched_at_ms + round(self._pace.settle_seconds * 1000)
        is_over = now_ms >= switched_at_ms + record.hours * self._pace.hour_seconds * 1000
        if now_ms > since_ms:
            dated = [found[name] for name, each in on_it.items() if not each.undated]
            on_air = [(age, each) for each in dated if (age := _age(each, now_ms)) is not None]
            ages = [_of_model(age, each) for age, each in on_air if _runs_on(each, record.model)]
            record = record.model_copy(update={"after": _with_ages(record.after, ages)})
            if is_over or now_ms >= record.counted_at_ms + self._pace.count_seconds * 1000:
                record = self._with_counts(record, on_it, since_ms, now_ms)
        if (problem := problem_in(record, record.before, record.after)) is not None:
            return record.entering("returning", now_ms, problem)
        if not is_over:
            return record
        was_seen = any(_runs_on(found[name], record.model) for name in on_it)
        return record.entering("kept", now_ms) if was_seen else record.entering("returning", now_ms, NEVER_SEEN)

    def _with_counts(
        self, record: RolloutRecord, on_it: Mapping[str, RolloutStream], since_ms: int, now_ms: int
    ) -> RolloutRecord:
        found = {
            name: windows_of(each.created_at_ms, record.started_at_ms, since_ms, now_ms) for name, each in on_it.items()
        }
        windows = {name: each for name, each in found.items() if each}
        hours = sum(each.hours for each in windows.values())
        after = count_events(self._client, {name: each.after for name, each in windows.items()})
        counted = {**after._asdict(), "stream_hours": hours}
        changes = {"after": record.after.model_copy(update=counted), "counted_at_ms": now_ms}
        if not record.before_is_whole:
            before = count_events(self._client, {name: each.before for name, each in windows.items()})
            counted = {**before._asdict(), "stream_hours": hours}
            changes |= {"before": record.before.model_copy(update=counted)}
        return record.model_copy(update=changes | {"before_is_whole": now_ms - since_ms >= DAY_MS})


def _counted(record: RolloutRecord, found: Mapping[str, StreamRecord]) -> RolloutRecord:
    on_it = sum(is_of(each, found.get(name), record.model) for name, each in record.streams.items())
    waiting = sum(is_of(each, found.get(name), each.former) for name, each in record.streams.items())
    return record.model_copy(update={"num_on_model": on_it, "num_left": len(record.streams) - on_it - waiting})


def _switched(record: RolloutRecord, moved: Moved, now_ms: int) -> RolloutRecord:
    for stream_id, reason in moved.failed.items():
        return record.entering("returning", now_ms, f"stream {stream_id!r}: {reason}")
    if not moved.is_done:
        return record
    return record.model_copy(update={"switched_at_ms": now_ms}).entering("trying", now_ms)


def _returned(record: RolloutRecord, moved: Moved, now_ms: int) -> RolloutRecord:
    failed = {name: record.streams[name].model_copy(update={"failed": True}) for name in moved.failed}
    told = dict(islice((record.failed | moved.failed).items(), MAX_TOLD))
    changes = {"num_failed": record.num_failed + len(failed), "failed": told, "streams": record.streams | failed}
    record = record.model_copy(update=changes)
    return record.entering("returned", now_ms) if moved.is_done else record


def _refusal(on_it: Mapping[str, RolloutStream], found: Mapping[str, StreamRecord]) -> str | None:
    """What inference says of the first stream that it cannot put on the model."""
    for stream_id, stream in on_it.items():
        reason = found[stream_id].inference.reason
        if reason and reason != stream.said:
            return f"stream {stream_id!r}: {redact(reason)}"
    return None


def _runs_on(found: StreamRecord, model: str) -> bool:
    return (found.inference.model or "").startswith(f"{model}@")


def _age(found: StreamRecord, now_ms: int) -> float | None:
    """How old the newest frame is that was looked at, in seconds; None for what is no live camera now."""
    spec, status = found.spec, found.status
    is_live = spec.pace == "live" and not spec.paused and status.state == StreamState.LIVE
    looked_at_ms = EntryId.parse(found.progress.cursor).ms
    if not is_live or status.generation != spec.generation or not looked_at_ms:
        return None
    return max(0, now_ms - looked_at_ms) / 1000


def _of_model(age: float, found: StreamRecord) -> float:
    """As much of that age as the model may be to blame for: where no frame waits for it, the next one is not there yet,
    and where that is late, it is the camera's doing.
    """
    return age if found.lag_frames else min(age, 1 / found.spec.fps)


def _with_ages(figures: RolloutFigures, ages: Iterable[float]) -> RolloutFigures:
    counts = list(figures.ages)
    for age in ages:
        counts[bisect_left(AGE_BOUNDS, age)] += 1
    return figures.model_copy(update={"ages": tuple(counts)})
