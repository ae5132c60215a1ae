"""`make scale`: prints what thousands of streams cost, as tables."""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from scale.run import Plan, measure

MAX_SECONDS, MAX_BYTES = 1.0, 2_000_000
"""A page of metrics."""


def main(
    streams: Annotated[int, typer.Option(help="Registered streams; four of five are paused, one's file has ended.")] = (
        10_000
    ),
    live: Annotated[int, typer.Option(help="Those whose frames a script writes.")] = 1000,
    fps: Annotated[float, typer.Option(help="Frames a second of each of them.")] = 1.0,
    played: Annotated[int, typer.Option(help="Streams that ingest plays, registered one after another.")] = 48,
    seconds: Annotated[float, typer.Option(help="How long each share of a core is measured.")] = 30,
) -> None:
    """Register a fleet, and measure services, lists and pages of metrics: at rest, and with some streams live."""
    with tempfile.TemporaryDirectory(prefix="afterimage-") as folder:
        plan = Plan(streams, live, fps, played, seconds)
        report = measure(
            plan,
            Path(folder),
            say=lambda said: print(f"... {said}", file=sys.stderr, flush=True),
            tell=lambda told: print(told, end="\n\n", flush=True),
        )
    pages = [page.answer for page in (*report.pages.values(), *report.live_pages.values())]
    if any(page.seconds > MAX_SECONDS or page.num_bytes > MAX_BYTES for page in pages):
        print(f"A page of metrics takes longer than {MAX_SECONDS:g} s, or has more than {MAX_BYTES} bytes.")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
