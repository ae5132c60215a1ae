"""One stream while this worker owns it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.inference.models.runner import Runner
from services.inference.pipeline.tracker import Tracker
from shared.store.leases import Lease
from shared.streams import Progress, StreamSpec


@dataclass(slots=True, eq=False)
class Session:
    """A stream between admission and release. Each group of fields belongs to one thread of the pipeline.

    Intake writes `spec`, `position` (id of the last entry read), `num_read` and `is_closed`. Compute writes `row` (of
    the state slab), and `at_ms` and `epoch` of the last frame that went into the memory. Commit writes `progress`,
    `tracker`, `tracked_spec`, `num_done`, `stale_model` and `is_lost` (Redis knows better: admit the stream anew;
    intake says so of a stream that was removed, and `is_fenced` where its lease is lost).
    Everything is written under `lease`; with another one the stream has another session.
    `vector` is the recurrent state that admission loaded, None for an empty one; `stale_model` the model that events
    still open were found by, where it is not the runner's.
    """

    spec: StreamSpec
    lease: Lease
    runner: Runner
    progress: Progress
    tracker: Tracker
    vector: NDArray[np.float32] | None
    at_ms: int | None
    epoch: int
    tracked_spec: StreamSpec
    position: str
    num_read: int = 0
    num_done: int = 0
    row: int | None = None
    stale_model: str | None = None
    is_lost: bool = False
    is_fenced: bool = False
    is_closed: bool = False

    @property
    def stream_id(self) -> str:
        """The stream's id."""
        return self.spec.id

    @property
    def is_drained(self) -> bool:
        """Whether everything that was read has been committed, or refused."""
        return self.num_read == self.num_done
