"""The bench beside others: a loop per camera, and another checkout of this project."""

import json
from pathlib import Path

import pytest

from benchmarks import device, gpu, latency
from benchmarks.per_camera import run_bench
from benchmarks.runs import Runs, speeds_before
from shared.service.settings import PROJECT_ROOT
from training.scenes.clips import render_demo_clip

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


def test_the_system_whose_latency_is_measured_lets_the_bench_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "a home"))
    render_demo_clip("moved", 0, tmp_path / "film.mp4")
    with latency._system(tmp_path, MODELS) as system:
        system.call("POST", "/v1/streams", latency.OPTIONS | {"id": "camera-0", "name": "camera-0"})
        system.call("PATCH", "/v1/streams/camera-0", {"fps": 4.0})
        system.wait_for_frames()
        assert system.histograms()[latency.LATENCY][-1][1] > 0


@pytest.mark.parametrize(
    ("latter", "pace"),
    [((8.0, 0.6), 12.0), ((8.0, 0.9), 7.0), ((8.0, 1.0), 6.3), ((8.0, 0.3), 25.0), ((2.0, 0.4), 2.4)],
)
def test_the_pace_is_sought_where_the_machine_keeps_up(latter: tuple[float, float], pace: float) -> None:
    assert latency._pace_for(0.8, (2.0, 0.3 if latter[0] > 2 else 0.4), latter) == pace
    assert latency._pace_for(0.8, (7.0, 1.0), (8.0, 1.0)) == latency.SLOWEST_FPS


def test_another_checkout_is_measured_by_its_own_bench() -> None:
    speeds = speeds_before(Runs((1, 2), 2048, 1, MODELS, before=PROJECT_ROOT))
    assert set(speeds) == {1, 2}
    assert all(speed > 0 for sides in speeds.values() for speed in sides.values())


def test_all_that_is_tried_on_a_gpu_runs_on_a_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(device, "SECONDS", 0.1)
    command = ["--out", str(tmp_path), "--models", str(MODELS), "--device", "cpu", "--streams", "8"]
    assert gpu.main(command) == 0
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert "CPU" in found["machine"]["device"]
    for pace in ("live", "fast"):
        row = found[f"speed, 8 {pace} streams"]
        assert min(row[name] for name in ("model_fps", "bare_fps", "worker_fps", "memory_mib")) > 0
    assert len(found["profile"]) == 10
    assert (tmp_path / "gpu.md").read_text().count("| camera-events | 0.0 |") == 1
    monkeypatch.setitem(gpu.NEEDED, "no_such_module", "no-such-package")
    assert gpu.main(command) == 1
    assert "no-such-package" in capsys.readouterr().err
