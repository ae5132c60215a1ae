"""What the bench found, for the terminal, as JSON, and as a folder that a person opens."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from training.bench.scoring import ClipScore, IncidentReport, KindScore
from training.bench.staging.takes import KINDS
from training.bench.strips import Viewing, draw_viewing
from training.bench.untouched import UntouchedReport
from training.evaluation import known
from training.events import Detection
from training.report import METRICS_FILE, REPORT_FILE, escaped, markdown_table
from training.tables import red, shown
from training.truth import Interval

HOW: Final = (
    "An incident is found where an alarm of its kind opens from half a second before its start to its end; one that "
    "stands already tells nothing. Alarms of other kinds that open meanwhile are false inside, any that opens before "
    "or more than 3 s after is false outside; between, the return of the usual picture is news, counted apart and "
    "not false. The delay runs from the start to the frame by which the alarm opened."
)
MAX_UNREADABLE: Final = 1000
"""So many are named for machines."""
KIND_HEADINGS: Final = ("kind", "found", "F1", "false inside", "outside", "at return", "delay s")
RATE_HEADINGS: Final = ("kind", "false alarms", "a camera and day", "95 % bound")


def incidents_json(report: IncidentReport) -> dict[str, Any]:
    """Every figure by kind and manner, and every clip."""
    return {
        "model": report.model,
        **(report.choice.as_json() if report.choice else {}),
        "all": _kind_json(report.all_kinds()),
        "kinds": {score.kind: _kind_json(score) for score in report.kinds()},
        "manners": [
            {"kind": kind, "manner": manner, "found": found, "true": staged}
            for (kind, manner), (found, staged) in report.manners().items()
        ],
        "clips": [_clip_json(clip) for clip in report.clips],
    }


def untouched_json(report: UntouchedReport) -> dict[str, Any]:
    """Hours, false alarms and their rates by kind, and every file."""
    rates = {
        name: {
            "false": report.count(*kinds),
            "per_camera_day": round(report.per_day(*kinds), 3),
            "bound_per_camera_day": round(report.bound_per_day(*kinds), 3),
        }
        for name, kinds in _kinds(report).items()
    }
    files = [
        {"file": each.file, "seconds": round(each.seconds, 3), "alarms": [*map(_alarm_json, each.alarms)]}
        for each in report.files
    ]
    return {
        "model": report.model,
        **(report.choice.as_json() if report.choice else {}),
        "hours": round(report.seconds / 3600, 4),
        "kinds": rates,
        "files": files,
        "unreadable": list(report.unreadable[:MAX_UNREADABLE]),
        "notes": list(report.notes),
    }


def incident_tables(report: IncidentReport) -> Group:
    """By kind, and the manners that were not always found."""
    table = Table(*KIND_HEADINGS, title=f"{report.model}: {len(report.clips)} incidents")
    for row in _kind_rows(report):
        table.add_row(*row)
    missed = [
        f"{kind}, {manner}: {found} of {staged}"
        for (kind, manner), (found, staged) in report.manners().items()
        if found < staged
    ]
    cautions, notes = incident_words(report)
    return Group(
        *red(cautions),
        table,
        *(Text(words) for words in ("not always found:", *missed) if missed),
        *(Text(f"note: {note}") for note in notes),
    )


def untouched_tables(report: UntouchedReport) -> Group:
    """False alarms by kind."""
    title = f"{report.model}: {len(report.files)} untouched files, {report.seconds / 3600:.2f} hours"
    table = Table(*RATE_HEADINGS, title=title)
    for row in _rate_rows(report):
        table.add_row(*row)
    return Group(*red(report.cautions), table, *(Text(f"note: {note}") for note in report.notes))


def incident_words(report: IncidentReport) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What must be said in red of the backdrops, and what besides."""
    return (report.choice.cautions(), report.choice.notes()) if report.choice else ((), ())


def write_bench_report(
    out: Path,
    incidents: tuple[IncidentReport, Mapping[str, Viewing]] | None,
    untouched: tuple[UntouchedReport, Mapping[str, Viewing]] | None,
) -> Path:
    """Writes report.md, metrics.json and a strip of every miss and false alarm; returns the report's path."""
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("strip-*.png"):
        old.unlink()
    parts: list[str] = []
    metrics: dict[str, Any] = {}
    if incidents:
        metrics["incidents"] = incidents_json(incidents[0])
        parts += _incident_parts(out, *incidents)
    if untouched:
        metrics["untouched"] = untouched_json(untouched[0])
        parts += _untouched_parts(out, *untouched)
    (out / METRICS_FILE).write_text(json.dumps(metrics, indent=1) + "\n")
    path = out / REPORT_FILE
    path.write_text("\n\n".join(parts) + "\n")
    return path


def _incident_parts(out: Path, report: IncidentReport, wrong: Mapping[str, Viewing]) -> list[str]:
    manners = [
        [f"`{kind}`", manner, f"{found} of {staged}"] for (kind, manner), (found, staged) in report.manners().items()
    ]
    parts = [
        f"# Incidents: {report.model}",
        *_remarks(*incident_words(report)),
        f"{len(report.clips)} clips made with FFmpeg on real footage. {HOW}",
        markdown_table(KIND_HEADINGS, _kind_rows(report)),
        markdown_table(("kind", "manner", "found"), manners),
    ]
    for clip in report.clips:
        if viewing := wrong.get(clip.truth.file):
            truth = clip.truth
            name = f"strip-{Path(truth.file).stem}.png"
            start, end = truth.start_seconds, truth.end_seconds
            at = (max(0.0, start - 1), start + 0.5, (start + end) / 2, end - 0.25, end + 1)
            words = f"{truth.kind}, {truth.manner} ({truth.backdrop}): {_verdict(clip)}"
            draw_viewing(viewing, words, at, Interval(truth.kind, start, end), out / name)
            parts += [words, f"![{truth.file}]({name})"]
    return parts


def _untouched_parts(out: Path, report: UntouchedReport, wrong: Mapping[str, Viewing]) -> list[str]:
    parts = [
        f"# Untouched footage: {report.model}",
        *_remarks(report.cautions, report.notes),
        f"{len(report.files)} files, {report.seconds / 3600:.2f} hours in which nobody touched the camera. The bound "
        "is the rate that is exceeded with a chance of 5 % only (3 over the time watched where nothing was raised).",
        markdown_table(RATE_HEADINGS, _rate_rows(report)),
    ]
    for file, viewing in wrong.items():
        for number, alarm in enumerate(viewing.alarms):
            name = f"strip-untouched-{Path(file).stem}-{number}.png"
            opened = alarm.opened_seconds
            at = [min(max(0.0, opened + around), viewing.seconds) for around in (-2, -0.5, 0, 1, 3)]
            words = f"{alarm.interval.label} in {file} at {opened:.1f} s"
            draw_viewing(viewing, words, at, None, out / name)
            parts += [words, f"![{file}]({name})"]
    return parts


def _remarks(cautions: Sequence[str], notes: Sequence[str]) -> list[str]:
    """As Markdown."""
    lines = "\n".join(f"- {escaped(note)}" for note in notes)
    return [*(f"**{caution}**" for caution in cautions), *([lines] if notes else [])]


def _verdict(clip: ClipScore) -> str:
    found = f"found after {clip.delay_seconds:.2f} s" if clip.delay_seconds is not None else "missed"
    false = ", ".join(f"{each.interval.label} at {each.opened_seconds:.1f} s" for each in clip.false)
    return f"{found}; false: {false}" if false else found


def _kind_rows(report: IncidentReport) -> list[list[str]]:
    return [
        [
            score.kind,
            f"{score.matches.found} of {score.matches.found + score.matches.missed}",
            f"{score.matches.f1:.3f}",
            *map(str, (score.inside, score.outside, score.at_return)),
            shown(score.delay_median_seconds, 2),
        ]
        for score in (*report.kinds(), report.all_kinds())
    ]


def _rate_rows(report: UntouchedReport) -> list[list[str]]:
    return [
        [name, str(report.count(*kinds)), f"{report.per_day(*kinds):.1f}", f"{report.bound_per_day(*kinds):.1f}"]
        for name, kinds in _kinds(report).items()
    ]


def _kinds(report: UntouchedReport) -> dict[str, tuple[str, ...]]:
    """The kinds that the model knows, and all."""
    return {kind: (kind,) for kind in report.kinds} | {"all": KINDS}


def _kind_json(score: KindScore) -> dict[str, Any]:
    return {
        "found": score.matches.found,
        "true": score.matches.found + score.matches.missed,
        "f1": round(score.matches.f1, 4),
        "false_inside": score.inside,
        "false_outside": score.outside,
        "at_return": score.at_return,
        "delay_median_seconds": known(score.delay_median_seconds),
    }


def _clip_json(clip: ClipScore) -> dict[str, Any]:
    truth, delay = clip.truth, clip.delay_seconds
    return {
        "file": truth.file,
        "kind": truth.kind,
        "manner": truth.manner,
        "delay_seconds": known(math.nan if delay is None else delay),
        "inside": [*map(_alarm_json, clip.inside)],
        "outside": [*map(_alarm_json, clip.outside)],
        "at_return": [*map(_alarm_json, clip.at_return)],
    }


def _alarm_json(alarm: Detection) -> dict[str, Any]:
    return {"label": alarm.interval.label, "opened_seconds": round(alarm.opened_seconds, 3)}
