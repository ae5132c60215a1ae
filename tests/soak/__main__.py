"""`make soak`: the long form of the outage tests, with a report."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from soak.crowd import crowd
from soak.footage import long_film
from soak.run import Plan, restarts, soak

Minutes = Annotated[float, typer.Option(min=0.5, help="How long cameras come and go.")]
NumStreams = Annotated[int, typer.Option("--streams", min=1, help="Cameras.")]
NumServers = Annotated[int, typer.Option("--servers", min=1, help="Servers; each takes its cameras along.")]
Seed = Annotated[int, typer.Option(help="Another seed disturbs at other moments.")]
NumRestarts = Annotated[
    int, typer.Option("--restarts", min=0, help="Instead: stop and start one server for all, so many times.")
]
NumDead = Annotated[
    int, typer.Option("--dead", min=0, help="Instead: watch the cameras alone, then beside so many dead addresses.")
]
Film = Annotated[Path | None, typer.Option(exists=True, help="H.264 MP4 to play; otherwise one is rendered.")]
StallSeconds = Annotated[float, typer.Option(min=1, help="Silence after which a camera is given up.")]
ClockBack = Annotated[
    float, typer.Option("--clock-back", min=0, help="Set the service's clock back by so many seconds half-way.")
]
LogFile = Annotated[Path | None, typer.Option(help="File to keep the service's log in.")]

console = Console()


def main(
    minutes: Minutes = 20,
    num_streams: NumStreams = 16,
    num_servers: NumServers = 4,
    seed: Seed = 1,
    num_restarts: NumRestarts = 0,
    num_dead: NumDead = 0,
    film: Film = None,
    stall_seconds: StallSeconds = 10,
    clock_back_seconds: ClockBack = 0,
    log: LogFile = None,
) -> None:
    """Watch RTSP cameras that vanish, hang and come back, and report what became of memory, counters and latency.

    Examples: `make soak ARGS="--minutes 2 --streams 8 --seed 7"`,
    `make soak ARGS="--minutes 1 --streams 100 --dead 400"`.
    """
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        with console.status("preparing the film"):
            path = long_film(folder, film, seconds=60 * minutes + 120)
        plan = Plan(minutes, num_streams, num_servers, seed, path, stall_seconds, clock_back_seconds)
        try:
            if num_dead:
                with _progress("crowd", 120 * minutes) as show:
                    report = crowd(path, num_streams, num_dead, 60 * minutes, folder, show)
            elif num_restarts:
                with _progress("restarts", num_restarts) as show:
                    report = restarts(plan, num_restarts, folder, show)
            else:
                with _progress("soak", 60 * minutes) as show:
                    report = soak(plan, folder, show)
        finally:
            if log and (folder / "ingest.log").exists():
                log.write_bytes((folder / "ingest.log").read_bytes())
    console.print(report.table())
    for problem in report.problems:
        console.print(f"problem: {problem}", markup=False)
    sys.exit(1 if report.problems else 0)


@contextmanager
def _progress(what: str, total: float) -> Iterator[Callable[[float, str], None]]:
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.fields[said]}")
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(what, total=total, said="")
        yield lambda done, said: bar.update(task, completed=done, said=said)


if __name__ == "__main__":
    typer.run(main)
