"""Clips of incidents, made from real backdrops, and what is true of each."""

import json
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any, Final

from shared.errors import DatasetUnusable
from training.bench.staging.covers import COVERS
from training.bench.staging.damage import HARMS, damaged
from training.bench.staging.encoding import ANY_CODEC, encode, require_ffmpeg
from training.bench.staging.sensors import SENSORS
from training.bench.staging.takes import Manner, Take, Truth
from training.bench.staging.views import VIEWS

TRUTH_FILE: Final = "truth.json"
MANNERS: Final = {(each.kind, each.name): each for each in (*COVERS, *VIEWS, *SENSORS)}


def make(takes: Sequence[Take], folder: Path, shown: Iterable[Take] | None = None) -> list[Truth]:
    """Makes the clips in `folder` with their truth.json; what is there already, of the same takes, is not made again.

    `shown` are the same takes, shown as they are begun. Takes whose damage cannot be seen on any of their backdrops are
    left out. Raises SettingsInvalid where ffmpeg is not there, SourceFailed where it fails.
    """
    require_ffmpeg()
    folder.mkdir(parents=True, exist_ok=True)
    attempts = [_kept(folder, take) or _first_made(take, folder) for take in shown or takes]
    made = [truth for truth in attempts if truth]
    (folder / TRUTH_FILE).write_text(json.dumps([asdict(truth) for truth in made], indent=1) + "\n")
    return made


def read_truth(folder: Path) -> list[Truth]:
    """What is true of the clips of a folder; raises DatasetUnusable where it holds none."""
    file = folder / TRUTH_FILE
    if not file.is_file():
        raise DatasetUnusable(f"{file}: not there; a folder of incidents holds it")
    return [_truth(each) for each in json.loads(file.read_text())]


def _truth(fields: dict[str, Any]) -> Truth:
    return Truth(**(fields | {"also": tuple(fields["also"])}))


def _kept(folder: Path, take: Take) -> Truth | None:
    note = folder / f"{take.name}.json"
    if not note.is_file():
        return None
    kept = json.loads(note.read_text())
    truth = _truth(kept["truth"])
    return truth if kept["take"] == repr(take) and (folder / truth.file).is_file() else None


def _first_made(take: Take, folder: Path) -> Truth | None:
    return next((truth for each in (take, *take.spares) if (truth := _made(each, take, folder))), None)


def _made(take: Take, planned: Take, folder: Path) -> Truth | None:
    rng = Random(take.seed)
    with tempfile.TemporaryDirectory() as scratch:
        made = (damaged if take.kind == "glitch" else _filtered)(take, rng, Path(scratch))
        if not made:
            return None
        clip, start, end = made
        file = take.name + clip.suffix
        shutil.move(clip, folder / file)
    also = ("frozen",) if take.kind == "glitch" and HARMS[take.manner].loses else ()
    truth = Truth(file, take.kind, take.manner, round(start, 3), round(end, 3), take.backdrop.name, also)
    (folder / f"{take.name}.json").write_text(json.dumps({"take": repr(planned), "truth": asdict(truth)}))
    return truth


def _filtered(take: Take, rng: Random, scratch: Path) -> tuple[Path, float, float]:
    manner: Manner = MANNERS[take.kind, take.manner]
    clip = scratch / "clip.mkv"
    stage = take.stage
    encode(take, rng, manner.filters(stage, rng), manner.codec or rng.choice(ANY_CODEC), clip)
    return clip, stage.start, stage.start + manner.lasts if manner.lasts else stage.end
