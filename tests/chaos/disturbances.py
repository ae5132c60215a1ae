"""What is done to a running system, and when: as a share of all frames committed, drawn from a seed."""

import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from default_layout import keys_of, partition_of

from chaos.field import Field
from chaos.fleet import Worker
from chaos.servers import Cluster
from chaos.waiting import ChaosFailed
from shared.store.client import translated
from shared.store.keys import Role
from shared.streams import Progress

EARLIEST, LATEST = 0.02, 0.95
LATEST_LONG = 0.6
"""What lasts begins early enough for something to be left when it is over."""
FENCED = "afterimage_commits_fenced_total"
ATTEMPTS = 5
OWNER_SECONDS = 120.0
REFUSED_SECONDS = 5.0
WHOLE_SECONDS = 30.0
REPLAYED_FPS = 2000.0
"""Faster than any replay is."""

Act = Callable[[Field], object]


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
    _kill(field, _owner(field, role, field.pace.unfinished))


def kill_before_checkpoint(field: Field) -> dict[str, Progress]:
    """Kills an inference worker between a commit and the next checkpoint; those streams, and how far they were.

    It is frozen to be looked at, and let go on where it is not so. No streams where all have ended.
    """
    while field.pace.unfinished():
        worker = _owner(field, "inference", lambda: frozenset(field.pace.unsaved()))
        worker.child.freeze()
        if not _unsaved_of(field, worker):
            worker.child.thaw()
        elif left := _kill(field, worker):
            return left
    return {}


def kill_in_replay(field: Field) -> None:
    """Kills an inference worker between a commit and the next checkpoint, then who takes over, as it replays.

    That may be through with its replay by then: then all is done again, a few times at most. Where all has ended by
    then, anybody is killed.
    """
    for _ in range(ATTEMPTS):
        left = kill_before_checkpoint(field)
        if left and _kill_successor(field, left):
            return
        if not left:
            kill_worker(field)
            return
        field.tally["replays missed"] += 1


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


def _kill(field: Field, worker: Worker) -> dict[str, Progress]:
    """Kills a worker and starts another in its place; its streams between a commit and the next checkpoint.

    Until another takes them the leases stand, so what is seen afterwards is what it left.
    """
    field.fleet.kill(worker)
    field.fleet.add(worker.role)
    field.tally["kills"] += 1
    left = _unsaved_of(field, worker) if worker.role == "inference" else {}
    field.tally["kills before a checkpoint"] += bool(left)
    return left


def _unsaved_of(field: Field, worker: Worker) -> dict[str, Progress]:
    """A dead or frozen worker's streams between a commit and the next checkpoint, and how far they are."""

    def look() -> dict[str, Progress]:
        field.pace.look()
        partitions = worker.partitions(field.client)
        return {each: progress for each, progress in field.pace.unsaved().items() if partition_of(each) in partitions}

    return field.until_stored(look)


def _kill_successor(field: Field, left: Mapping[str, Progress]) -> bool:
    """Kills who takes over one of the streams, once it has opened it; whether that was before it had done any more.

    Opening a stream it says in Redis by which model: what its predecessor said is taken away, to see that.
    """
    field.until_stored(partial(_unsay, field, left))

    def successor() -> Worker | None:
        opened = {partition_of(stream_id) for stream_id in _opened(field, left)}
        owners = field.fleet.owners(field.client, "inference").items() if opened else ()
        return next((worker for worker, partitions in owners if opened.intersection(partitions)), None)

    worker = field.until(successor, f"who goes on with {', '.join(left)}", OWNER_SECONDS)
    assert worker
    time.sleep(field.draw.uniform(0, field.setup.checkpoint_frames / REPLAYED_FPS))
    worker.child.freeze()
    if not _unmoved(left, _unsaved_of(field, worker)):
        worker.child.thaw()
        return False
    opened = field.until_stored(partial(_opened, field, left))
    is_hit = _unmoved({stream_id: left[stream_id] for stream_id in opened}, _kill(field, worker))
    field.tally["kills in a replay"] += is_hit
    return is_hit


def _unmoved(before: Mapping[str, Progress], now: Mapping[str, Progress]) -> bool:
    """Whether one of the streams is where it was."""
    return any(before[stream_id] == progress for stream_id, progress in now.items() if stream_id in before)


def _opened(field: Field, stream_ids: Iterable[str]) -> list[str]:
    """Those of which inference says by which model it looks at them. Raises StoreUnavailable."""
    with translated():
        return [each for each in stream_ids if field.client.hexists(keys_of(each).inference, each)]


def _unsay(field: Field, stream_ids: Iterable[str]) -> None:
    """Takes away what inference says of the streams. Raises StoreUnavailable."""
    with translated():
        for each in stream_ids:
            field.client.hdel(keys_of(each).inference, each)


def _is_refused(field: Field, before: int) -> bool:
    """Waits for a refusal as long as one may take."""

    def refused() -> bool:
        field.fleet.scrape()
        return field.fleet.total(FENCED) > before

    try:
        return field.until(refused, "a refused commit", REFUSED_SECONDS)
    except ChaosFailed:
        return False
