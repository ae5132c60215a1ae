"""One file, folder or camera through the whole system, on a stack that lives as long as the analysis."""

import json
import time
from collections.abc import Sequence
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from afterimage.client import Client
from afterimage.interrupts import StopRequest
from afterimage.live import Message
from afterimage.show import event_line
from afterimage.sources import Playable, Selection
from afterimage.stack import Stack, StackOptions
from afterimage.watch import Watch, Watched
from shared.streams import StreamState

MAX_AT_ONCE = 8


class Report:
    """What the user sees of an analysis: lines and a progress bar, or JSON lines on standard output."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._console = Console(stderr=as_json, highlight=False)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.progress = Progress(
            *columns, console=self._console, disable=not self._console.is_terminal, redirect_stdout=False
        )
        self._waiting: set[str] = set()
        self._task: TaskID = self.progress.add_task("frames", total=None)

    def say(self, line: str) -> None:
        """A remark to the user."""
        self._console.print(line, markup=False, soft_wrap=True)

    def on_message(self, message: Message) -> None:
        """An event opened or closed."""
        if not self._as_json:
            self._console.print(event_line(message.event), soft_wrap=True)
        elif message.kind == "closed":
            _print_json({"type": "event", **message.event})

    def on_look(self, streams: Sequence[Watched]) -> None:
        """Where the streams stand now; a camera that went away is said once."""
        for view in (stream.view for stream in streams if stream.view and not stream.failure):
            if view.state is not StreamState.WAITING:
                self._waiting.discard(view.id)
            elif view.id not in self._waiting and view.reason:
                self._waiting.add(view.id)
                self.say(f"waiting: {view.reason}")
        totals = [
            round(stream.view.duration_seconds * stream.view.fps) if stream.view.duration_seconds else None
            for stream in streams
            if stream.view
        ]
        known = [total for total in totals if total is not None]
        total = sum(known) if len(known) == len(streams) else None
        self.progress.update(self._task, completed=sum(stream.num_frames for stream in streams), total=total)

    def summary(self, streams: Sequence[Watched], seconds: float) -> None:
        """The closing line."""
        frames, events = sum(stream.num_frames for stream in streams), sum(len(stream.closed) for stream in streams)
        rate = frames / seconds if seconds > 0 else 0.0
        if self._as_json:
            figures = {"frames": frames, "seconds": round(seconds, 3), "frames_per_second": round(rate, 1)}
            _print_json({"type": "summary", **figures, "events": events})
        else:
            self.say(f"{frames} frames in {seconds:.1f} s ({rate:.0f} frames/s), {events} events")


def analyze_sources(
    playlist: Selection, options: StackOptions, *, model: str | None, fps: float | None, as_json: bool
) -> int:
    """Plays everything, prints what happens; returns the exit code: 0, or 1 where a source failed.

    Raises StackFailed, ApiUnavailable.
    """
    request = StopRequest()
    request.listen()
    report = Report(as_json=as_json)
    for folder in playlist.skipped:
        report.say(f"skipped: {folder} holds videos; --recursive looks into subfolders")
    wanted = [_stream(source, model, fps) for source in playlist.sources]
    streams: list[Watched] = []
    started = time.monotonic()
    with Stack(options, request, report.say) as stack:
        if not stack.stopping:
            started = time.monotonic()
            streams = _play(stack, wanted, report)
        seconds = time.monotonic() - started
    report.summary(streams, seconds)
    problems = [
        *playlist.refused,
        *(f"{stream.wanted['name']}: {stream.failure}" for stream in streams if stream.failure),
    ]
    if request.stop.is_set() and any(source.base_ms is not None for source in playlist.sources):
        problems.append("stopped before the end")
    for problem in problems:
        typer.echo(f"error: {problem}", err=True)
    return 1 if problems else 0


def _play(stack: Stack, wanted: Sequence[dict[str, Any]], report: Report) -> list[Watched]:
    with Client(stack.url, stack.key.text) as client, report.progress:
        for body in wanted:
            client.remove_stream(body["id"], missing_ok=True)
        return Watch(stack, client, report.on_message, report.on_look).run(wanted, MAX_AT_ONCE)


def _stream(source: Playable, model: str | None, fps: float | None) -> dict[str, Any]:
    """The registration of a source, without what the user left to the API."""
    body = {
        "id": source.stream_id,
        "name": source.name,
        "source": source.location,
        "pace": "live" if source.base_ms is None else "fast",
        "base_ms": source.base_ms,
        "model": model,
        "fps": fps,
    }
    return {field: value for field, value in body.items() if value is not None}


def _print_json(content: dict[str, Any]) -> None:
    typer.echo(json.dumps(content))
