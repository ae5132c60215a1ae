"""Workers come and go under live load: how long is a stream left alone?

Streams play files without end at a camera's pace; inference goes from one worker to three and back to one by SIGTERM,
then to three again, of which one is killed.
"""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from default_layout import NUM_PARTITIONS

from chaos.field import Field, Setup
from chaos.fleet import Worker
from chaos.servers import SingleServer

SETTLE_SECONDS = 90.0
STEADY_SECONDS = 10.0
MOST_WORKERS = 3


@dataclass(frozen=True, slots=True)
class Gaps:
    """The longest time between two commits of each stream, in seconds, over the streams.

    `load_per_core` is the machine's load average at the end, over its cores: beyond 1 the figures tell of the machine.
    """

    phase: str
    p50_seconds: float
    p99_seconds: float
    max_seconds: float
    load_per_core: float


def measure_scale(setup: Setup, folder: Path, seed: int, on_progress: Callable[[int], None]) -> list[Gaps]:
    """The gaps while nothing happens, while workers come and go as planned, and when one crashes."""
    folder.mkdir()
    with Field(setup, SingleServer(folder), folder, random.Random(seed), on_progress) as field:
        field.admit(len(field.specs))
        field.start(inference=1, ingest=1)
        _settle(field)
        return [
            _phase(field, "one worker", lambda: field.hold(STEADY_SECONDS)),
            _phase(field, "1 to 3, planned", lambda: _grow(field)),
            _phase(field, "three workers", lambda: field.hold(STEADY_SECONDS)),
            _phase(field, "3 to 1, planned", lambda: _shrink(field)),
            _phase(field, "1 to 3, planned", lambda: _grow(field)),
            _phase(field, "one of 3 killed", lambda: _crash(field)),
        ]


def _phase(field: Field, name: str, act: Callable[[], None]) -> Gaps:
    field.pace.start_anew()
    act()
    gaps = sorted(field.pace.gaps().values())
    p50, p99 = (gaps[min(len(gaps) - 1, int(share * len(gaps)))] for share in (0.5, 0.99))
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    return Gaps(name, round(p50, 3), round(p99, 3), round(gaps[-1], 3), round(load, 2))


def _grow(field: Field) -> None:
    field.start(inference=MOST_WORKERS - 1)
    _settle(field)


def _shrink(field: Field) -> None:
    while len(workers := _inference(field)) > 1:
        child = field.fleet.retire(workers[-1]).child
        _settle(field)
        field.until(lambda child=child: child.exit_code() is not None, f"the end of {child.name}", SETTLE_SECONDS)  # type: ignore[misc]


def _crash(field: Field) -> None:
    field.fleet.kill(field.draw.choice(_inference(field)))
    _settle(field)


def _inference(field: Field) -> list[Worker]:
    return [worker for worker in field.fleet.workers if worker.role == "inference"]


def _settle(field: Field) -> None:
    """Waits until the partitions are shared out evenly and every stream has a frame committed after that."""
    wanted = len(_inference(field))

    def is_shared_out() -> bool:
        loads = [len(partitions) for partitions in field.fleet.owners(field.client, "inference").values()]
        return len(loads) == wanted and sum(loads) == NUM_PARTITIONS and max(loads) - min(loads) <= 1

    field.until(is_shared_out, f"{wanted} workers that share all partitions", SETTLE_SECONDS)
    field.look()
    before = {spec.id: field.pace.frames_of(spec.id) for spec in field.specs}
    field.until(
        lambda: all(field.pace.frames_of(each) > frames for each, frames in before.items()),
        "a commit of every stream",
        SETTLE_SECONDS,
    )
