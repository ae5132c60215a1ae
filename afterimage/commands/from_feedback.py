"""`afterimage dataset from-feedback`: a data set out of the events that people judged."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from afterimage.commands.options import DEFAULT_URL, Url
from afterimage.commands.progress import progress

if TYPE_CHECKING:
    from afterimage.feedback.collecting import Collected
    from afterimage.feedback.folder import FeedbackFolder

MAX_SHOWN = 20


Folder = Annotated[Path, typer.Argument(help="Folder to write the clips and annotations.json into.")]
Streams = Annotated[list[str] | None, typer.Option("--stream", help="Of these streams only.")]
Labels = Annotated[list[str] | None, typer.Option("--label", help="With these labels only.")]
SinceMs = Annotated[int, typer.Option(min=0, help="From this time on, in ms since 1970.")]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="At most so many events, the newest.")]
SplitBy = Annotated[
    Literal["event", "stream"] | None,
    typer.Option(
        "--split",
        help="What is divided into training (70 %), validation and testing (15 % each): events, but those of one "
        "camera that show the same moments together; or whole streams, to measure on cameras never seen. "
        "Default: event, or what the folder has.",
    ),
]
Elsewhere = Annotated[
    Literal["unjudged", "absent"] | None,
    typer.Option(
        "--outside",
        help="What a clip says of its event's label before and after the event: nothing; or that it does not hold "
        "there, which is wrong where an event was missed. Default: unjudged, or what the folder has.",
    ),
]
Terms = Annotated[str | None, typer.Option(help="Under which terms the clips may be used, for annotations.json.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object: what came, what did not, and why.")]


def from_feedback(
    folder: Folder,
    stream: Streams = None,
    label: Labels = None,
    since_ms: SinceMs = 0,
    limit: Limit = 10_000,
    split: SplitBy = None,
    outside: Elsewhere = None,
    licence: Terms = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Write a data set for `train --data` out of the events that people marked right or wrong, and their clips.

    A right event teaches that its label holds from its opening to its end, as far as its clip shows it; a wrong one,
    that it does not hold there. Of everything else in a clip nothing is learned, unless --outside says so. So a label
    needs events of both kinds. Events without a clip are listed with the reason; their recorder must run.

    Run again, it adds what is new, takes over what people say otherwise now, and lets go of clips whose event nobody
    judges any more; events that the system has forgotten stay. What is changed in annotations.json by hand is not kept.

    Example: `afterimage dataset from-feedback data/mine`, then
    `afterimage train --data data/mine --out data/models/mine` and
    `afterimage evaluate --model data/models/mine --data data/mine`.
    """
    from afterimage.client import Client
    from afterimage.feedback.collecting import WantedEvents, collect
    from afterimage.feedback.folder import FeedbackFolder
    from shared.errors import DatasetUnusable

    into, wanted = FeedbackFolder(folder), WantedEvents(stream, label, since_ms, limit)
    with Client(url) as client, into.opened(), progress("fetching clips") as show:
        into.set_terms({"split": split, "outside": outside, "licence": licence})
        found = collect(client, into, wanted, show)
    if as_json:
        typer.echo(json.dumps(_as_json(found, into)))
    else:
        _print(found, into)
    if not into.clips:
        raise DatasetUnusable(f"{folder}: holds no clip: no event that people marked right or wrong has one")


def _as_json(found: "Collected", folder: "FeedbackFolder") -> dict[str, object]:
    from afterimage.feedback.collecting import lacking

    return {
        "clips": len(folder.clips),
        "subsets": dict(sorted(Counter(clip.subset for clip in folder.clips.values()).items())),
        "added": found.added,
        "changed": found.changed,
        "withdrawn": found.withdrawn,
        "skipped": found.skipped,
        "lacking": list(lacking(folder.clips.values(), folder.terms.outside)),
    }


def _print(found: "Collected", folder: "FeedbackFolder") -> None:
    from rich.console import Console
    from rich.table import Table

    from afterimage.feedback.collecting import lacking

    for event_id, reason in list(found.skipped.items())[:MAX_SHOWN]:
        typer.echo(f"skipped {event_id}: {reason}", err=True)
    if (more := len(found.skipped) - MAX_SHOWN) > 0:
        typer.echo(f"and {more} more are skipped: --json lists them", err=True)
    clips = list(folder.clips.values())
    counted = Counter((clip.label, clip.verdict) for clip in clips)
    table = Table("label", "right", "wrong")
    for name in sorted({clip.label for clip in clips}):
        table.add_row(name, str(counted[name, "right"]), str(counted[name, "wrong"]))
    sides = Counter(clip.subset for clip in clips)
    if clips:
        Console(highlight=False).print(table)
    for sentence in lacking(clips, folder.terms.outside):
        typer.echo(sentence)
    divided = ", ".join(f"{sides[side]} {side}" for side in sorted(sides)) or "none"
    came = f"{len(found.added)} added, {len(found.changed)} changed, {len(found.withdrawn)} withdrawn"
    typer.echo(f"{folder.root}: {len(clips)} clips ({divided}); {came}, {len(found.skipped)} skipped")
