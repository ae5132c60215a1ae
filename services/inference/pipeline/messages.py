"""What travels through the pipeline, in order: intake → compute → record; and what record answers intake."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.inference.models.images import Pending
from services.inference.models.runner import Runner
from services.inference.pipeline.batch_trace import BatchTrace
from shared.entries import Frame
from shared.events import CloseReason, Event
from shared.life.tracker import TrackerState
from shared.store.leases import Lease
from shared.streams import Progress, StreamSpec


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """A stream as this worker serves it, from its opening to its closing: on one model, under one lease."""

    spec: StreamSpec
    """as it was at the opening"""
    lease: Lease
    runner: Runner

    @property
    def id(self) -> str:
        """The stream's id."""
        return self.spec.id


@dataclass(frozen=True, slots=True)
class Remembered:
    """The recurrent state [state_size], None for an empty one, and the time of the last frame in it.

    The frames after it, as far as they were looked at, were judged by `reset_after_seconds`: so they are in a replay.
    """

    vector: NDArray[np.float32] | None = None
    at_ms: int | None = None
    reset_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """A stream begins where the last commit left it.

    The memory is that of the last checkpoint; `num_replayed` frames since then are to go through the network once more.
    Where it cannot be gone on with, `reset` says why, and events still open, found by `model`, are closed for that
    reason. `left_open` are those of them that no track is left of, as they are to be closed.
    """

    stream: Stream
    progress: Progress
    memory: Remembered
    tracking: TrackerState
    num_replayed: int = 0
    reset: CloseReason | None = None
    model: str | None = None
    left_open: Sequence[Event] = ()

    @property
    def position(self) -> str:
        """The entry after which the queue is read."""
        return self.progress.cursor if self.reset else self.progress.checkpoint


@dataclass(frozen=True, slots=True)
class Change:
    """What the user wants of a stream has changed, and it goes on."""

    stream: Stream
    spec: StreamSpec


@dataclass(frozen=True, slots=True)
class Silence:
    """In these streams' queues nothing lies, and has not for a while; of cameras that are `away` for so long that the
    next frame will find their memories emptied."""

    streams: Sequence[Stream]
    away: bool


@dataclass(frozen=True, slots=True)
class Closing:
    """Of this stream nothing follows."""

    stream: Stream


class Item(NamedTuple):
    """An entry read from a stream's queue; `picture` decodes to [3, H, W] uint8, None for the end of a source.

    Of one that `is_replay` everything is known already but what it left in the memory.
    """

    stream: Stream
    frame: Frame
    picture: Pending | None
    is_replay: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries for one model, every stream's in order."""

    runner: Runner
    items: Sequence[Item]


class Scored(NamedTuple):
    """An entry after the model: `scores` per label, None where there was nothing to score; `reset` says why the
    memory was emptied before it, or by it."""

    frame: Frame
    scores: Sequence[float] | None
    reset: CloseReason | None = None


@dataclass(frozen=True, slots=True)
class StreamResult:
    """One stream's part of a batch: its entries in order and, at a checkpoint, the memory after them.

    `closed` says why its events end though no entry ends them.
    """

    stream: Stream
    entries: Sequence[Scored] = ()
    memory: Remembered | None = None
    closed: CloseReason | None = None


@dataclass(frozen=True, slots=True)
class Results:
    """A batch, computed; its spans go along, where it is traced."""

    streams: Sequence[StreamResult]
    trace: BatchTrace | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Redis takes nothing more of this stream under this opening, or the model nothing of it.

    Where its keys are damaged, or the model fails on its frames, `damage` says what is wrong: opening it again would
    not help.
    """

    stream: Stream
    damage: str | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """The stream is closed, and everything of it that was read is committed, or refused."""

    stream: Stream


News = Opening | Change | Closing
ToCompute = News | Silence | Batch
ToRecord = News | Results | Refused
Answer = Refused | Settled
