from pathlib import Path

import pytest

from benchmarks import ingest
from benchmarks.films import BenchFilm
from benchmarks.ingest import TICKS, ReaderRow, cpu_seconds, missed_goals, run_bench


def row(**ratios: float) -> ReaderRow:
    ours = {f"auto/{name}": ratio for name, ratio in ratios.items()}
    return ReaderRow("film", 2.0, dict.fromkeys(("reader", "auto", *ratios), 1.0), ours, 40.0)


def test_goals_are_those_of_a_streams_default() -> None:
    assert missed_goals([row(ffmpeg=1.2, opencv=0.5)]) == []
    assert missed_goals([row(opencv=0.4)]) == []
    assert missed_goals([row(ffmpeg=1.25, opencv=0.6)]) == [
        "film: 1.25 of ffmpeg, the goal is 1.2",
        "film: 0.60 of opencv, the goal is 0.5",
    ]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux")
def test_every_side_reads_the_film(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "FILMS", (BenchFilm("tiny", 320, 240, 200_000, 3),))
    before, steps = cpu_seconds(), []
    (measured,) = run_bench(num_frames=50, repetitions=1, on_progress=lambda done, total: steps.append((done, total)))
    assert {"reader", "auto", "floor", "opencv"} <= set(measured.seconds)
    assert measured.mbit_per_second > 0
    ticks = len(measured.seconds) / TICKS  # each side counts for a tick at least, however quick the machine is
    assert 0 < sum(measured.seconds.values()) * 50 / 1000 < cpu_seconds() - before + ticks
    assert steps == [(done, len(steps)) for done in range(1, len(steps) + 1)]
