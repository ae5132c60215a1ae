"""Which events other thresholds would have given: found by the tracker itself, over the scores that are kept."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import anyio.to_thread
import redis

from services.api.schemas.previews import (
    MAX_FRAMES,
    MAX_SHOWN,
    LabelPreview,
    PreviewEvent,
    PreviewSide,
    ThresholdsPreview,
)
from shared.entries import EntryId, parse_scores
from shared.life.tracker import Track, Tracker, TrackerState
from shared.manifest import Thresholds
from shared.store.client import translated
from shared.store.layout.known import layout_of
from shared.streams import StreamSpec

PIECE_FRAMES: Final = 250
THREADS: Final = 1
"""Of all who try thresholds, so that nobody else waits for them: each piece takes some milliseconds of computing."""

ThresholdsByLabel = Mapping[str, Thresholds]


@dataclass(slots=True)
class _Found:
    """A label's events as they are found: how many, and the newest."""

    number: int = 0
    newest: deque[PreviewEvent] = field(default_factory=lambda: deque(maxlen=MAX_SHOWN))

    def add(self, track: Track, ended_at_ms: int | None) -> None:
        self.number += 1
        self.newest.append(
            PreviewEvent(
                started_at_ms=track.started_at_ms, ended_at_ms=ended_at_ms, peak_score=round(track.peak_score, 4)
            )
        )


class _Side:
    """What one choice of thresholds gives, frame by frame."""

    def __init__(self, thresholds: ThresholdsByLabel, frame_ms: float) -> None:
        self._thresholds = thresholds
        self._tracker = Tracker(list(thresholds), thresholds, TrackerState(), frame_ms)
        self._found = {label: _Found() for label in thresholds}

    def take(self, at_ms: int, scores: Sequence[float], *, after_gap: bool) -> None:
        closed = self._tracker.close_all("gap") if after_gap else []
        for each in (*closed, *self._tracker.update(at_ms, 0.0, 0, scores)):
            if each.kind == "closed":
                self._found[each.label].add(each.track, each.track.last_above_ms)

    def end(self) -> None:
        """What is open still counts."""
        for label, track in self._tracker.state.tracks.items():
            if track.is_event:
                self._found[label].add(track, None)

    def of(self, label: str) -> PreviewSide:
        found = self._found[label]
        return PreviewSide(thresholds=self._thresholds[label], num_events=found.number, events=list(found.newest))


class _Rehearsal:
    """Both choices, over the frames of a time."""

    def __init__(self, spec: StreamSpec, present: ThresholdsByLabel, wanted: ThresholdsByLabel) -> None:
        frame_ms = 1000 / spec.fps
        self._labels = tuple(present)
        self._present, self._wanted = (_Side(each, frame_ms) for each in (present, wanted))
        self._reset_after_ms = spec.reset_after_seconds * 1000
        self.first_ms: int | None = None
        self.last_ms: int | None = None
        self.num_frames = 0

    def take(self, at_ms: int, scores: Mapping[str, float]) -> None:
        """One frame more; of a model that had not all of these labels, none."""
        if not all(label in scores for label in self._labels):
            return
        after_gap = self.last_ms is not None and at_ms - self.last_ms > self._reset_after_ms
        values = [scores[label] for label in self._labels]
        for side in (self._present, self._wanted):
            side.take(at_ms, values, after_gap=after_gap)
        self.first_ms = at_ms if self.first_ms is None else self.first_ms
        self.last_ms = at_ms
        self.num_frames += 1

    def result(self) -> ThresholdsPreview:
        """What came of all frames."""
        self._present.end()
        self._wanted.end()
        return ThresholdsPreview(
            from_ms=self.first_ms,
            until_ms=self.last_ms,
            num_frames=self.num_frames,
            labels={
                label: LabelPreview(present=self._present.of(label), wanted=self._wanted.of(label))
                for label in self._labels
            },
        )


class Previewer:
    """Tries thresholds of all streams. Its method raises StoreUnavailable."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._limiter = anyio.CapacityLimiter(THREADS)

    async def preview(
        self, spec: StreamSpec, present: ThresholdsByLabel, wanted: ThresholdsByLabel, since_ms: int
    ) -> ThresholdsPreview:
        """What both give, of the same labels, over the newest frames since then."""
        rehearsal = _Rehearsal(spec, present, wanted)
        start: str | None = await self._run(self._first, spec, since_ms) if present else None
        looked_at = 0
        while start is not None and looked_at < MAX_FRAMES:
            count = min(PIECE_FRAMES, MAX_FRAMES - looked_at)
            start = await self._run(self._piece, spec.id, rehearsal, start, count)
            looked_at += count
        return rehearsal.result()

    async def _run(self, function: Any, *given: Any) -> Any:  # noqa: ANN401  (a function of this class)
        return await anyio.to_thread.run_sync(function, *given, limiter=self._limiter)

    def _first(self, spec: StreamSpec, since_ms: int) -> str | None:
        """The place before as many of the newest frames as are looked at, by the rate of the stream."""
        with translated():
            newest: Any = self._client.xrevrange(layout_of(self._client).keys_of(spec.id).scores(spec.id), count=1)
        if not newest:
            return None
        span_ms = int((MAX_FRAMES - 1) * 1000 / spec.fps)
        return f"{max(since_ms, EntryId.parse(newest[0][0]).ms - span_ms, 0)}-0"

    def _piece(self, stream_id: str, rehearsal: _Rehearsal, start: str, count: int) -> str | None:
        """Has a piece looked at; the place where the next begins, None where there is none."""
        with translated():
            key = layout_of(self._client).keys_of(stream_id).scores(stream_id)
            entries: Any = self._client.xrange(key, start, count=count)
        for name, fields in entries:
            rehearsal.take(EntryId.parse(name).ms, parse_scores(fields))
        return f"({entries[-1][0].decode()}" if len(entries) == count else None
