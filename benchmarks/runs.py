"""What benchmarks of the worker are asked for, and how fast another checkout of this project is at it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

Progressed = Callable[[int, int], None]
"""Is told how many of how many runs are done."""


def unwatched(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True, slots=True)
class Runs:
    """What is to be measured: numbers of streams, frames of one run over all of them, how often, with which models, and
    beside which other checkout of this project."""

    num_streams: Sequence[int]
    num_frames: int
    repetitions: int
    models_dir: Path
    device: str = "auto"
    before: Path | None = None


def speeds_before(runs: Runs) -> dict[int, dict[str, float]]:
    """For each number of streams, `before_worker_fps` and `before_bare_fps` of one round of the other checkout, if any.

    It is its own `afterimage bench` with its own model, run with this Python. Raises SubprocessError where that fails;
    what it said on stderr is shown.
    """
    if runs.before is None:
        return {}
    options = ["--repetitions", "1", "--frames", str(runs.num_frames), "--device", runs.device]
    counts = ",".join(map(str, runs.num_streams))
    command = [sys.executable, "-m", "afterimage", "bench", "--json", "--streams", counts, *options]
    environment = {**os.environ, "PYTHONPATH": str(runs.before)}
    told = subprocess.run(
        command, cwd=runs.before, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    return {
        row["streams"]: {f"before_{side}": row[side] for side in ("worker_fps", "bare_fps")}
        for row in json.loads(told)["rows"]
    }
