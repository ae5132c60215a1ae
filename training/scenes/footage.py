"""Real videos as backdrops: which part of a run each may serve, and their frames in memory."""

import csv
import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from services.ingest.sources.options import ReadOptions
from services.ingest.sources.video import open_video
from shared.errors import SourceFailed, SourceRefused
from shared.sources import Source
from training.scenes.backgrounds import Picture
from training.scenes.seeds import Split

FPS = 8.0
WORLD_SHORT_SIDE = 240
MAX_SECONDS = 120.0
MEMORY_BYTES = 256 << 20
WORLD_QUALITY = 92
NOT_VIDEOS = frozenset({".csv", ".json", ".txt", ".md", ".xml", ".png", ".jpg", ".jpeg", ".srt", ".pdf"})
SCENES_FILE = "index.csv"
SPLIT_FILE = Path(__file__).with_name("footage_split.csv")
MIN_DETAIL = 6.0
"""Grey levels of standard deviation: below it a picture is as good as empty."""
SAME_SHOT = 0.6
"""Pictures that correlate less, one after the other, are two shots."""
SAME_VIEW = 0.85
"""Stretches whose usual pictures correlate more are one shot."""
STEADY = 0.965
"""The median correlation of a camera that stands still."""
MIN_SHARE_OF_USUAL = 0.45
"""Of a shot's usual light and contrast: one that has less at times fades."""
MIN_FRAMES = 8


@dataclass(frozen=True, slots=True)
class Footage:
    """Video files and folders of them, as given; what does not decode is left out when its turn comes."""

    paths: tuple[Path, ...]

    def files(self, split: Split | None = None) -> dict[str, tuple[Path, ...]]:
        """The split's files by group, all where None is named; the same for the same names.

        Files of one group are about the same scene and never on both sides. A folder whose `index.csv` has a column
        `scene` is grouped by it. Of others group and split stand in `footage_split.csv`; a name that does not is
        grouped by its first word. Where no row names the split, a hash of the group decides, 3 : 1 : 1.
        Raises SourceRefused for a path that is not there or holds no video.
        """
        groups: dict[str, list[Path]] = {}
        for file in sorted(self._all(), key=lambda file: (file.name, str(file))):
            group, part = group_and_split(file)
            if split is None or part is split:
                groups.setdefault(group, []).append(file)
        return {group: tuple(files) for group, files in sorted(groups.items())}

    @property
    def names(self) -> list[str]:
        """The names of all files, whatever they serve."""
        return sorted(file.name for file in self._all())

    def _all(self) -> set[Path]:
        found: set[Path] = set()
        for path in self.paths:
            if not path.exists():
                raise SourceRefused(f"{path}: no such file or folder of footage")
            inside = path.rglob("*") if path.is_dir() else [path]
            videos = {file.resolve() for file in inside if file.is_file() and file.suffix.lower() not in NOT_VIDEOS}
            if not videos:
                raise SourceRefused(f"no video in {path}")
            found |= videos
        return found


def group_and_split(file: Path) -> tuple[str, Split | None]:
    """A video's group and the split that it serves, if any, by its scene where its folder lists it, else its name."""
    if scene := _scenes(file.parent).get(file.name):
        return _hashed(f"{file.parent.name}-{scene}")
    plain = re.sub(r"^[0-9a-f]{8}_", "", file.name)
    for pattern, group, split in _listed():
        if fnmatchcase(plain, pattern):
            return group, split
    return _hashed(re.split(r"[^A-Za-z0-9]", plain)[0].lower() or plain)


def _hashed(group: str) -> tuple[str, Split]:
    share = hashlib.blake2b(group.encode(), digest_size=2).digest()[0] / 256
    return group, Split.TRAINING if share < 0.6 else Split.VALIDATION if share < 0.8 else Split.EVALUATION


@cache
def _scenes(folder: Path) -> dict[str, str]:
    """The scene of each file that a folder's index lists."""
    index = folder / SCENES_FILE
    if not index.is_file():
        return {}
    with index.open(newline="") as lines:
        return {row["file"]: row["scene"] for row in csv.DictReader(lines) if row.get("file") and row.get("scene")}


@cache
def _listed() -> tuple[tuple[str, str, Split | None], ...]:
    with SPLIT_FILE.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    splits = {split.name.lower(): split for split in Split}
    return tuple((row["name"], row["group"], splits.get(row["split"])) for row in rows)


@dataclass(frozen=True, slots=True)
class Film:
    """A video's frames at 8 fps, as JPEG, at up to 240 lines."""

    jpegs: tuple[bytes, ...]
    shots: tuple[tuple[int, int], ...]
    """first and last + 1 of each stretch of at least a second in which one camera stands still"""

    @property
    def num_bytes(self) -> int:
        """What it takes in memory."""
        return sum(map(len, self.jpegs))

    def picture(self, index: int) -> Picture:
        """A frame, [H, W, 3] BGR."""
        return np.asarray(cv2.imdecode(np.frombuffer(self.jpegs[index], np.uint8), cv2.IMREAD_COLOR), np.uint8)

    def still(self, rng: Generator) -> Picture:
        """One frame, or the median of a few of one shot, from which what passes by is gone."""
        if not self.shots or rng.random() < 0.5:
            return self.picture(int(rng.integers(0, len(self.jpegs))))
        first, last = self.shots[int(rng.integers(0, len(self.shots)))]
        frames = np.stack([self.picture(index) for index in np.linspace(first, last - 1, 5).astype(int)])
        return np.asarray(np.sort(frames, axis=0)[2], np.uint8)


class FilmCache:
    """The films that were used last, up to a limit in bytes; what does not decode is remembered as None."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._films: OrderedDict[Path, Film | None] = OrderedDict()

    def film(self, file: Path) -> Film | None:
        """The file's film, None where it does not decode or shows nothing."""
        if file not in self._films:
            self._films[file] = read_film(file)
            self._shrink()
        self._films.move_to_end(file)
        return self._films[file]

    def _shrink(self) -> None:
        held = sum(film.num_bytes for film in self._films.values() if film)
        for file, film in list(self._films.items())[:-1]:
            if held <= self._max_bytes:
                break
            if film:
                held -= film.num_bytes
                del self._films[file]


FILMS = FilmCache(MEMORY_BYTES)
"""This process's."""


def read_film(file: Path) -> Film | None:
    """A file's first two minutes, decoded as ingest does; None where it does not decode or shows nothing."""
    try:
        with open_video(Source(str(file)), ReadOptions(short_side=WORLD_SHORT_SIDE)) as video:
            sampled = islice(video.frames(FPS, threading.Event()), int(MAX_SECONDS * FPS))
            pictures = [np.ascontiguousarray(frame.image) for frame in sampled]
    except SourceFailed:
        return None
    pictures = [picture for picture in pictures if picture.shape == pictures[0].shape]
    smalls = [_small(picture) for picture in pictures]
    if min(pictures[0].shape[:2]) < 48 or np.median([small.std() for small in smalls]) < MIN_DETAIL:
        return None
    jpegs = tuple(_encoded(picture) for picture in pictures)
    return Film(jpegs, tuple(_shots(smalls)))


def _encoded(picture: Picture) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, WORLD_QUALITY])[1].tobytes()


def _small(picture: Picture) -> NDArray[np.float32]:
    grey = cv2.cvtColor(cv2.resize(picture, (64, 48), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    return grey.astype(np.float32)


def _shots(smalls: Sequence[NDArray[np.float32]]) -> list[tuple[int, int]]:
    """Stretches between cuts; what only passed close to the lens, or dazzled it, cuts nothing."""
    alike = [_correlation(first, then) for first, then in pairwise(smalls)]
    cuts = [0, *(index + 1 for index, same in enumerate(alike) if same < SAME_SHOT), len(smalls)]
    shots: list[tuple[int, int]] = []
    for first, last in pairwise(cuts):
        if last - first < MIN_FRAMES:
            continue
        if shots and _correlation(_usual(smalls[slice(*shots[-1])]), _usual(smalls[first:last])) > SAME_VIEW:
            shots[-1] = shots[-1][0], last
        else:
            shots.append((first, last))
    steady = [(first, last) for first, last in shots if np.median(alike[first : last - 1]) >= STEADY]
    return [(first, last) for first, last in steady if not _fades(smalls[first:last])]


def _fades(smalls: Sequence[NDArray[np.float32]]) -> bool:
    """Whether the picture goes dark or dull at times, as at a film's scene ends: that is an incident of its own."""
    for figures in ([small.mean() for small in smalls], [small.std() for small in smalls]):
        if min(figures) < MIN_SHARE_OF_USUAL * float(np.median(figures)):
            return True
    return False


def _usual(smalls: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.asarray(np.median(smalls, axis=0), np.float32)


def _correlation(first: NDArray[np.float32], then: NDArray[np.float32]) -> float:
    """1 for the same picture, whatever the exposure; pictures without detail count as the same."""
    a, b = first - first.mean(), then - then.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > a.size else 1.0


def random_film(groups: Mapping[str, Sequence[Path]], rng: Generator, *, steady: bool) -> Film | None:
    """A film of a random group, long ones more often, None where a few tries find none.

    Steady ones have at least one shot.
    """
    names = list(groups)
    weights = np.array([_weight(tuple(groups[name])) for name in names])
    for _ in range(12 if names else 0):
        files = groups[names[int(rng.choice(len(names), p=weights / weights.sum()))]]
        film = FILMS.film(files[int(rng.integers(0, len(files)))])
        if film and (film.shots or not steady):
            return film
    return None


@cache
def _weight(files: tuple[Path, ...]) -> float:
    """How often a group is drawn: the more there is to see the more often, but no group drowns the others."""
    return float(sum(file.stat().st_size for file in files) ** 0.3) + 1.0
