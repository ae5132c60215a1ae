"""The worker processes of the system under attack: who runs, who owns what, and what they have counted."""

import contextlib
import sys
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import redis
from default_layout import PARTITIONS
from prometheus_client.parser import text_string_to_metric_families
from redis_cluster import free_port

from chaos.processes import Child
from shared.store.client import translated
from shared.store.keys import Role
from shared.store.leases import LEASE_SECONDS, LivingWorker, living_workers

SCRAPE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Worker:
    """A process of one role, and where it tells its metrics; `code` is the folder of its code, None: today's."""

    role: Role
    child: Child
    metrics_port: int
    code: Path | None = None

    def partitions(self, client: redis.Redis) -> tuple[int, ...]:
        """What it owns, dead or alive: leases stand until another takes them. Raises StoreUnavailable."""
        return self.owned(living_workers(client, self.role, LEASE_SECONDS))

    def owned(self, views: Iterable[LivingWorker]) -> tuple[int, ...]:
        """What it owns by those views of its role's workers."""
        return next((view.partitions for view in views if f"-{self.child.pid}-" in f"{view.id}-"), ())

    def num_leases(self, client: redis.Redis) -> int:
        """How many leases name it, whether it is listed as living or not. Raises StoreUnavailable."""
        pipeline = client.pipeline(transaction=False)
        for keys in PARTITIONS:
            pipeline.get(keys.lease(self.role))
        with translated():
            held = pipeline.execute()
        return sum(each is not None and f"-{self.child.pid}-".encode() in each for each in held)

    def is_ready(self) -> bool:
        """Whether it serves its metrics, which is just before it sets to work."""
        try:
            return bool(self.page())
        except OSError:
            return False

    def page(self) -> str:
        """Its metrics; raises OSError."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=SCRAPE_SECONDS) as reply:
            return str(reply.read().decode())


class Fleet:
    """Workers that are started, killed and replaced. One that ends of itself is counted, and replaced too."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.workers: list[Worker] = []
        self.num_ended_alone = 0
        self._environment = environment
        self._folder = folder
        self._num_started = 0
        self._retired: list[Worker] = []
        self._counted: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)

    def add(self, role: Role, code: Path | None = None) -> Worker:
        """Starts one more worker, on today's code or on that in a folder."""
        self._num_started += 1
        name, port = f"{role}-{self._num_started}", free_port()
        environment = {**self._environment, "AFTERIMAGE_METRICS_PORT": str(port)}
        argv = (sys.executable, "-m", f"services.{role}")
        worker = Worker(role, Child(name, argv, self._folder / f"{name}.log", environment, code), port, code)
        self.workers.append(worker)
        return worker

    def kill(self, worker: Worker) -> None:
        """Ends a worker as a crash would."""
        worker.child.kill()
        self.workers.remove(worker)

    def retire(self, worker: Worker) -> Worker:
        """Has a worker end in order; it is not replaced."""
        worker.child.terminate()
        self.workers.remove(worker)
        self._retired.append(worker)
        return worker

    def replace_ended(self) -> None:
        """Replaces workers that ended though nobody killed them."""
        for worker in [worker for worker in self.workers if worker.child.exit_code() is not None]:
            self.num_ended_alone += 1
            self.workers.remove(worker)
            self.add(worker.role, worker.code)

    def owners(self, client: redis.Redis, role: Role) -> dict[Worker, tuple[int, ...]]:
        """Those of a role that run, are not frozen and own partitions, and which. Raises StoreUnavailable."""
        views = living_workers(client, role, LEASE_SECONDS)
        running = [worker for worker in self.workers if worker.role == role and not worker.child.is_frozen]
        return {worker: owned for worker in running if (owned := worker.owned(views))}

    def scrape(self) -> None:
        """Notes what every worker that answers has counted so far; what it counts after that may die with it."""
        for worker in self.workers:
            if worker.child.is_frozen:
                continue
            with contextlib.suppress(OSError):
                for family in text_string_to_metric_families(worker.page()):
                    for sample in family.samples:
                        if sample.name.endswith("_total"):
                            self._note(worker.child.name, sample.name, sample.labels, sample.value)

    def total(self, metric: str, of: Worker | None = None) -> int:
        """A counter's sum over all workers that ever ran, or of one, as of the last look at each."""
        wanted = [
            by_labels
            for (name, counted), by_labels in self._counted.items()
            if counted == metric and (of is None or name == of.child.name)
        ]
        return round(sum(sum(by_labels.values()) for by_labels in wanted))

    def last_words(self) -> str:
        """The ends of all logs."""
        return "\n".join(f"--- {worker.child.name}\n{worker.child.last_words()}" for worker in self.workers)

    def close(self) -> None:
        """Kills all."""
        for worker in [*self.workers, *self._retired]:
            worker.child.kill()

    def _note(self, name: str, metric: str, labels: Mapping[str, str], value: float) -> None:
        self._counted[name, metric][repr(sorted(labels.items()))] = value
