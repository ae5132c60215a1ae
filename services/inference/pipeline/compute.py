"""The second stage: pictures to scores, and every stream's memory one batch further."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from services.inference.metrics import InferenceMetrics
from services.inference.models.runner import Computed
from services.inference.models.steps import Elapsed, arrange, elapsed
from services.inference.pipeline.messages import Batch, Item, Scored, StreamResult
from services.inference.pipeline.session import Session
from shared.errors import FrameUnreadable

SCORE_DECIMALS = 5

Picture = NDArray[np.uint8]


class Compute:
    """Runs batches; owns the streams' slab rows and the time of the last frame in each memory. Used by one thread."""

    def __init__(self, metrics: InferenceMetrics) -> None:
        self._metrics = metrics

    def run(self, batch: Batch) -> list[StreamResult]:
        """Every stream's part of the batch, scored."""
        with self._metrics.stage_seconds.labels("decode").time():
            pictures = [_picture(item) for item in batch.items]
        with self._metrics.stage_seconds.labels("model").time():
            results = self._scored(batch, pictures)
        for session in batch.retired:
            if session.row is not None:
                batch.runner.release(session.row)
        return results

    def _scored(self, batch: Batch, pictures: list[Picture | None]) -> list[StreamResult]:
        sessions = list(dict.fromkeys(item.session for item in batch.items))
        rows = {session: _row(session) for session in sessions}
        times = [_advance(item, picture) for item, picture in zip(batch.items, pictures, strict=True)]
        blocks = arrange(
            [rows[item.session] for item, time in zip(batch.items, times, strict=True) if time],
            [time for time in times if time],
        )
        images = np.stack([picture for picture in pictures if picture is not None] or [_blank(batch)])
        computed = batch.runner.run(images, blocks, list(rows.values()))
        entries: dict[Session, list[Scored]] = {session: [] for session in sessions}
        for item, scored in zip(batch.items, _entries(batch, times, computed), strict=True):
            entries[item.session].append(scored)
        return [
            StreamResult(
                session,
                entries[session],
                vector=None if session.at_ms is None else state,
                at_ms=session.at_ms,
                epoch=session.epoch,
            )
            for session, state in zip(sessions, computed.states, strict=True)
        ]


def _picture(item: Item) -> Picture | None:
    try:
        return item.picture.result() if item.picture else None
    except FrameUnreadable:
        return None


def _blank(batch: Batch) -> Picture:
    size = batch.runner.manifest.input
    return np.zeros((size.height, size.width, 3), np.uint8)


def _row(session: Session) -> int:
    if session.row is None:
        session.row = session.runner.acquire(session.vector)
        session.vector = None
    return session.row


def _advance(item: Item, picture: Picture | None) -> Elapsed | None:
    """Moves the stream's clock on; None for an entry that does not reach the model. A source's end empties it."""
    session, frame = item.session, item.frame
    if frame.jpeg is None:
        session.at_ms = None
    if picture is None:
        return None
    time = elapsed(session.at_ms, frame.captured_at_ms, session.spec.reset_after_seconds)
    session.at_ms, session.epoch = frame.captured_at_ms, frame.epoch
    return time


def _entries(batch: Batch, times: list[Elapsed | None], computed: Computed) -> Iterator[Scored]:
    rows = iter(computed.scores.tolist())
    for item, time in zip(batch.items, times, strict=True):
        if time is None:
            yield Scored(item.frame, None)
        else:
            scores = [round(score, SCORE_DECIMALS) for score in next(rows)]
            yield Scored(item.frame, scores, "gap" if time.reset == "gap" else None)
