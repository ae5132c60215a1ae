"""An upgrade under load, and back again: all streams go from workers of an earlier commit to today's and back.

Each time the next workers, one of each role, come beside those at work and share the streams with them for a while;
then the former are ended in order. The first ones are started beforehand and held still until it is their turn, so that
short streams are not over before they are there; the others start when they are needed.
"""

from collections import deque
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Final

from chaos.endings import Ending, end_in_order
from chaos.field import Field
from chaos.fleet import Worker
from shared.store.keys import Role

ROLES: Final[tuple[Role, ...]] = ("inference", "ingest")
NUM_BEFOREHAND: Final = 3
START_SECONDS: Final = 120.0
SHARE_SECONDS: Final = 60.0
TOGETHER_FRACTION: Final = 0.06
"""So much of all frames is committed while both are at work."""
EARLIEST, LATEST = 0.08, 0.6
PROCESSED: Final = "afterimage_frames_processed_total"


def hand_over_and_back(field: Field, earlier: Path, count: int) -> list[Ending]:
    """Hands all streams over so many times, first to today's workers; how those before them ended."""
    codes = islice(cycle((earlier, None)), count + 1)
    reserve = _beforehand(field, list(islice(codes, NUM_BEFOREHAND)))
    at_work = _set_to_work(field, reserve.popleft())
    endings = []
    for number in range(count):
        at_fraction = EARLIEST + number * (LATEST - EARLIEST) / count
        field.reach(at_fraction)
        newcomers = reserve.popleft() if reserve else _start(field, next(codes))
        _set_to_work(field, newcomers)
        field.reach(min(1.0, field.pace.num_frames / field.setup.num_frames + TOGETHER_FRACTION))
        is_under_load = bool(field.pace.unfinished())
        endings += end_in_order(field, at_work)
        field.tally["hand-overs"] += is_under_load
        field.tally["frames of earlier code"] += sum(
            field.fleet.total(PROCESSED, worker) for worker in at_work if worker.code
        )
        at_work = newcomers
    return endings


def _start(field: Field, code: Path | None) -> list[Worker]:
    return [field.fleet.add(role, code) for role in ROLES]


def _beforehand(field: Field, codes: Sequence[Path | None]) -> deque[list[Worker]]:
    """Workers of each, that stand still; what they had taken already is others' after a lease's time."""
    started = [_start(field, code) for code in codes]
    for worker in [worker for each in started for worker in each]:
        field.until(worker.is_ready, f"the start of {worker.child.name}", START_SECONDS)
        worker.child.freeze()
    return deque(started)


def _set_to_work(field: Field, workers: list[Worker]) -> list[Worker]:
    for worker in workers:
        if worker.child.is_frozen:
            worker.child.thaw()

    def is_at_work() -> bool:
        field.provide_work()
        return all(worker in field.fleet.owners(field.client, worker.role) for worker in workers)

    field.until(is_at_work, "workers that own partitions", SHARE_SECONDS)
    return workers
