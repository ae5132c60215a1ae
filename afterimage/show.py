"""How events and streams look in a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from afterimage.tuning import JudgedSpans, TunedChoice
from shared.clock import now_ms

OPENED, CLOSED = "green", "cyan"


def clock(seconds: float) -> str:
    """Seconds as `m:ss.s`, or `h:mm:ss.s` from an hour on."""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def event_line(event: Mapping[str, Any]) -> Text:
    """One event as one line: when in the source, what became of it, where, how sure."""
    closed = event["state"] == "closed"
    lasted = f"{(event['ended_at_ms'] - event['started_at_ms']) / 1000:6.1f} s" if closed else " " * 8
    return Text.assemble(
        f"{clock(event['media_started_seconds']):>9}  ",
        ("closed" if closed else "opened", CLOSED if closed else OPENED),
        f"  {event['stream_id']:<20}  ",
        (f"{event['label']:<12}", "bold"),
        f" {lasted}  peak {event['peak_score']:.2f}  mean {event['mean_score']:.2f}",
    )


def stream_table(views: Iterable[Mapping[str, Any]]) -> Table:
    """Streams as a table."""
    table = Table("id", "name", "state", "processed", "lag", "dropped", "source", "reason")
    for view in views:
        table.add_row(
            *(Text(str(view[key])) for key in ("id", "name")),
            Text(_standing(view)),
            *(Text(str(view[key])) for key in ("frames_processed", "lag_frames", "frames_dropped", "source")),
            Text(view["reason"] or ""),
        )
    return table


def tuning_table(label: str, judged: JudgedSpans, present: TunedChoice, others: Sequence[TunedChoice]) -> Table:
    """What thresholds would have given of the judged events of a label: the present ones, then others."""
    num_right, num_wrong = len(judged.right), len(judged.wrong)
    table = Table("", "enter", "exit", f"of {num_right} right", f"of {num_wrong} wrong", "not judged", title=label)
    for number, choice in enumerate((present, *others)):
        figures = (choice.num_right, choice.num_wrong, choice.num_others)
        limits = (f"{each:.3f}" for each in (choice.thresholds.enter, choice.thresholds.exit))
        table.add_row("" if number else "now", *limits, *map(str, figures))
    return table


def key_table(views: Iterable[Mapping[str, Any]]) -> Table:
    """Keys as a table."""
    table = Table(Column("id", no_wrap=True), "name", "role", "groups", "last used", "ends")
    for view in views:
        ends = "revoked" if view["revoked_at_ms"] is not None else _day(view["expires_at_ms"])
        groups = ", ".join(view["groups"]) or "all"
        row = (view["id"], view["name"], view["role"], groups, _day(view["last_used_at_ms"]), ends)
        table.add_row(*(Text(str(cell)) for cell in row))
    return table


def _day(at_ms: int | None) -> str:
    return "never" if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _standing(view: Mapping[str, Any]) -> str:
    """A stream's state and, of one that is tried again, in what time."""
    next_attempt_at_ms = view.get("next_attempt_at_ms")
    if next_attempt_at_ms is None:
        return str(view["state"])
    return f"{view['state']}, again in {max(0, round((next_attempt_at_ms - now_ms()) / 1000))} s"


def probe_table(figures: Mapping[str, Any]) -> Table:
    """What a source is."""
    fps, duration = figures["fps"], figures["duration_seconds"]
    rows = {
        "source": figures["source"],
        "codec": figures["codec"],
        "size": f"{figures['width']} x {figures['height']}",
        "frames/s": "not stated" if fps is None else f"{fps:g}",
        **({} if duration is None else {"duration": clock(duration)}),
        "first picture": f"after {figures['took_seconds']:.2f} s",
    }
    table = Table(show_header=False)
    for name, value in rows.items():
        table.add_row(name, Text(str(value)))
    return table


def bench_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """What the worker reaches beside the bare loop, in frames per second, and beside another checkout where it ran."""
    names = ["worker", "bare loop", "ratio"]
    keys = {"worker_fps": ".1f", "bare_fps": ".1f", "ratio": ".3f"}
    if rows[0]["bare_gain"] is not None:
        names += ["worker before", "bare before", "worker gain", "bare gain"]
        keys |= {"before_worker_fps": ".1f", "before_bare_fps": ".1f", "worker_gain": ".2f", "bare_gain": ".2f"}
    table = Table("streams", *names, title="frames per second")
    for row in rows:
        table.add_row(str(row["streams"]), *(format(row[key], form) for key, form in keys.items()))
    return table


def ingest_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """What a source frame costs, ours beside others."""
    sides, ratios = list(rows[0]["seconds"]), [pair for pair in rows[0]["ratios"] if pair.startswith("auto/")]
    names = ("film", "Mbit/s", *sides, *ratios, "streams per core")
    table = Table(*names, title="CPU seconds per 1,000 source frames at 25 fps, sampled at 8")
    for row in rows:
        costs = (f"{row['seconds'][side]:.2f}" for side in sides)
        compared = (f"{row['ratios'][pair]:.2f}" for pair in ratios)
        table.add_row(row["film"], f"{row['mbit_per_second']:g}", *costs, *compared, f"{row['streams_per_core']:g}")
    return table


def figures_table(title: str, rows: Sequence[Mapping[str, float]]) -> Table:
    """Rows of plain figures, a column for each name."""
    table = Table(*(name.replace("_", " ") for name in rows[0]), title=title)
    for row in rows:
        table.add_row(*(f"{value:g}" for value in row.values()))
    return table
