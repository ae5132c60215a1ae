"""The scenarios: what runs, what is done to it, and what must come of it."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from chaos.disturbances import (
    FENCED,
    LATEST_LONG,
    Disturbance,
    crash_redis,
    disturb,
    freeze_redis,
    freeze_worker,
    kill_before_checkpoint,
    kill_in_replay,
    kill_worker,
    migrate_slot,
    spread,
)
from chaos.endings import Ending
from chaos.field import Field, Setup
from chaos.footage import FPS
from chaos.observed import Observed, differences
from chaos.servers import Cluster, SingleServer, Store
from chaos.upgrade import hand_over_and_back

RESTORES = "afterimage_state_restores_total"
NUM_WORKERS = {"inference": 3, "ingest": 2}
ON_CLUSTER = "D"
UPGRADE = "upgrade"
CHECKPOINT_FRAMES = (16, 64, 256)
"""The seeds take turns: the fewer checkpoints, the more is replayed."""


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of everything; times in seconds."""

    files: int
    clip_seconds: float
    repeats: int
    lease_seconds: float
    batch_size: int
    kills: int
    freezes: int
    redis_crashes: int
    redis_freeze_seconds: float
    slot_migrations: int
    hand_overs: int

    @property
    def num_frames(self) -> int:
        """Frames of all streams together."""
        return self.files * round(self.clip_seconds * FPS) * self.repeats


LONG = Amount(
    files=12,
    clip_seconds=30,
    repeats=6,
    lease_seconds=5,
    batch_size=8,
    kills=30,
    freezes=2,
    redis_crashes=5,
    redis_freeze_seconds=10,
    slot_migrations=3,
    hand_overs=6,
)
SHORT = Amount(
    files=4,
    clip_seconds=15,
    repeats=3,
    lease_seconds=1,
    batch_size=4,
    kills=4,
    freezes=1,
    redis_crashes=1,
    redis_freeze_seconds=2,
    slot_migrations=1,
    hand_overs=2,
)


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run."""

    scenario: str
    seed: int
    differences: int
    first_differences: list[str]
    checkpoint_frames: int
    kills: int
    kills_before_checkpoint: int
    """between a commit and the next checkpoint"""
    kills_in_replay: int
    replays_missed: int
    """over before the kill"""
    worker_freezes: int
    redis_crashes: int
    redis_freezes: int
    slot_migrations: int
    hand_overs: int
    """from workers of one version to those of another, under load"""
    earlier_frames: int
    """committed by workers of the earlier version, those of the last not counted"""
    longest_ending_seconds: float
    """from SIGTERM until a worker was gone"""
    unruly_endings: list[str]
    ended_alone: int
    fenced_commits: int
    restores: int
    frames: int
    events: int
    wall_seconds: float
    longest_gap_seconds: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """For the report file."""
        return asdict(self)

    @property
    def problems(self) -> list[str]:
        """What is not as it must be, in a line each."""
        lines = [f"{self.differences} differences"] if self.differences else []
        if self.ended_alone:
            lines.append(f"{self.ended_alone} workers ended of themselves")
        if self.replays_missed and not self.kills_in_replay:
            lines.append("no kill hit a replay")
        if self.worker_freezes and not self.fenced_commits:
            lines.append("no late commit was refused")
        return lines + self.unruly_endings


def plan(scenario: str, amount: Amount, draw: random.Random) -> list[Disturbance]:
    """What a scenario does, at random moments: A kills and B freezes workers, C attacks Redis; ABC does all that.

    Of the kills half come wherever they do, a sixth between a commit and the next checkpoint, and a third as pairs of
    such a one and another in the replay that follows.

    D does all that on a cluster, and moves slots.
    """
    parts = "ABC" if scenario == ON_CLUSTER else scenario
    disturbances = []
    if "A" in parts:
        sixth = round(amount.kills / 6)
        disturbances += spread(draw, kill_worker, amount.kills - 3 * sixth)
        disturbances += spread(draw, kill_before_checkpoint, sixth, LATEST_LONG)
        disturbances += spread(draw, kill_in_replay, sixth, LATEST_LONG)
    if "B" in parts:
        disturbances += spread(draw, freeze_worker, amount.freezes, LATEST_LONG)
    if "C" in parts:
        disturbances += spread(draw, crash_redis, amount.redis_crashes)
        disturbances += spread(draw, freeze_redis(amount.redis_freeze_seconds), 1, LATEST_LONG)
    if scenario == ON_CLUSTER:
        disturbances += spread(draw, migrate_slot, amount.slot_migrations)
    return disturbances


def reference(setup: Setup, folder: Path, on_progress: Callable[[int], None]) -> dict[str, Observed]:
    """What comes of the streams undisturbed, with one worker of each role."""
    folder.mkdir()
    with Field(setup, SingleServer(folder), folder, random.Random(0), on_progress) as run:
        run.start(inference=1, ingest=1)
        return run.finish()


def attack(
    scenario: str,
    amount: Amount,
    setup: Setup,
    seed: int,
    known: Mapping[str, Observed],
    folder: Path,
    on_progress: Callable[[int], None],
    earlier: Path | None = None,
) -> Report:
    """Runs a scenario and compares what came of it with what is known; an upgrade is one from the code `earlier`."""
    folder.mkdir()
    draw = random.Random(f"{scenario} {seed}")
    setup = replace(setup, checkpoint_frames=CHECKPOINT_FRAMES[seed % len(CHECKPOINT_FRAMES)])
    store: Store = Cluster(folder) if scenario == ON_CLUSTER else SingleServer(folder)
    with Field(setup, store, folder, draw, on_progress) as run:
        if scenario == UPGRADE:
            assert earlier
            endings = hand_over_and_back(run, earlier, amount.hand_overs)
        else:
            endings = []
            run.start(**NUM_WORKERS)
            disturb(run, plan(scenario, amount, draw))
        return _report(scenario, seed, run, known, endings)


def _report(scenario: str, seed: int, run: Field, known: Mapping[str, Observed], endings: Sequence[Ending]) -> Report:
    found = run.finish()
    lines = differences(known, found)
    return Report(
        scenario=scenario,
        seed=seed,
        differences=len(lines),
        first_differences=lines[:20],
        checkpoint_frames=run.setup.checkpoint_frames,
        kills=run.tally["kills"],
        kills_before_checkpoint=run.tally["kills before a checkpoint"],
        kills_in_replay=run.tally["kills in a replay"],
        replays_missed=run.tally["replays missed"],
        worker_freezes=run.tally["freezes"],
        redis_crashes=run.tally["redis crashes"],
        redis_freezes=run.tally["redis freezes"],
        slot_migrations=run.tally["slot migrations"],
        hand_overs=run.tally["hand-overs"],
        earlier_frames=run.tally["frames of earlier code"],
        longest_ending_seconds=max((each.ended_seconds for each in endings), default=0.0),
        unruly_endings=[problem for each in endings for problem in each.problems],
        ended_alone=run.fleet.num_ended_alone,
        fenced_commits=run.fleet.total(FENCED),
        restores=run.fleet.total(RESTORES),
        frames=sum(len(view.scores) for view in found.values()),
        events=sum(len(view.events) for view in found.values()),
        wall_seconds=round(run.wall_seconds, 1),
        longest_gap_seconds={name: round(seconds, 3) for name, seconds in run.pace.gaps().items()},
    )
