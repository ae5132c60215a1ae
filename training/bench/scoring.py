"""Alarms beside what was staged, by rising edges: only an alarm that opens tells anybody anything. Pure policy."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from training.bench.staging.takes import KINDS, Truth
from training.choosing import ChosenFootage
from training.evaluation import NAN
from training.events import Detection
from training.metrics import Matches

EARLY_SECONDS: Final = 0.5
RETURN_SECONDS: Final = 3.0
"""After an incident what brings the usual picture back is news, too: what opens then is counted apart."""


@dataclass(frozen=True, slots=True)
class ClipScore:
    """What a model made of one incident. Of alarms counts when they open; `activity` is no alarm."""

    truth: Truth
    delay_seconds: float | None
    """from the start to the first right alarm; None where there was none"""
    inside: tuple[Detection, ...] = ()
    """of other kinds, opened while the incident lasts"""
    outside: tuple[Detection, ...] = ()
    """of any kind, opened before the incident or long after"""
    at_return: tuple[Detection, ...] = ()
    """of any kind, opened within 3 s of the end"""

    @property
    def is_found(self) -> bool:
        """Whether an alarm of the right kind opened from half a second before the start to the end."""
        return self.delay_seconds is not None

    @property
    def false(self) -> tuple[Detection, ...]:
        """Inside and outside."""
        return self.inside + self.outside


def scored(truth: Truth, detections: Sequence[Detection]) -> ClipScore:
    """One clip's alarms judged; those of the right kind that open again while the incident lasts count once."""
    alarms = [each for each in detections if each.interval.label in KINDS]
    first, end = truth.start_seconds - EARLY_SECONDS, truth.end_seconds
    during = [each for each in alarms if first <= each.opened_seconds <= end]
    right = [each.opened_seconds for each in during if each.interval.label == truth.kind]
    return ClipScore(
        truth,
        min(right) - truth.start_seconds if right else None,
        inside=tuple(each for each in during if each.interval.label not in (truth.kind, *truth.also)),
        outside=tuple(
            each for each in alarms if each.opened_seconds < first or each.opened_seconds > end + RETURN_SECONDS
        ),
        at_return=tuple(each for each in alarms if end < each.opened_seconds <= end + RETURN_SECONDS),
    )


@dataclass(frozen=True, slots=True)
class KindScore:
    """A kind's incidents, or all kinds' together; false alarms count for the kind that they name."""

    kind: str
    matches: Matches
    inside: int
    outside: int
    at_return: int
    delays_seconds: tuple[float, ...]

    @property
    def delay_median_seconds(self) -> float:
        """Of the incidents found; not a number where there are none."""
        return median(self.delays_seconds) if self.delays_seconds else NAN


@dataclass(frozen=True, slots=True)
class IncidentReport:
    """What a model made of all incidents."""

    model: str
    clips: tuple[ClipScore, ...]
    choice: ChosenFootage | None = None
    """how the backdrops were chosen"""

    def kinds(self) -> list[KindScore]:
        """Kind by kind, as far as they were staged or named."""
        scores = [self._score(kind, (kind,)) for kind in KINDS]
        return [each for each in scores if each.matches != Matches() or each.at_return]

    def all_kinds(self) -> KindScore:
        """All together."""
        return self._score("all", KINDS)

    def manners(self) -> dict[tuple[str, str], tuple[int, int]]:
        """(found, staged) by kind and manner."""
        counts: dict[tuple[str, str], tuple[int, int]] = {}
        for clip in self.clips:
            key = clip.truth.kind, clip.truth.manner
            found, staged = counts.get(key, (0, 0))
            counts[key] = found + clip.is_found, staged + 1
        return counts

    def _score(self, name: str, kinds: Sequence[str]) -> KindScore:
        own = [clip for clip in self.clips if clip.truth.kind in kinds]
        delays = tuple(clip.delay_seconds for clip in own if clip.delay_seconds is not None)
        inside = _counted((clip.inside for clip in self.clips), kinds)
        outside = _counted((clip.outside for clip in self.clips), kinds)
        at_return = _counted((clip.at_return for clip in self.clips), kinds)
        matches = Matches(len(delays), inside + outside, len(own) - len(delays))
        return KindScore(name, matches, inside, outside, at_return, delays)


def _counted(alarms: Iterable[Sequence[Detection]], kinds: Sequence[str]) -> int:
    return sum(each.interval.label in kinds for some in alarms for each in some)
