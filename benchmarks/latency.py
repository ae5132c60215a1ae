"""How late are scores? From a live camera's picture to its commit, with cores as busy as is asked for.

`afterimage up` plays 720p films live as so many cameras; they are sampled as often as keeps the machine's cores that
busy, whatever else it does. The answer is the whole system's own histogram, whose quantiles are as fine as its buckets.
Beside it stand what the stages take, by batch (a frame's way into Redis: by frame): the rest of it is waiting.
"""

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.films import BenchFilm, render
from benchmarks.runs import Progressed, unwatched
from shared.service.quantiles import Buckets, buckets_of, quantile, since

FILM: Final = BenchFilm("720p", 1280, 720, 2_000_000, 0)
FILM_SECONDS: Final = 120
"""Longer than it takes: sixteen files that begin anew at once are no cameras."""
STAGES: Final = ("publish", "read", "decode", "model", "commit")
LATENCY: Final = "afterimage_decode_to_commit_seconds"
SLOWEST_FPS, FASTEST_FPS = 1.0, 25.0
PROBED_FPS: Final = (2.0, 8.0)
"""Few enough that a slow machine keeps up: one that does not is as busy at any number."""
OPTIONS: Final = {"source": "film.mp4", "pace": "live", "loop": True, "fps": PROBED_FPS[0]}
SETTLING_SECONDS: Final = 6.0
PROBED_SECONDS: Final = 8.0
MAX_WAITS: Final = 10
"""So often it is waited for that what came late while the pace was sought is through."""
ALLOWED_SECONDS: Final = 0.1
"""On top of a frame period."""


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """Seconds from picture to commit, and milliseconds of the stages' work: median and 99th percentile."""

    cameras: int
    fps: float
    busy: float
    """share of all cores, the whole machine"""
    frames: int
    p50_seconds: float
    p99_seconds: float
    goal_seconds: float
    """what p99 is to stay under"""
    stages_ms: dict[str, tuple[float, float]]


def run_bench(
    folder: Path,
    models_dir: Path,
    *,
    num_cameras: int = 16,
    busy: float = 0.8,
    seconds: float = 60.0,
    on_progress: Progressed = unwatched,
) -> LatencyRow:
    """Plays in `folder`, measures for so many seconds; raises RuntimeError where the system does not come up."""
    render(FILM, folder / "film.mp4", 25 * FILM_SECONDS)
    total = 4
    on_progress(1, total)
    with _system(folder, models_dir) as system:
        for camera in range(num_cameras):
            system.call("POST", "/v1/streams", OPTIONS | {"id": _camera(camera), "name": _camera(camera)})
        system.wait_for_frames()
        shares = [(fps, system.busy_at(fps, num_cameras)) for fps in PROBED_FPS]
        on_progress(2, total)
        for _ in range(2):  # the line through the last two is longer than what it was drawn from
            fps = _pace_for(busy, *shares[-2:])
            shares.append((fps, system.busy_at(fps, num_cameras)))
        fps = _pace_for(busy, *shares[-2:])
        system.busy_at(fps, num_cameras)
        system.wait_until_timely(1 / fps + ALLOWED_SECONDS)
        on_progress(3, total)
        before, counters = system.histograms(), _cpu_ticks()
        time.sleep(seconds)
        after, share = system.histograms(), _busy_since(counters)
    seen = {name: since(before[name], after[name]) for name in after}
    p50, p99 = (quantile(each, seen[LATENCY]) or 0.0 for each in (0.5, 0.99))
    stages = {
        stage: (_ms(quantile(0.5, seen[stage])), _ms(quantile(0.99, seen[stage]))) for stage in STAGES if seen[stage]
    }
    on_progress(4, total)
    frames, goal = int(seen[LATENCY][-1][1]), 1 / fps + ALLOWED_SECONDS
    return LatencyRow(num_cameras, fps, round(share, 3), frames, round(p50, 3), round(p99, 3), round(goal, 3), stages)


def as_json(row: LatencyRow) -> dict[str, Any]:
    """The row as the `--json` line has it."""
    return {"rows": [asdict(row)]}


class _System:
    """A running `afterimage up`."""

    def __init__(self, url: str, key: str, metrics_urls: list[str]) -> None:
        self._url = url
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        self._metrics_urls = metrics_urls

    def call(self, method: str, path: str, body: Any) -> None:  # noqa: ANN401
        """Asks the API for something; raises HTTPError where it refuses."""
        content = json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, content, self._headers, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=30):  # noqa: S310  (its own)
            pass

    def histograms(self) -> dict[str, Buckets]:
        """The latency, and each stage by its name."""
        pages = ""
        for url in self._metrics_urls:
            with urllib.request.urlopen(url, timeout=30) as page:  # noqa: S310  (its own)
                pages += page.read().decode()
        found = {stage: buckets_of(pages, "afterimage_stage_seconds", {"stage": stage}) for stage in STAGES}
        return found | {LATENCY: buckets_of(pages, LATENCY, {"pace": "live"})}

    def wait_for_frames(self) -> None:
        """Until something was committed."""
        while not quantile(0.5, self.histograms()[LATENCY]):
            time.sleep(0.2)

    def wait_until_timely(self, seconds: float) -> None:
        """Until most of what is committed is not older than that; a machine that never gets there is measured so."""
        for _ in range(MAX_WAITS):
            before = self.histograms()[LATENCY]
            time.sleep(SETTLING_SECONDS)
            p50 = quantile(0.5, since(before, self.histograms()[LATENCY]))
            if p50 is not None and p50 <= seconds:
                return

    def busy_at(self, fps: float, num_cameras: int) -> float:
        """The share of the cores that is busy once the cameras are sampled so often."""
        for camera in range(num_cameras):
            self.call("PATCH", f"/v1/streams/{_camera(camera)}", {"fps": fps})
        time.sleep(SETTLING_SECONDS)
        ticks = _cpu_ticks()
        time.sleep(PROBED_SECONDS)
        return _busy_since(ticks)


@contextmanager
def _system(folder: Path, models_dir: Path) -> Iterator[_System]:
    places = ["--data", str(folder / "data"), "--media-root", str(folder), "--models", str(models_dir)]
    command = [sys.executable, "-m", "afterimage", "up", "--port", "0", "--device", "cpu", *places]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            said: dict[str, str] = {}
            lines = iter(process.stdout or ())
            while "metrics" not in said:
                line = next(lines, None)
                if line is None:
                    raise RuntimeError("afterimage up ended before it was ready")
                name, _, rest = line.strip().partition("  ")
                said[name] = rest.partition("  (")[0].strip()
            threading.Thread(target=_drain, args=(lines,), daemon=True).start()
            yield _System(said["ready"], Path(said["admin key"]).read_text().strip(), said["metrics"].split())
        finally:
            process.terminate()


def _pace_for(busy: float, former: tuple[float, float], latter: tuple[float, float]) -> float:
    """The frames a second at which so much is busy, by two paces and what was busy at them."""
    (first, first_busy), (second, second_busy) = former, latter
    slope = max(1e-3, (second_busy - first_busy) / (second - first)) if second != first else 1.0
    return round(min(FASTEST_FPS, max(SLOWEST_FPS, second + (busy - second_busy) / slope)), 1)


def _drain(lines: Iterator[str]) -> None:
    """Reads what nobody looks at, so that who says it need not wait."""
    with suppress(ValueError):  # closed
        for _ in lines:
            pass


def _camera(number: int) -> str:
    return f"camera-{number}"


def _ms(seconds: float | None) -> float:
    return round(1000 * (seconds or 0.0), 1)


def _cpu_ticks() -> tuple[int, int]:
    """All ticks of the machine's cores, and those in which they had nothing to do."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(ticks), ticks[3] + ticks[4]


def _busy_since(before: tuple[int, int]) -> float:
    (all_before, idle_before), (all_now, idle_now) = before, _cpu_ticks()
    return 1 - (idle_now - idle_before) / max(1, all_now - all_before)
