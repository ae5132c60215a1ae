"""What travels through the pipeline: intake → compute → record."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.inference.models.runner import Runner
from services.inference.pipeline.session import Session
from shared.store.frame_queue import QueuedFrame


@dataclass(frozen=True, slots=True)
class Item:
    """An entry read from a stream's queue; `picture` decodes to [H, W, 3] uint8, None for the end of a source."""

    session: Session
    frame: QueuedFrame
    picture: Future[NDArray[np.uint8]] | None


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries for one model, every stream's in order; `retired` are streams of which none will follow."""

    runner: Runner
    items: Sequence[Item]
    retired: Sequence[Session] = ()


@dataclass(frozen=True, slots=True)
class Scored:
    """An entry after the model: `scores` per label, None where there was nothing to score; `reset` says why the
    memory was emptied before it."""

    frame: QueuedFrame
    scores: Sequence[float] | None
    reset: str | None = None


@dataclass(frozen=True, slots=True)
class StreamResult:
    """One stream's part of a batch: its entries in order and the memory after them (None for an empty one)."""

    session: Session
    entries: Sequence[Scored]
    vector: NDArray[np.float32] | None
    at_ms: int | None
    epoch: int
