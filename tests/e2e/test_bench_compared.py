"""The bench beside others: a loop per camera, and another checkout of this project."""

from pathlib import Path

import pytest

from benchmarks.per_camera import run_bench
from benchmarks.runs import Runs, speeds_before
from shared.service.settings import PROJECT_ROOT

MODELS = PROJECT_ROOT / "models"


def test_a_script_and_the_system_watch_the_same_files(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    row = run_bench(
        tmp_path,
        Runs((), 0, 1, MODELS),
        num_cameras=2,
        seconds=2.0,
        on_progress=lambda done, total: steps.append((done, total)),
    )
    assert row.script_fps > 0
    assert row.ratio == pytest.approx(row.system_fps / row.script_fps, rel=0.02)
    assert steps == [(done, len(steps)) for done in range(1, len(steps) + 1)]


def test_another_checkout_is_measured_by_its_own_bench() -> None:
    speeds = speeds_before(Runs((1, 2), 2048, 1, MODELS, before=PROJECT_ROOT))
    assert set(speeds) == {1, 2}
    assert all(speed > 0 for sides in speeds.values() for speed in sides.values())
