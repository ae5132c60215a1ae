"""Which incidents are staged on which backdrops: every manner as often, and every view, as can be."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from random import Random
from threading import Event
from typing import Final

import cv2
import numpy as np

from services.ingest.sources.video import Video, open_video
from shared.errors import DatasetUnusable, SourceFailed
from shared.sources import Source
from training.bench.staging.damage import HARMS
from training.bench.staging.encoding import MAX_HEIGHT
from training.bench.staging.making import MANNERS
from training.bench.staging.takes import FIRST_KINDS, KINDS, Stage, Take

MIN_SECONDS: Final = 5.0
MIN_FPS: Final = 8.0
EDGE_LEVELS: Final = 8
MIN_EDGES: Final = 0.03
MIN_TILES: Final = 0.3
"""The share of 25 tiles in which so large a share of the pixels are edges of so many grey levels."""
NUM_SPARES: Final = 3
EVERY: Final = (*MANNERS, *(("glitch", name) for name in HARMS))
"""Kind and manner."""


@dataclass(frozen=True, slots=True)
class Location:
    """A real video to stage incidents on."""

    file: Path
    width: int
    height: int
    fps: float
    seconds: float


def planned(
    groups: Mapping[str, Sequence[Path]], kinds: Collection[str] = KINDS, count: int | None = None, seed: int = 0
) -> list[Take]:
    """`count` takes of these kinds, every manner twice where None: the same for the same files, kinds and seed.

    Each manner comes in turn, on one group after the other. Raises DatasetUnusable where no file is long enough.
    """
    known = [each for each in EVERY if each[0] in kinds]
    first = [each for each in known if each[0] in FIRST_KINDS]
    further = [each for each in known if each not in first]
    count = count or 2 * len(known)
    of_first = round(count * len(first) / len(known))
    takes = _in_turn(groups, first, of_first, seed) + _in_turn(groups, further, count - of_first, seed + 2)
    return sorted(takes, key=lambda take: (take.kind, take.manner, take.name))


def _in_turn(groups: Mapping[str, Sequence[Path]], manners: list[tuple[str, str]], count: int, seed: int) -> list[Take]:
    if not count:
        return []
    rng = Random(seed)
    locations, spares = _locations(groups, rng), _locations(groups, Random(seed + 1))
    takes: list[Take] = []
    while len(takes) < count:
        rng.shuffle(manners)
        for kind, manner in manners[: count - len(takes)]:
            take = _take(len(takes), kind, manner, next(locations), rng)
            takes.append(_with_spares(take, spares) if kind == "glitch" else take)
    return takes


def _take(number: int, kind: str, manner: str, at: Location, rng: Random) -> Take:
    start, lasts = rng.uniform(7.5, 8.5), rng.uniform(6.0, 8.0)
    words = f"{number:03}-{kind}-{manner}".replace(",", "").replace(".", "").replace(" ", "-").lower()
    # on the backdrop's grid, so that what a filter does from a frame on is true from that frame on
    start, end = round(start * at.fps) / at.fps, round((start + lasts) * at.fps) / at.fps
    stage = Stage(at.width, at.height, at.fps, start, end)
    return Take(words, kind, manner, at.file, at.seconds, stage, rng.getrandbits(32))


def _with_spares(take: Take, locations: Iterator[Location]) -> Take:
    rng = Random(take.seed)
    number = int(take.name.partition("-")[0])
    elsewhere = (_take(number, take.kind, take.manner, at, rng) for at in islice(locations, NUM_SPARES))
    return replace(take, spares=tuple(elsewhere))


def _locations(groups: Mapping[str, Sequence[Path]], rng: Random) -> Iterator[Location]:
    """Backdrops without end: a file of each group, in a random order, then another of each."""
    known: dict[Path, Location | None] = {}
    names = sorted(groups)
    rng.shuffle(names)
    first = next(_round(groups, names, rng, known), None)
    if first is None:
        raise DatasetUnusable(
            f"no backdrop: of {sum(map(len, groups.values()))} videos none decodes, is {MIN_SECONDS:g} s long and has "
            f"{MIN_FPS:g} frames/s; give real videos with --backdrops"
        )

    def endless() -> Iterator[Location]:
        while True:
            yield from _round(groups, names, rng, known)

    return endless()


def _round(
    groups: Mapping[str, Sequence[Path]], names: Sequence[str], rng: Random, known: dict[Path, Location | None]
) -> Iterator[Location]:
    for name in names:
        file = rng.choice(groups[name])
        if file not in known:
            known[file] = _seen(file)
        if location := known[file]:
            yield location


def _seen(file: Path) -> Location | None:
    """A file of even size, at most 720 high; None where it does not decode, is too short or slow, or shows little."""
    try:
        with open_video(Source(str(file))) as video:
            info = video.info
            seconds, fps = info.duration_seconds or 0.0, info.fps or 0.0
            if seconds < MIN_SECONDS or fps < MIN_FPS or not _shows_enough(video):
                return None
    except SourceFailed:
        return None
    shrunk = min(1.0, MAX_HEIGHT / info.height)
    width, height = (2 * round(side * shrunk / 2) for side in (info.width, info.height))
    return Location(file, width, height, fps, seconds)


def _shows_enough(video: Video) -> bool:
    """Whether there are edges all over the picture: an empty sky shows neither blur nor a jump."""
    for frame in islice(video.frames(1.0, Event()), int(MIN_SECONDS)):
        grey = cv2.cvtColor(cv2.resize(frame.image, (161, 121), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
        levels = grey.astype(np.int16)
        edges = (np.abs(np.diff(levels, axis=0))[:, :-1] > EDGE_LEVELS) | (
            np.abs(np.diff(levels, axis=1))[:-1] > EDGE_LEVELS
        )
        tiles = edges.reshape(5, 24, 5, 32).mean(axis=(1, 3))
        if (tiles > MIN_EDGES).mean() < MIN_TILES:
            return False
    return True
