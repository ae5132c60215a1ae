"""How events and streams look in a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

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
            *(Text(str(view[key])) for key in ("id", "name", "state", "frames_processed", "lag_frames")),
            *(Text(str(view[key])) for key in ("frames_dropped", "source")),
            Text(view["reason"] or ""),
        )
    return table


def bench_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """What the worker reaches beside the bare loop, in frames per second."""
    table = Table("streams", "worker", "bare loop", "ratio", title="frames per second")
    for row in rows:
        table.add_row(str(row["streams"]), f"{row['worker_fps']:.1f}", f"{row['bare_fps']:.1f}", f"{row['ratio']:.3f}")
    return table


def figures_table(title: str, rows: Sequence[Mapping[str, float]]) -> Table:
    """Rows of plain figures, a column for each name."""
    table = Table(*(name.replace("_", " ") for name in rows[0]), title=title)
    for row in rows:
        table.add_row(*(f"{value:g}" for value in row.values()))
    return table
