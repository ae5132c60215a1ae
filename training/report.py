"""An evaluation as a folder that a person opens: report.md, its pictures, and metrics.json for machines."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.cautions import cautions, floor_words
from training.evaluation import Evaluation, Pass, known
from training.memory_use import CLEAR, summary, verdicts
from training.plots import draw_curves, draw_strip
from training.tables import event_cells, shown

REPORT_FILE = "report.md"
METRICS_FILE = "metrics.json"
CURVES_FILE = "curves.png"


def write_report(evaluation: Evaluation, out: Path) -> Path:
    """Writes the report into the folder `out` and returns its path; pictures of a former report are replaced."""
    out.mkdir(parents=True, exist_ok=True)
    strips = write_pictures(evaluation, out)
    (out / METRICS_FILE).write_text(json.dumps(_metrics(evaluation), indent=2) + "\n")
    minutes = evaluation.seconds / 60
    parts = [
        f"# {evaluation.model}",
        f"Measured on {evaluation.data}: {evaluation.num_videos} videos, {minutes:.1f} minutes, with the runner and "
        "the tracker that serve.",
        *remarks(evaluation),
        "## Results",
        results_table(evaluation),
        events_words(evaluation),
        *floor_words(evaluation),
        "## What memory is for",
        memory_section(evaluation),
        "## Precision and recall",
        f"![precision-recall curves]({CURVES_FILE})",
        "## Scores beside the truth",
        *(f"![{escaped(strip.name)}]({name})" for strip, name in zip(evaluation.strips, strips, strict=True)),
    ]
    path = out / REPORT_FILE
    path.write_text("\n\n".join(parts) + "\n")
    return path


def write_pictures(evaluation: Evaluation, out: Path) -> list[str]:
    """Draws the curves and the strips into the folder; returns the strips' file names."""
    for old in out.glob("strip-*.png"):
        old.unlink()
    draw_curves(evaluation, out / CURVES_FILE)
    names = [f"strip-{number}.png" for number in range(1, len(evaluation.strips) + 1)]
    for strip, name in zip(evaluation.strips, names, strict=True):
        draw_strip(strip, evaluation.labels, out / name)
    return names


def results_table(evaluation: Evaluation) -> str:
    """Average precision and events by label, as a Markdown table."""
    found = evaluation.with_memory
    rows = [
        [f"`{label}`", shown(found.average_precision[label]), *event_cells(found.events[label])]
        for label in evaluation.labels
    ]
    rows.append(["**all**", shown(found.mean_average_precision), *event_cells(found.all_events)])
    headings = ["label", "AP", "precision", "recall", "F1", "delay (median), s", "false/hour", "true events"]
    return markdown_table(headings, rows)


def events_words(evaluation: Evaluation) -> str:
    """How to read the table of results."""
    accuracy = evaluation.with_memory.clip_accuracy
    clips = "" if known(accuracy) is None else f" Clips of one label that are called rightly: **{accuracy:.3f}**."
    return (
        "AP is average precision over frames; in the last row its mean over the labels that occur. An event is found "
        "where its label agrees and it overlaps the truth by half (intersection over union) or starts within "
        f"{evaluation.tolerance_seconds:g} s of it, one to one. The delay runs from the true start to the frame by "
        f"which the event opened.{clips}"
    )


def memory_section(evaluation: Evaluation) -> str:
    """The memory table and what it says in words, as Markdown."""
    passes = (evaluation.with_memory, evaluation.without_memory, evaluation.shuffled)
    found = verdicts(evaluation)
    rows = [
        [
            f"`{each.label}`",
            *(shown(one.average_precision[each.label]) for one in passes),
            *(shown(one.events[each.label].f1) for one in passes[:2]),
            each.need.value,
        ]
        for each in found
    ]
    means = [shown(one.mean_average_precision) for one in passes]
    rows.append(["**all**", *means, *(shown(one.all_events.f1) for one in passes[:2]), ""])
    rows.append(["**clip accuracy**", *(shown(one.clip_accuracy) for one in passes), "", "", ""])
    headings = ["", "AP with memory", "one frame", "shuffled", "event F1 with memory", "one frame", "needs"]
    table = markdown_table(headings, rows)
    sentences = "\n".join(f"- `{each.label}`: {each.words}." for each in found)
    return "\n\n".join((summary(found), table, sentences, _HOW))


_HOW = (
    "*One frame*: the state is reset before every frame. *Shuffled*: memory is carried, over the frames of each video "
    f"in a random order. Differences of AP below {CLEAR:g} are called none. All three use the same weights, so this "
    "says what this model does with memory; a network trained without it may find more in one frame."
)


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells as a Markdown table."""
    rule = ["---"] * len(headings)
    lines = ([cell.replace("|", "/").replace("\n", " ") for cell in row] for row in (headings, rule, *rows))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _metrics(evaluation: Evaluation) -> dict[str, Any]:
    """The JSON line's figures, and those of the other two passes."""
    return {
        **evaluation.as_json(),
        "data": evaluation.data,
        "tolerance_seconds": evaluation.tolerance_seconds,
        "without_memory": _pass(evaluation.without_memory),
        "shuffled": _pass(evaluation.shuffled),
        "prevalence": {label: known(share) for label, share in evaluation.prevalence.items()},
        "verdicts": {each.label: {"needs": each.need.value, "words": each.words} for each in verdicts(evaluation)},
        "cautions": list(cautions(evaluation)),
        "notes": list(evaluation.notes),
    }


def _pass(found: Pass) -> dict[str, Any]:
    figures = found.frame_figures()
    if found.events:
        labels = {label: events.figures() for label, events in found.events.items()}
        figures["events"] = {**found.all_events.figures(), "labels": labels}
    return figures


def remarks(evaluation: Evaluation) -> list[str]:
    """What must be said of an evaluation, and what it left out, as Markdown."""
    notes = ["\n".join(f"- {note}" for note in evaluation.notes)] if evaluation.notes else []
    return [*(f"**{caution}**" for caution in cautions(evaluation)), *notes]


def escaped(name: str) -> str:
    """A file's name, or words with one, for Markdown."""
    return name.replace("[", "(").replace("]", ")").replace("\n", " ")
