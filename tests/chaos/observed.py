"""What the outside world sees of a stream once it has ended, and in what two such views differ."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import redis
from default_layout import keys_of

from shared.entries import parse_scores
from shared.events import Event
from shared.store.client import translated
from shared.store.registry import Registry

TOLERANCE = 1e-3
NOT_COMPARED = {"epoch"}
"""A source that a second process opened again is in a later epoch; that is to be told, and no difference."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One stream's scores by frame id, its events by id, and what the feed said of it, in order: (kind, event id)."""

    frames_processed: int
    frames_dropped: int
    scores: Mapping[str, Mapping[str, float]]
    events: Mapping[str, Event]
    feed: tuple[tuple[str, str], ...]


def observe(client: redis.Redis, stream_id: str) -> Observed:
    """Everything that is kept of a stream. Raises StoreUnavailable, StreamUnknown."""
    keys, record = keys_of(stream_id), Registry(client).get(stream_id)
    with translated():
        entries: Any = client.xrange(keys.scores(stream_id))
        stored: Any = client.hvals(keys.event_data(stream_id))
        listed: Any = client.zrange(keys.events(stream_id), 0, -1)
        told: Any = client.xrange(keys.feed)
    events = {event.id: event for event in map(Event.model_validate_json, stored)}
    feed = [(fields[b"kind"].decode(), Event.model_validate_json(fields[b"event"])) for _, fields in told]
    assert sorted(events) == sorted(name.decode() for name in listed), f"{stream_id}: the events' list and data differ"
    return Observed(
        frames_processed=record.progress.frames_processed,
        frames_dropped=record.frames_dropped,
        scores={name.decode(): parse_scores(fields) for name, fields in entries},
        events=events,
        feed=tuple((kind, event.id) for kind, event in feed if event.stream_id == stream_id),
    )


def differences(reference: Mapping[str, Observed], found: Mapping[str, Observed]) -> list[str]:
    """One line for each frame, event, feed entry or count in which the streams differ; none where all is as it was."""
    lines = [f"{stream_id}: only in one of the runs" for stream_id in sorted(reference.keys() ^ found.keys())]
    for stream_id in sorted(reference.keys() & found.keys()):
        lines += [f"{stream_id}: {line}" for line in _of_stream(reference[stream_id], found[stream_id])]
    return lines


def _of_stream(reference: Observed, found: Observed) -> Iterator[str]:
    for view, name in ((reference, "reference"), (found, "disturbed run")):
        if view.frames_processed != len(view.scores):
            yield f"{name} counts {view.frames_processed} frames and has scores of {len(view.scores)}"
        if view.frames_dropped:
            yield f"{name} dropped {view.frames_dropped} frames"
    for frame_id in sorted(reference.scores.keys() | found.scores.keys()):
        yield from _of_frame(frame_id, reference.scores.get(frame_id), found.scores.get(frame_id))
    for event_id in sorted(reference.events.keys() | found.events.keys()):
        yield from _of_event(event_id, reference.events.get(event_id), found.events.get(event_id))
    if reference.feed != found.feed:
        yield f"feed {found.feed}, was {reference.feed}"


def _of_frame(frame_id: str, was: Mapping[str, float] | None, now: Mapping[str, float] | None) -> Iterator[str]:
    if was is None or now is None:
        yield f"frame {frame_id} {'is too much' if was is None else 'is missing'}"
    elif was.keys() != now.keys() or any(abs(was[label] - now[label]) > TOLERANCE for label in was):
        yield f"frame {frame_id} scores {dict(now)}, was {dict(was)}"


def _of_event(event_id: str, was: Event | None, now: Event | None) -> Iterator[str]:
    if was is None or now is None:
        yield f"event {event_id} {'is too much' if was is None else 'is missing'}"
        return
    before, after = was.model_dump(exclude=NOT_COMPARED), now.model_dump(exclude=NOT_COMPARED)
    for name in ("peak_score", "mean_score"):
        if abs(before.pop(name) - after.pop(name)) > TOLERANCE:
            yield f"event {event_id} has another {name}"
    if before != after:
        yield f"event {event_id} is {after}, was {before}"
