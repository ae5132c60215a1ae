"""What is done to a running system, and when: as a share of all frames committed, drawn from a seed."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from chaos.field import Field
from chaos.fleet import Worker
from chaos.servers import Cluster
from chaos.waiting import ChaosFailed
from shared.store.keys import Role, partition_of

EARLIEST, LATEST = 0.02, 0.95
LATEST_LONG = 0.6
"""What lasts begins early enough for something to be left when it is over."""
FENCED = "afterimage_commits_fenced_total"
ATTEMPTS = 5
OWNER_SECONDS = 120.0
REFUSED_SECONDS = 5.0
WHOLE_SECONDS = 30.0

Act = Callable[[Field], None]


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Something done to the system once that share of all frames is committed."""

    at_fraction: float
    act: Act


def spread(draw: random.Random, act: Act, count: int, latest: float = LATEST) -> list[Disturbance]:
    """The act, so many times, at random."""
    return [Disturbance(draw.uniform(EARLIEST, latest), act) for _ in range(count)]


def disturb(field: Field, disturbances: list[Disturbance]) -> None:
    """Does everything in its turn."""
    for disturbance in sorted(disturbances, key=lambda each: each.at_fraction):
        field.fleet.scrape()  # what a victim has counted dies with it
        field.reach(disturbance.at_fraction)
        disturbance.act(field)


def kill_worker(field: Field) -> None:
    """Kills a worker that owns something, and starts another in its place."""
    role: Role = field.draw.choices(("inference", "ingest"), weights=(3, 2))[0]
    victim = _owner(field, role, field.pace.unfinished)
    field.fleet.kill(victim)
    field.fleet.add(role)
    field.tally["kills"] += 1


def freeze_worker(field: Field) -> None:
    """Freezes an inference worker at work for three lease times; what it then commits must be refused.

    It may happen to have nothing in its hands, and nothing to commit: then another is frozen, a few times at most.
    """
    for _ in range(ATTEMPTS):
        field.fleet.scrape()
        before = field.fleet.total(FENCED)
        worker = _owner(field, "inference", lambda: field.pace.moving, others=1)
        worker.child.freeze()
        field.tally["freezes"] += 1
        field.hold(3 * field.setup.lease_seconds)
        worker.child.thaw()
        if _is_refused(field, before) or not field.pace.unfinished():
            return


def crash_redis(field: Field) -> None:
    """Kills a Redis server and starts it again on what it had written."""
    field.draw.choice(field.store.nodes).crash()
    field.tally["redis crashes"] += 1


def freeze_redis(seconds: float) -> Act:
    """Freezes a Redis server for that long."""

    def act(field: Field) -> None:
        process = field.draw.choice(field.store.nodes).process
        process.freeze()
        field.hold(seconds)
        process.thaw()
        field.tally["redis freezes"] += 1

    return act


def migrate_slot(field: Field) -> None:
    """Moves the slot of a stream's partition to another master, key by key, while work goes on."""
    cluster = field.store
    assert isinstance(cluster, Cluster)
    field.until(cluster.is_whole, "a whole cluster", WHOLE_SECONDS)
    tag = f"{{p{partition_of(field.draw.choice(field.specs).id):02d}}}"
    source = cluster.owner_of(tag)
    target = field.draw.choice([node for node in cluster.nodes if node is not source])
    cluster.begin_migration(tag, target)
    while cluster.move_keys(tag, source, target):
        field.look()
    cluster.end_migration(tag, target)
    field.tally["slot migrations"] += 1


def _owner(field: Field, role: Role, streams: Callable[[], frozenset[str]], others: int = 0) -> Worker:
    """One that owns one of the streams, once there are so many others that own something; any once all is over."""

    def pick() -> Worker | None:
        field.provide_work()
        owners = field.fleet.owners(field.client, role)
        wanted = {partition_of(stream_id) for stream_id in streams()}
        if not field.pace.unfinished():
            return field.draw.choice(list(owners)) if owners else None
        picked = [worker for worker, partitions in owners.items() if wanted.intersection(partitions)]
        return field.draw.choice(picked) if picked and len(owners) > others else None

    worker = field.until(pick, f"an {role} worker at work", OWNER_SECONDS)
    assert worker
    return worker


def _is_refused(field: Field, before: int) -> bool:
    """Waits for a refusal as long as one may take."""

    def refused() -> bool:
        field.fleet.scrape()
        return field.fleet.total(FENCED) > before

    try:
        return field.until(refused, "a refused commit", REFUSED_SECONDS)
    except ChaosFailed:
        return False
