"""The second stage: pictures to scores, and every stream's memory one batch further."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from services.inference.metrics import InferenceMetrics
from services.inference.models.runner import Computed, Runner
from services.inference.models.steps import Elapsed, arrange, elapsed
from services.inference.pipeline.messages import (
    Batch,
    Change,
    Closing,
    Item,
    Opening,
    Remembered,
    Results,
    Scored,
    Stream,
    StreamResult,
    ToCompute,
    ToRecord,
)
from shared.errors import FrameUnreadable

SCORE_DECIMALS = 5

Picture = NDArray[np.uint8]


class Recollection:
    """A stream's place in the state slab, taken with its first frame, and the time of the last frame in its memory."""

    def __init__(self, memory: Remembered, runner: Runner, reset_after_seconds: float) -> None:
        self.reset_after_seconds = reset_after_seconds
        self.at_ms, self.epoch = memory.at_ms, memory.epoch
        self._vector = memory.vector
        self._runner = runner
        self._row: int | None = None

    @property
    def row(self) -> int:
        """Of the slab."""
        if self._row is None:
            self._row = self._runner.acquire(self._vector)
            self._vector = None
        return self._row

    def advance(self, item: Item, picture: Picture | None) -> Elapsed | None:
        """Moves the clock on; None for an entry that does not reach the model. A source's end empties the memory."""
        frame = item.frame
        if frame.jpeg is None:
            self.at_ms = None
        if picture is None:
            return None
        time = elapsed(self.at_ms, frame.captured_at_ms, self.reset_after_seconds)
        self.at_ms, self.epoch = frame.captured_at_ms, frame.epoch
        return time

    def release(self) -> None:
        """Gives the place back."""
        if self._row is not None:
            self._runner.release(self._row)


class Compute:
    """Runs batches; owns what the memories hold. Used by one thread."""

    def __init__(self, metrics: InferenceMetrics) -> None:
        self._metrics = metrics
        self._known: dict[Stream, Recollection] = {}

    def take(self, message: ToCompute) -> ToRecord:
        """What becomes of a message."""
        match message:
            case Batch():
                return Results(self._run(message))
            case Opening(stream):
                reset_after_seconds = stream.spec.reset_after_seconds
                self._known[stream] = Recollection(message.memory, stream.runner, reset_after_seconds)
            case Change(stream, spec):
                self._known[stream].reset_after_seconds = spec.reset_after_seconds
            case Closing(stream):
                self._known.pop(stream).release()
        return message

    def _run(self, batch: Batch) -> list[StreamResult]:
        with self._metrics.stage_seconds.labels("decode").time():
            pictures = [_picture(item) for item in batch.items]
        with self._metrics.stage_seconds.labels("model").time():
            return self._scored(batch, pictures)

    def _scored(self, batch: Batch, pictures: Sequence[Picture | None]) -> list[StreamResult]:
        memories = {item.stream: self._known[item.stream] for item in batch.items}
        pairs = zip(batch.items, pictures, strict=True)
        times = [memories[item.stream].advance(item, picture) for item, picture in pairs]
        blocks = arrange(
            [memories[item.stream].row for item, time in zip(batch.items, times, strict=True) if time],
            [time for time in times if time],
        )
        images = np.stack([picture for picture in pictures if picture is not None] or [_blank(batch)])
        computed = batch.runner.run(images, blocks, [memory.row for memory in memories.values()])
        entries: dict[Stream, list[Scored]] = {stream: [] for stream in memories}
        for item, scored in zip(batch.items, _entries(batch, times, computed), strict=True):
            entries[item.stream].append(scored)
        return [
            StreamResult(stream, entries[stream], _memory(memory, state))
            for (stream, memory), state in zip(memories.items(), computed.states, strict=True)
        ]


def _memory(known: Recollection, state: NDArray[np.float32]) -> Remembered:
    return Remembered(None if known.at_ms is None else state, known.at_ms, known.epoch)


def _picture(item: Item) -> Picture | None:
    try:
        return item.picture.result() if item.picture else None
    except FrameUnreadable:
        return None


def _blank(batch: Batch) -> Picture:
    size = batch.runner.manifest.input
    return np.zeros((size.height, size.width, 3), np.uint8)


def _entries(batch: Batch, times: Sequence[Elapsed | None], computed: Computed) -> Iterator[Scored]:
    rows = iter(computed.scores.tolist())
    for item, time in zip(batch.items, times, strict=True):
        if time is None:
            yield Scored(item.frame, None)
        else:
            scores = [round(score, SCORE_DECIMALS) for score in next(rows)]
            yield Scored(item.frame, scores, "gap" if time.reset == "gap" else None)
