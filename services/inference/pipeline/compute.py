"""The second stage: pictures to scores, and every stream's memory one batch further."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.inference.metrics import InferenceMetrics
from services.inference.models.runner import Computed, Runner
from services.inference.models.steps import Elapsed, elapsed
from services.inference.models.trial import ToScore, attempt, words_of
from services.inference.pipeline.batch_trace import BatchTrace, stage_of
from services.inference.pipeline.messages import (
    Batch,
    Change,
    Closing,
    Item,
    Opening,
    Refused,
    Remembered,
    Results,
    Scored,
    Silence,
    Stream,
    StreamResult,
    ToCompute,
    ToRecord,
)
from shared.entries import NUM_TOLD, SCORE_DECIMALS, told
from shared.errors import FrameUnreadable
from shared.events import CloseReason
from shared.store.frame_queue import MAX_QUEUE_BYTES
from shared.streams import StreamSpec
from shared.tracing.spans import Tracer, under_way

Picture = NDArray[np.uint8]

log = logging.getLogger(__name__)


MAX_KEPT_BYTES: Final = MAX_QUEUE_BYTES // 8
"""Frames since a checkpoint stay in the queue, which must have room for others: after so much there is another."""


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """How often a memory is stored: after so many frames, or so many seconds of the stream's time or of silence."""

    frames: int = 16
    seconds: float = 2.0


class Recollection:
    """What a stream's memory holds: its place in the state slab, taken with the first frame, and its last frame."""

    def __init__(self, opening: Opening) -> None:
        memory = opening.memory
        self._reset_after_seconds = opening.stream.spec.reset_after_seconds
        self._replayed_by_seconds = memory.reset_after_seconds or self._reset_after_seconds
        self._runner = opening.stream.runner
        self._vector = memory.vector
        self._row: int | None = None
        self._at_ms = memory.at_ms
        self._cursor = opening.progress.cursor
        self._is_replaying = opening.position != self._cursor
        self._num_replays = opening.num_replayed
        self._is_due = self._replayed_by_seconds != self._reset_after_seconds
        self._num_unsaved = self._unsaved_bytes = 0
        self._has_moved = False
        self._saved_ms = memory.at_ms
        self.is_unreadable = False
        """whether the last picture did not decode"""
        self.is_refused = False
        """whether the model failed on it: what comes until it is closed is let go"""

    @property
    def row(self) -> int:
        """Of the slab."""
        if self._row is None:
            self._row = self._runner.acquire(self._vector)
            self._vector = None
        return self._row

    def change(self, spec: StreamSpec) -> None:
        """Follows what the user wants; the memory is stored after the next batch, so no replay goes over the change."""
        self._is_due |= spec.reset_after_seconds != self._reset_after_seconds
        self._reset_after_seconds = spec.reset_after_seconds

    def advance(self, item: Item, picture: Picture | None) -> Elapsed | CloseReason | None:
        """Moves on; of an entry that does not reach the model, why it empties the memory, if it does.

        A source's end does, and a picture that does not decode where one that does would find the memory too old.
        """
        frame = item.frame
        self._num_unsaved += 1
        self._unsaved_bytes += len(frame.jpeg or b"")
        self._has_moved = True
        if self._is_replaying:
            self._replay(item, picture)
        longest = self._replayed_by_seconds if item.is_replay else self._reset_after_seconds
        passed = elapsed(self._at_ms, frame.captured_at_ms, longest)
        if picture is not None:
            self._at_ms = frame.captured_at_ms
            return passed
        is_gap = passed.reset == "gap" and not item.is_replay
        emptied = frame.ending or ("gap" if is_gap else None)
        if emptied:
            self._at_ms, self._is_due = None, True
        return emptied

    def _replay(self, item: Item, picture: Picture | None) -> None:
        frame = item.frame
        self._num_replays -= item.is_replay and picture is not None
        self._is_replaying = item.is_replay and frame.entry_id != self._cursor
        if self._num_replays and not self._is_replaying:
            said = "stream %s: %d frames since its last checkpoint are gone or damaged: its memory goes on without them"
            log.warning(said, item.stream.id, self._num_replays, extra={"stream_id": item.stream.id})

    def is_due(self, often: Checkpoints) -> bool:
        """Whether the memory is to be stored after this batch."""
        if not self.is_unsaved:
            return False
        passed_ms = (self._at_ms or 0) - (self._saved_ms or 0)
        is_full = self._num_unsaved >= often.frames or self._unsaved_bytes >= MAX_KEPT_BYTES
        return self._is_due or is_full or passed_ms >= often.seconds * 1000

    def saved(self, state: NDArray[np.float32] | None, *, is_silent: bool = False) -> Remembered:
        """The memory as it is now, to be stored."""
        self._has_moved &= not is_silent
        self._is_due, self._num_unsaved, self._unsaved_bytes, self._saved_ms = False, 0, 0, self._at_ms
        return Remembered(None if self._at_ms is None else state, self._at_ms, self._reset_after_seconds)

    @property
    def has_moved(self) -> bool:
        """Whether it has changed since it was stored upon silence, and is where the stream's cursor is."""
        return self._has_moved and not self._is_replaying

    @property
    def is_unsaved(self) -> bool:
        """Whether it has changed since it was stored, and is where the stream's cursor is."""
        return self._num_unsaved > 0 and not self._is_replaying

    def release(self) -> None:
        """Gives the place back."""
        if self._row is not None:
            self._runner.release(self._row)


class Compute:
    """Runs batches; owns what the memories hold. Used by one thread."""

    def __init__(self, metrics: InferenceMetrics, often: Checkpoints, tracer: Tracer | None = None) -> None:
        self._metrics = metrics
        self._tracer = tracer
        self._often = often
        self._known: dict[Stream, Recollection] = {}

    def take(self, message: ToCompute) -> Iterator[ToRecord]:
        """What becomes of a message."""
        match message:
            case Batch():
                yield from self._run(message)
                return
            case Silence(streams, away):
                stored = [self._stored(stream, "gap" if away else None, is_silent=True) for stream in streams]
                yield Results([result for result in stored if result.memory or result.closed])
                return
            case Opening(stream):
                known = self._known[stream] = Recollection(message)
                yield message
                if message.reset:
                    yield Results([StreamResult(stream, memory=known.saved(None), closed=message.reset)])
                return
            case Change(stream, spec):
                self._known[stream].change(spec)
            case Closing(stream):
                yield Results([self._stored(stream)])
                self._known.pop(stream).release()
        yield message

    def _stored(self, stream: Stream, closed: CloseReason | None = None, *, is_silent: bool = False) -> StreamResult:
        """With its memory where that is not stored yet, or not since the stream fell silent: its frames expire then."""
        known = self._known[stream]
        is_wanted = known.is_unsaved or (is_silent and known.has_moved)
        memory = known.saved(stream.runner.state(known.row), is_silent=is_silent) if is_wanted else None
        return StreamResult(stream, memory=memory, closed=closed)

    def _run(self, batch: Batch) -> Iterator[ToRecord]:
        items = [item for item in batch.items if not self._known[item.stream].is_refused]
        trace = self._traced(batch.runner, items) if self._tracer else None
        with stage_of(trace, "decode"), self._metrics.stage_seconds.labels("decode").time():
            pictures = [self._picture(item) for item in items]
        with self._metrics.stage_seconds.labels("model").time():
            results, refused = self._scored(batch.runner, items, pictures, trace)
        yield Results(results, trace)
        yield from refused

    def _traced(self, runner: Runner, items: Sequence[Item]) -> BatchTrace | None:
        """The spans of a batch, where a frame in it is traced, and new."""
        traced = [item.frame.traceparent for item in items if item.frame.traceparent and not item.is_replay]
        if not (self._tracer and traced):
            return None
        num_streams, model = len({item.stream for item in items}), runner.manifest.reference
        return BatchTrace.of(self._tracer, traced, {"frames": len(items), "streams": num_streams, "model": model})

    def _picture(self, item: Item) -> Picture | None:
        """What the item shows; a picture that does not decode is counted, and the first of several is told."""
        if item.picture is None:
            return None
        known, stream_id = self._known[item.stream], item.stream.id
        try:
            picture = item.picture.result()
        except FrameUnreadable as err:
            if not item.is_replay:
                self._metrics.count_unreadable(stream_id, err.reason)
            if not known.is_unreadable:
                log.warning("stream %s: no picture: %s", stream_id, err, extra={"stream_id": stream_id})
            known.is_unreadable = True
            return None
        known.is_unreadable = False
        return picture

    def _scored(
        self, runner: Runner, items: Sequence[Item], pictures: Sequence[Picture | None], trace: BatchTrace | None
    ) -> tuple[list[StreamResult], list[Refused]]:
        """What is to be recorded, and the streams that the model fails on: of these, nothing is."""
        memories = {item.stream: self._known[item.stream] for item in items}
        pairs = zip(items, pictures, strict=True)
        moved = [(item, memories[item.stream].advance(item, picture)) for item, picture in pairs]
        seen = [(item, passed) for item, passed in moved if isinstance(passed, Elapsed)]
        due = {stream: known for stream, known in memories.items() if known.is_due(self._often)}
        facts = chain.from_iterable(told(item.frame.figures, damaged=item.frame.damaged) for item, _ in seen)
        frames = ToScore(
            [picture for picture in pictures if picture is not None],
            [memories[item.stream].row for item, _ in seen],
            [passed for _, passed in seen],
            np.fromiter(facts, np.float32, len(seen) * NUM_TOLD).reshape(-1, NUM_TOLD),
            is_timed=trace is not None,
        )
        with under_way(trace.traceparent if trace else None):
            outcome = attempt(runner, frames, [known.row for known in due.values()])
        if trace:
            trace.computed(outcome.computed.laps)
        refused = list(self._refused(memories, outcome.faults)) if outcome.faults else []
        pairs_due = zip(due.items(), outcome.computed.states, strict=True)
        checkpoints = {stream: known.saved(state) for (stream, known), state in pairs_due}
        entries: dict[Stream, list[Scored]] = {stream: [] for stream, known in memories.items() if not known.is_refused}
        for item, scored in zip(items, _entries(moved, outcome.computed), strict=True):
            if not item.is_replay and item.stream in entries:
                entries[item.stream].append(scored)
        return [
            StreamResult(stream, told, checkpoints.get(stream))
            for stream, told in entries.items()
            if told or stream in checkpoints
        ], refused

    def _refused(self, memories: dict[Stream, Recollection], faults: dict[int, Exception]) -> Iterator[Refused]:
        for stream, known in memories.items():
            if fault := faults.get(known.row):
                known.is_refused = True
                yield Refused(stream, f"{stream.runner.manifest.reference} fails on its frames: {words_of(fault)}")


def rounded(scores: NDArray[np.float32]) -> list[list[float]]:
    """As they are stored: a float32 times 100,000 is exact in a float64, so each is what `round` gives."""
    decimals: list[list[float]] = np.round(scores.astype(np.float64), SCORE_DECIMALS).tolist()
    return decimals


def _entries(moved: Sequence[tuple[Item, Elapsed | CloseReason | None]], computed: Computed) -> Iterator[Scored]:
    rows = iter(rounded(computed.scores))
    for item, passed in moved:
        if isinstance(passed, Elapsed):
            yield Scored(item.frame, next(rows), "gap" if passed.reset == "gap" else None)
        else:
            yield Scored(item.frame, None, passed)
