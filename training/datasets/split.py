"""Holds some videos of a data set out, to measure on."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from training.datasets.dataset import Dataset, LabelledVideo

MIN_GROUPS: Final = 4
"""With fewer, one held out is too large a part, and says too much of one actor or place."""
NUM_TRIES: Final = 16


@dataclass(frozen=True, slots=True)
class _Unit:
    """Videos that stay together, and the tags of which both sides should have some."""

    videos: frozenset[str]
    tags: frozenset[tuple[str, str]]


def split_held_out(dataset: Dataset, share: float = 0.15, seed: int = 0) -> tuple[Dataset, Dataset]:
    """The data set as (kept, held out), the latter about this share of the videos; the same for the same seed.

    Groups stay whole where there are four or more; with fewer, videos are held out of every group. Every label is on
    both sides where that is possible, and in like proportion: the rarest label chooses first, after Sechidis et al.,
    "On the stratification of multi-label data" (2011). Of two videos or more, one at least is held out.
    """
    if not 0 < share < 1:
        raise ValueError(f"share is {share}; allowed is a number between 0 and 1")
    units = _units(dataset.videos)
    held = _best(units, share, seed) if len(units) > 1 else frozenset[str]()
    kept = tuple(video for video in dataset.videos if video.name not in held)
    return replace(dataset, videos=kept), replace(
        dataset, videos=tuple(video for video in dataset.videos if video.name in held)
    )


def _units(videos: Sequence[LabelledVideo]) -> list[_Unit]:
    """Whole groups, or single videos tagged with their groups where those are few."""
    groups: defaultdict[str | None, list[LabelledVideo]] = defaultdict(list)
    for video in videos:
        groups[video.group].append(video)
    alone = groups.pop(None, [])
    if len(groups) < MIN_GROUPS:
        return [_unit([video], with_group=True) for video in videos]
    return [_unit(group) for group in groups.values()] + [_unit([video]) for video in alone]


def _unit(videos: Iterable[LabelledVideo], *, with_group: bool = False) -> _Unit:
    tags: set[tuple[str, str]] = set()
    for video in videos:
        labels = {interval.label for interval in video.intervals}
        tags |= {("label", label) for label in labels} or {("background", "")}
        if with_group and video.group is not None:
            tags.add(("group", video.group))
    return _Unit(frozenset(video.name for video in videos), frozenset(tags))


def _best(units: Sequence[_Unit], share: float, seed: int) -> frozenset[str]:
    """The names held out by the try that misses fewest tags on either side, then comes nearest the share."""
    target = max(1, round(share * sum(len(unit.videos) for unit in units)))
    carriers = Counter(tag for unit in units for tag in unit.tags)
    unavoidable = sum(number == 1 for number in carriers.values())
    rng = random.Random(seed)
    best: tuple[tuple[int, int], frozenset[str]] | None = None
    for _ in range(NUM_TRIES):
        attempt = _Try(rng.sample(units, len(units)), carriers, share, target)
        attempt.run()
        score = (attempt.num_missing, abs(attempt.num_videos - target))
        if best is None or score < best[0]:
            best = (score, attempt.names)
        if attempt.num_missing <= unavoidable:
            break
    return best[1] if best is not None else frozenset()


class _Try:
    """One greedy choice of units to hold out, by the order they are given in."""

    def __init__(self, units: Sequence[_Unit], carriers: Counter[tuple[str, str]], share: float, target: int) -> None:
        self._units = units
        self._carriers = carriers
        self._share = share
        self._target = target
        self._by_tag: defaultdict[tuple[str, str], list[_Unit]] = defaultdict(list)
        self._held: Counter[tuple[str, str]] = Counter()
        self._chosen: set[_Unit] = set()
        self.num_videos = 0
        """how many are held out"""

    @property
    def names(self) -> frozenset[str]:
        """The videos held out."""
        return frozenset(name for unit in self._chosen for name in unit.videos)

    @property
    def num_missing(self) -> int:
        """How many tags one side lacks."""
        return sum(self._held[tag] in {0, number} for tag, number in self._carriers.items())

    def run(self) -> None:
        """Chooses: first one unit for every tag, then more up to the target, and one in any case."""
        for unit in self._units:
            for tag in unit.tags:
                self._by_tag[tag].append(unit)
        self._cover()
        self._fill()
        if not self._chosen:
            self._hold(min(self._units, key=lambda unit: (self._num_lost(unit), len(unit.videos))))

    def _cover(self) -> None:
        for tag in sorted(self._carriers, key=lambda tag: (self._carriers[tag], tag)):
            allowed = [unit for unit in self._by_tag[tag] if not self._held[tag] and self._num_lost(unit) == 0]
            if allowed:
                self._hold(max(allowed, key=lambda unit: (self._num_new(unit), -len(unit.videos))))

    def _fill(self) -> None:
        open_tags = set(self._carriers)
        while open_tags:
            tag = max(sorted(open_tags), key=lambda tag: self._share * self._carriers[tag] - self._held[tag])
            if self._share * self._carriers[tag] <= self._held[tag]:
                return
            queue = self._by_tag[tag]
            while queue and not self._fits(queue[-1]):
                queue.pop()
            if queue:
                self._hold(queue.pop())
            else:
                open_tags.remove(tag)

    def _fits(self, unit: _Unit) -> bool:
        """Whether holding the unit out leaves every tag with the others and does not lead away from the target."""
        room = self._target - self.num_videos
        return unit not in self._chosen and self._num_lost(unit) == 0 and abs(room - len(unit.videos)) < abs(room)

    def _hold(self, unit: _Unit) -> None:
        self._chosen.add(unit)
        self.num_videos += len(unit.videos)
        self._held.update(unit.tags)

    def _num_lost(self, unit: _Unit) -> int:
        """Tags that would be left to no other unit."""
        return sum(self._carriers[tag] - self._held[tag] == 1 for tag in unit.tags)

    def _num_new(self, unit: _Unit) -> int:
        """Tags that no unit has been held out for."""
        return sum(self._held[tag] == 0 for tag in unit.tags)
