"""`make chaos`: the long form, with a report."""

import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import cycle, islice
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from chaos.earlier import EARLIER, NotHere, unpack
from chaos.field import Setup
from chaos.footage import FPS, render_files
from chaos.scale import NUM_FAST, Gaps, ScaleReport, measure_scale
from chaos.scenarios import LONG, UPGRADE, Amount, Report, attack, reference
from chaos.waiting import ChaosFailed
from shared.service.settings import PROJECT_ROOT
from shared.streams import DEFAULT_MODEL

ATTACKS = ("A", "B", "C", "ABC", "D", UPGRADE)
SCALE = "scale"

Scenarios = Annotated[
    list[str] | None,
    typer.Argument(
        help="A: workers killed; B: frozen; C: Redis killed and frozen; ABC: all; D: all on a cluster; "
        "upgrade: from an earlier version to this one and back, again and again; scale."
    ),
]
Seed = Annotated[int, typer.Option(help="Another seed attacks at other moments.")]
ReportFile = Annotated[Path | None, typer.Option(help="File to write the report into, as JSON.")]
Files = Annotated[int, typer.Option(min=1, help="Streams.")]
Seconds = Annotated[float, typer.Option(min=15, help="Length of each stream's clip.")]
Repeats = Annotated[int, typer.Option(min=1, help="How often each clip comes in its file.")]
Kills = Annotated[int, typer.Option(min=0, help="Workers killed in A, ABC and D.")]
LeaseSeconds = Annotated[float, typer.Option(min=1, max=60, help="A worker silent for so long is replaced.")]
ScaleFps = Annotated[float, typer.Option(min=0.1, max=8, help="Frames a second of each live stream of `scale`.")]
ScaleStreams = Annotated[int, typer.Option(min=1, help="Live streams of `scale`.")]
Earlier = Annotated[str, typer.Option(help="The commit that `upgrade` begins from.")]
Keep = Annotated[bool, typer.Option("--keep", help="Leave logs and files where they are, and say where.")]

console = Console()


def main(
    scenarios: Scenarios = None,
    seed: Seed = 1,
    report: ReportFile = None,
    files: Files = LONG.files,
    seconds: Seconds = LONG.clip_seconds,
    repeats: Repeats = LONG.repeats,
    kills: Kills = LONG.kills,
    lease_seconds: LeaseSeconds = LONG.lease_seconds,
    scale_fps: ScaleFps = 4,
    scale_streams: ScaleStreams = 64,
    earlier: Earlier = EARLIER,
    keep: Keep = False,
) -> None:
    """Kill and freeze processes of a running system, and compare what the outside world sees with a quiet run.

    Example: `make chaos ARGS="A --seed 7 --report chaos.json"`.
    """
    wanted = scenarios or [*ATTACKS, SCALE]
    if unknown := set(wanted) - {*ATTACKS, SCALE}:
        raise typer.BadParameter(f"{sorted(unknown)}; allowed are {[*ATTACKS, SCALE]}")
    signal.signal(signal.SIGTERM, _interrupt)
    amount = replace(LONG, files=files, clip_seconds=seconds, repeats=repeats, kills=kills, lease_seconds=lease_seconds)
    with _folder(keep=keep) as folder:
        setup = prepare(amount, folder)
        names = [name for name in wanted if name in ATTACKS]
        former = _unpacked(earlier, folder) if UPGRADE in names else None
        attacks = list(_attacks(names, amount, setup, seed, folder, former))
        scale = _scale(setup, amount, scale_streams, scale_fps, seed, folder) if SCALE in wanted else None
    if report:
        content = {"attacks": [each.as_json() for each in attacks], "scale": asdict(scale) if scale else None}
        report.write_text(json.dumps(content, indent=2) + "\n")
    code = max(_tell_scale(scale) if scale else 0, _tell(attacks))
    sys.exit(code if len(attacks) == len(names) else 1)


def prepare(amount: Amount, folder: Path) -> Setup:
    """Renders the files and copies the model, so that both stay as they are while it all lasts."""
    media, models = folder / "media", folder / "models"
    media.mkdir()
    shutil.copytree(PROJECT_ROOT / "models" / DEFAULT_MODEL, models / DEFAULT_MODEL)
    with _progress("rendering clips", amount.files) as show:
        paths = render_files(media, amount.files, amount.clip_seconds, amount.repeats, show)
    return Setup(
        files=paths,
        models_dir=models,
        lease_seconds=amount.lease_seconds,
        batch_size=amount.batch_size,
        num_frames=amount.num_frames,
        spec={"pace": "fast", "fps": FPS},
    )


def _unpacked(commit: str, folder: Path) -> Path:
    try:
        return unpack(commit, folder / "earlier")
    except NotHere as err:
        raise typer.BadParameter(str(err)) from err


def _attacks(
    names: Sequence[str], amount: Amount, setup: Setup, seed: int, folder: Path, earlier: Path | None
) -> Iterator[Report]:
    """A report for each scenario that came to its end; what keeps one from it is printed."""
    if not names:
        return
    with _progress("undisturbed", amount.num_frames) as show:
        known = reference(setup, folder / "undisturbed", show)
    for name in names:
        with _progress(f"scenario {name}", amount.num_frames) as show:
            try:
                yield attack(name, amount, setup, seed, known, folder / name, show, earlier)
            except ChaosFailed as err:
                console.print(f"{name}: {err}", markup=False)


def _scale(setup: Setup, amount: Amount, num_streams: int, fps: float, seed: int, folder: Path) -> ScaleReport:
    spec = {"pace": "live", "loop": True, "fps": fps}
    files = list(islice(cycle(setup.files), num_streams))
    fast = list(islice(cycle(setup.files), NUM_FAST))
    live = replace(setup, files=files, fast_files=fast, spec=spec, batch_size=0, num_frames=0)
    with _progress(f"{num_streams} live streams", None) as show:
        return measure_scale(live, amount.num_frames // amount.files, folder / SCALE, seed, show)


def _tell_scale(scale: ScaleReport) -> int:
    """Prints what was found; 1 where something is not as it must be."""
    console.print(_table_of_gaps(scale.gaps))
    for each in scale.endings:
        ended = f"{each.worker}: SIGTERM with {each.leases} leases: handed back after {each.handed_back_seconds} s"
        console.print(f"{ended}, gone after {each.ended_seconds} s", markup=False)
    console.print(f"frames of recordings: {scale.fast_frames}, dropped: {scale.fast_frames_dropped}")
    for line in scale.problems:
        console.print(line, markup=False)
    return 1 if scale.problems else 0


def _tell(attacks: Sequence[Report]) -> int:
    """Prints all that was found; 1 where something is not as it must be."""
    if not attacks:
        return 0
    console.print(_table_of_attacks(attacks))
    problems = [f"{each.scenario}: {problem}" for each in attacks for problem in each.problems]
    for line in [*problems, *(line for each in attacks for line in each.first_differences)]:
        console.print(line, markup=False)
    console.print(f"differences: {sum(each.differences for each in attacks)}")
    return 1 if problems else 0


def _table_of_attacks(attacks: Sequence[Report]) -> Table:
    """A column for each run."""
    table = Table(*(["", *(f"{each.scenario}, seed {each.seed}" for each in attacks)]))
    rows = [each.as_json() for each in attacks]
    for name in [name for name, value in rows[0].items() if isinstance(value, int | float) and name != "seed"]:
        table.add_row(name.replace("_", " "), *(str(row[name]) for row in rows))
    table.add_row("longest gap seconds", *(str(max(each.longest_gap_seconds.values())) for each in attacks))
    return table


def _table_of_gaps(gaps: Sequence[Gaps]) -> Table:
    """A line for each phase."""
    table = Table("seconds between commits of live streams", "p50", "p99", "max", "load per core")
    for each in gaps:
        figures = (each.p50_seconds, each.p99_seconds, each.max_seconds, each.load_per_core)
        table.add_row(each.phase, *(f"{figure:.3f}" for figure in figures))
    return table


@contextmanager
def _progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def _folder(*, keep: bool) -> Iterator[Path]:
    """A folder with a short path: Redis' socket lies in it."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        yield folder
    finally:
        if keep:
            console.print(f"logs and files: {folder}")
        else:
            shutil.rmtree(folder)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    typer.run(main)
