"""One run: a Redis, workers, streams, somebody who watches, and whatever is done to them."""

import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from chaos.fleet import Fleet
from chaos.footage import FPS
from chaos.observed import Observed, observe
from chaos.pace import Pace
from chaos.servers import Store
from chaos.waiting import POLL_SECONDS, ChaosFailed
from shared.errors import StoreUnavailable
from shared.store.client import connect
from shared.store.keys import Role
from shared.store.registry import Registry
from shared.streams import StreamSpec, StreamState
from shared.waiting import LONGEST_FOR_STORE_SECONDS

BASE_MS = 1_700_000_000_000
STALL_SECONDS = 120.0
WATCH_TIMEOUT_SECONDS = 1.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setup:
    """What runs: the files as one stream each, the settings of all workers."""

    files: Sequence[Path]
    models_dir: Path
    lease_seconds: float
    batch_size: int
    num_frames: int
    """Frames that all streams have in the end; 0: not known, or no end."""
    spec: dict[str, Any]
    """Fields of every stream's spec."""
    checkpoint_frames: int = 16
    fast_files: Sequence[Path] = ()
    """More streams after the others, each played once and fast."""

    def environment(self, redis_url: str) -> dict[str, str]:
        """The workers' settings."""
        return {
            "AFTERIMAGE_REDIS_URL": redis_url,
            "AFTERIMAGE_MEDIA_ROOT": str(self.files[0].parent),
            "AFTERIMAGE_MODELS_DIR": str(self.models_dir),
            "AFTERIMAGE_DEVICE": "cpu",
            "AFTERIMAGE_TORCH_THREADS": "1",
            "AFTERIMAGE_BATCH_SIZE": str(self.batch_size),
            "AFTERIMAGE_LEASE_SECONDS": str(self.lease_seconds),
            "AFTERIMAGE_CHECKPOINT_FRAMES": str(self.checkpoint_frames),
            "AFTERIMAGE_CHECKPOINT_SECONDS": str(self.checkpoint_frames / FPS),
        }

    def specs(self) -> list[StreamSpec]:
        """The streams, by names that fall into different partitions."""
        fixed = {"base_ms": BASE_MS, "generation": 1, "created_at_ms": BASE_MS, **self.spec}
        fast = {**fixed, "pace": "fast", "fps": FPS, "loop": False}
        wanted = [*((path, fixed) for path in self.files), *((path, fast) for path in self.fast_files)]
        return [
            StreamSpec.model_validate({"id": f"s{n:02d}", "name": path.stem, "source": str(path), **fields})
            for n, (path, fields) in enumerate(wanted)
        ]


class Field:
    """A system under attack; a context manager that leaves nothing running. Whoever waits in it also watches."""

    def __init__(
        self, setup: Setup, store: Store, folder: Path, draw: random.Random, on_progress: Callable[[int], None]
    ) -> None:
        self.setup, self.store, self.draw = setup, store, draw
        self.tally: Counter[str] = Counter()
        self.specs = setup.specs()
        self.client = connect(store.url, WATCH_TIMEOUT_SECONDS, retries=0)
        self.fleet = Fleet(setup.environment(store.url), folder)
        self.pace = Pace(self.client, [spec.id for spec in self.specs])
        self._waiting = list(self.specs)
        self._on_progress = on_progress
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        """Starts Redis."""
        try:
            self.store.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.fleet.close()
        self.client.close()
        self.store.close()

    @property
    def wall_seconds(self) -> float:
        """Time since the run began."""
        return time.monotonic() - self._began

    def start(self, **num_workers: int) -> None:
        """Starts so many workers of each role."""
        roles: tuple[Role, ...] = ("inference", "ingest")
        for role in roles:
            for _ in range(num_workers.get(role, 0)):
                self.fleet.add(role)

    def admit(self, num_at_once: int) -> None:
        """Registers streams until so many are unfinished, or there are no more."""
        while self._waiting and self._num_under_way < num_at_once:
            self.admit_next()

    def admit_next(self) -> StreamSpec:
        """Registers the next stream."""
        spec = self._waiting[0]
        self.until_stored(partial(Registry(self.client).add, spec))
        del self._waiting[0]
        return spec

    def provide_work(self) -> None:
        """Has half of the streams run at a time, so that whatever is done, however long, finds work going on."""
        self.admit((len(self.specs) + 1) // 2)

    @property
    def _num_under_way(self) -> int:
        return len(self.pace.unfinished()) - len(self._waiting)

    def look(self) -> None:
        """Sees how far the streams are, unless Redis is away, and that all workers run."""
        with suppress(StoreUnavailable):
            self.pace.look()
        self.fleet.replace_ended()
        self._on_progress(self.pace.num_frames)
        time.sleep(POLL_SECONDS)

    def until(self, condition: Callable[[], T], what: str, seconds: float | None = None) -> T:
        """The condition's first true value; where Redis is away it counts as untrue.

        Raises ChaosFailed where it is not met in time: so many seconds, or two minutes without any commit.
        """
        began = time.monotonic()
        while True:
            with suppress(StoreUnavailable):
                if value := condition():
                    return value
            since = began if seconds is not None else max(began, self.pace.moved_at)
            if time.monotonic() - since >= (STALL_SECONDS if seconds is None else seconds):
                raise ChaosFailed(f"{what}: not in time\n{self._states()}\n{self.fleet.last_words()}")
            self.look()

    def until_stored(self, action: Callable[[], T]) -> T:
        """The action's result, once Redis lets it through."""
        return self.until(lambda: [action()], "an answer from Redis", 3 * LONGEST_FOR_STORE_SECONDS)[0]

    def reach(self, fraction: float) -> None:
        """Waits until so much of all frames is committed; streams begin as others end."""
        wanted = fraction * self.setup.num_frames

        def reached() -> bool:
            self.provide_work()
            return self.pace.num_frames >= wanted

        self.until(reached, f"{wanted:.0f} frames committed")

    def hold(self, seconds: float) -> None:
        """Lets the time pass, watching."""
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            self.look()

    def finish(self) -> dict[str, Observed]:
        """Waits until every stream has ended; what is seen of each then."""
        self.admit(len(self.specs))
        return self.see_end_of(self.specs)

    def see_end_of(self, specs: Sequence[StreamSpec]) -> dict[str, Observed]:
        """Waits until those streams have ended; what is seen of each then."""
        ids = {spec.id for spec in specs}
        self.until(lambda: not ids & self.pace.unfinished() and self._have_ended(ids), "the end of the streams")
        self.fleet.scrape()
        return {spec.id: self.until_stored(partial(observe, self.client, spec.id)) for spec in specs}

    def _have_ended(self, stream_ids: Collection[str]) -> bool:
        records = Registry(self.client).records(stream_ids)
        return all(record.status.state is StreamState.ENDED for record in records)

    def _states(self) -> str:
        with suppress(StoreUnavailable):
            records = Registry(self.client).records(spec.id for spec in self.specs)
            return "\n".join(f"{r.spec.id}: {r.status.state} {r.status.reason or ''} {r.progress}" for r in records)
        return "Redis is away"
