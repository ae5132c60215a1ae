"""Which videos a model has learned from: `learned.json` in its folder, so that an evaluation knows them again.

It holds no names and no paths: of each video a fingerprint of its content, and what the floor is fitted on.
"""

from collections.abc import Iterable
from dataclasses import astuple
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from shared.errors import ModelUnusable
from shared.manifest import Closed, Label
from shared.words.validation import first_problem
from training.datasets.annotations import MAX_VIDEOS
from training.datasets.dataset import LabelledVideo
from training.datasets.fingerprint import video_fingerprint

LEARNED_FILE: Final = "learned.json"
UNKNOWN_PAST: Final = "the model's folder does not say which videos it learned from: these may be among them"
MAX_BYTES: Final = 64 << 20

Use = Literal["learned", "tuned"]
"""tuned: held out of learning, to choose the epoch and the thresholds"""
Figure = Annotated[float, Field(ge=0, le=1e15)]


class LearnedVideo(Closed):
    """A video that a model has learned from."""

    fingerprint: str = Field(pattern=r"^[0-9a-f]{32}$")
    use: Use
    facts: tuple[Figure, Figure, Figure, Figure] | None = None
    """bytes, pixels, frames per second, seconds"""
    labels: dict[Label, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    """the share of its time that each holds, where it does"""


class Learned(Closed):
    """All videos that a model has learned from."""

    version: Literal[1] = 1
    videos: tuple[LearnedVideo, ...] = Field(max_length=MAX_VIDEOS)

    def uses(self) -> dict[str, Use]:
        """What each fingerprint served; learning, where both."""
        known: dict[str, Use] = {}
        for video in self.videos:
            if known.get(video.fingerprint) != "learned":
                known[video.fingerprint] = video.use
        return known

    def counts(self, fingerprints: Iterable[str]) -> tuple[int, int]:
        """How many of the videos it learned from, and how many of the others it was tuned on."""
        known = self.uses()
        found = [known.get(each) for each in fingerprints]
        return found.count("learned"), found.count("tuned")


def learned_from(videos: Iterable[LabelledVideo], tuned_on: Iterable[LabelledVideo]) -> Learned:
    """The record of a training run; raises DatasetUnusable where a video cannot be read."""
    learned = [_video(video, "learned") for video in videos] + [_video(video, "tuned") for video in tuned_on]
    return Learned(videos=tuple(learned[:MAX_VIDEOS]))


def write_learned(folder: Path, learned: Learned) -> None:
    """Writes the record beside its path in a model folder, then over it."""
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f".{LEARNED_FILE}.new"
    beside.write_text(learned.model_dump_json(exclude_none=True) + "\n")
    beside.replace(folder / LEARNED_FILE)


def read_learned(folder: Path) -> Learned | None:
    """A model folder's record, None where it has none; raises ModelUnusable where it is broken."""
    path = folder / LEARNED_FILE
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModelUnusable(f"{path}: larger than {MAX_BYTES} bytes")
        return Learned.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as err:
        raise ModelUnusable(f"{path}: {first_problem(err)}") from err
    except OSError as err:
        raise ModelUnusable(f"{path}: {err.strerror}") from err


def _video(video: LabelledVideo, use: Use) -> LearnedVideo:
    facts = None if video.facts is None else astuple(video.facts)
    return LearnedVideo(fingerprint=video_fingerprint(video.path), use=use, facts=facts, labels=_shares(video))


def _shares(video: LabelledVideo) -> dict[str, float]:
    """The share of a video's time that each of its labels holds."""
    whole = video.seconds or max((each.end_seconds for each in video.intervals), default=1.0)
    held: dict[str, float] = {}
    for each in video.intervals:
        held[each.label] = held.get(each.label, 0.0) + each.end_seconds - each.start_seconds
    return {label: round(min(1.0, seconds / whole), 4) for label, seconds in held.items()}
