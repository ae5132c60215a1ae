"""Workers that are asked to end (SIGTERM): how long each takes, and whether it has handed back all that it held."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from chaos.field import Field
from chaos.fleet import Worker
from shared.store.keys import Role

GRACE_SECONDS: Final = 30.0
"""Who is not gone by then is killed: `stop_grace_period` of docker-compose.yml."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How one worker ended; seconds count from SIGTERM."""

    worker: str
    role: Role
    leases: int
    """that it held then"""
    handed_back_seconds: float
    """until none named it any more"""
    ended_seconds: float
    leases_left: int
    """when it was gone"""
    exit_code: int

    @property
    def problems(self) -> list[str]:
        """What is not as it must be, in a line each."""
        lines = [f"{self.worker} left {self.leases_left} leases"] if self.leases_left else []
        return [*lines, f"{self.worker} ended with {self.exit_code}"] if self.exit_code else lines


def end_in_order(field: Field, workers: Sequence[Worker]) -> list[Ending]:
    """Asks the workers to end, all at once, and waits until they are gone; raises ChaosFailed where that takes longer
    than they are given."""
    field.fleet.scrape()  # what they have counted goes with them
    leases = {worker: field.until_stored(partial(worker.num_leases, field.client)) for worker in workers}
    began = time.monotonic()
    for worker in workers:
        field.fleet.retire(worker)
    handed_back: dict[Worker, float] = {}
    endings: dict[Worker, Ending] = {}

    def look() -> bool:
        for worker in [worker for worker in workers if worker not in endings]:
            code = worker.child.exit_code()  # first: what is held after that is left
            num_left = worker.num_leases(field.client)
            passed = round(time.monotonic() - began, 3)
            if not num_left:
                handed_back.setdefault(worker, passed)
            if code is not None:
                back = handed_back.get(worker, passed)
                endings[worker] = Ending(worker.child.name, worker.role, leases[worker], back, passed, num_left, code)
        return len(endings) == len(workers)

    field.until(look, f"the end of {', '.join(worker.child.name for worker in workers)}", GRACE_SECONDS)
    return list(endings.values())
