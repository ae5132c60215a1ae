"""What is true of a rendered clip: its incidents where they can be seen, and where nobody could say."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from training.scenes.actors import Actor
from training.scenes.backgrounds import Levels
from training.scenes.incidents import MOVED_SECONDS, VISIBLE_STRENGTH, Incident, Ramp
from training.scenes.visibility import Witness
from training.truth import Interval, joined

HIDING = ("covered", "frozen", "lights_out")
"""Incidents under which nobody can see anything move."""
DULLING = ("covered", "defocused", "lights_out")
"""What a move to a dull view could as well be."""
TELLING_SECONDS = {"glare": 1.5, "shake": 1.0}
"""So long after it began nobody can say whether it is a flash, or a jolt."""
MIN_VISIBLE = 0.35
UNSEEN_MARGIN_SECONDS = 0.5


class Effect(Protocol):
    """What an incident does to a picture."""

    @property
    def ramp(self) -> Ramp:
        """The incident and how it rises and falls."""
        ...

    @property
    def alike(self) -> tuple[str, ...]:
        """The labels that this could as well be taken for, or hides."""
        ...

    @property
    def settles_seconds(self) -> float:
        """For how long after its end it is still to be seen in something else."""
        ...


class OpticalEffect(Effect, Protocol):
    """What an incident does to the light that reaches the sensor."""

    def apply(self, levels: Levels, at_seconds: float) -> Levels:
        """The picture, [H, W, 3], with the effect on it."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """What was rendered into a clip."""

    plan: Sequence[Incident]
    actors: Sequence[Actor]
    effects: Sequence[Effect]
    doubts: Sequence[Interval]
    """where what else was drawn leaves a label open"""
    seconds: float
    aspect: float


def truth_of(
    seen: Seen, witness: Witness, *, unknown_activity: bool
) -> tuple[tuple[Interval, ...], tuple[Interval, ...]]:
    """The clip's truth, and the intervals in which a label's truth is unknown; incidents nobody sees are among these.

    Activity is wherever something that was rendered moves in sight; in real footage it is unknown.
    """
    faults: list[Interval] = []
    unsure = list(seen.doubts)
    begun = [incident for incident in seen.plan if incident.start_seconds < seen.seconds]
    planned = [_planned(incident, seen.seconds) for incident in begun if incident.label != "activity"]
    for fault in planned:
        shown = _shown(fault, witness)
        faults += shown
        if not shown:
            margin = UNSEEN_MARGIN_SECONDS
            unsure.append(Interval(fault.label, fault.start_seconds - margin, fault.end_seconds + margin))
        elif fault.label == "glitch":
            unsure += [Interval("frozen", fault.start_seconds, fault.end_seconds)]
            unsure += _between(fault, shown)
        elif fault.label in TELLING_SECONDS:
            unsure += _between(fault, shown)
            lasts = TELLING_SECONDS[fault.label]
            unsure += [Interval(part.label, part.start_seconds, part.start_seconds + lasts) for part in shown]
        if fault.label == "moved" and witness.dulled(fault.start_seconds, fault.end_seconds):
            later = (each.start_seconds for each in planned if each.start_seconds > fault.start_seconds)
            until = min(later, default=seen.seconds)
            unsure += [Interval(label, fault.start_seconds - UNSEEN_MARGIN_SECONDS, until) for label in DULLING]
    unsure += witness.dazzled([(each.start_seconds, each.end_seconds) for each in planned if each.label == "glare"])
    for effect in seen.effects:
        unsure += _unsure(effect)
    if unknown_activity:
        unsure.append(Interval("activity", 0.0, seen.seconds))
        activity: list[Interval] = []
    else:
        activity = _activity(seen, planned, witness)
    ordered = sorted((*faults, *activity), key=lambda interval: (interval.start_seconds, interval.label))
    return tuple(ordered), tuple(unsure)


def _planned(incident: Incident, seconds: float) -> Interval:
    """When an incident is planned to be seen: a knocked camera's new view soon is the usual one."""
    end = incident.end_seconds
    if incident.label == "moved":
        end = min(end, incident.start_seconds + MOVED_SECONDS)
    return Interval(incident.label, max(0.0, incident.start_seconds), min(seconds, end))


def _shown(fault: Interval, witness: Witness) -> list[Interval]:
    """The parts of a fault that can be seen, in order."""
    start, end = fault.start_seconds, fault.end_seconds
    if end - start < 0.5:
        return []
    if fault.label == "glare":
        return witness.glared(start, end)
    if fault.label == "glitch":
        return [Interval("glitch", *span) for span in witness.damaged(start, end)]
    return [fault] if witness.sees(fault.label, start, end) else []


def _between(planned: Interval, shown: Sequence[Interval]) -> Iterator[Interval]:
    """What was planned but hardly shows."""
    starts = (planned.start_seconds, *(part.end_seconds for part in shown))
    ends = (*(part.start_seconds for part in shown), planned.end_seconds)
    for start, end in zip(starts, ends, strict=True):
        if end > start:
            yield Interval(planned.label, start, end)


def _unsure(effect: Effect) -> Iterator[Interval]:
    """While something comes and goes slowly nobody can say since when it is there."""
    ramp, incident = effect.ramp, effect.ramp.incident
    for at_seconds, lasts, sign in (
        (incident.start_seconds, ramp.rise_seconds, 1),
        (incident.end_seconds, ramp.fall_seconds, -1),
    ):
        if lasts:
            first, last = sorted((at_seconds - sign * VISIBLE_STRENGTH * lasts, at_seconds + sign * 0.2 * lasts))
            yield Interval(incident.label, first, last)
    until = incident.end_seconds + ramp.fall_seconds + effect.settles_seconds
    for label in effect.alike:
        yield Interval(label, incident.start_seconds - ramp.rise_seconds, until)


def _activity(seen: Seen, faults: Sequence[Interval], witness: Witness) -> list[Interval]:
    hidden = [fault for fault in faults if fault.label in HIDING]
    moving = [
        any(actor.visible_share(index / witness.fps, seen.aspect) >= MIN_VISIBLE for actor in seen.actors)
        and not any(fault.holds(index / witness.fps) for fault in hidden)
        for index in range(len(witness.frames))
    ]
    return joined("activity", moving, witness.fps, gap_seconds=1.0, min_seconds=0.5)
