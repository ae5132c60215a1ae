"""What goes wrong with a camera, and when: incidents and random plans of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

LABELS = (
    "covered",
    "defocused",
    "moved",
    "frozen",
    "lights_out",
    "glitch",
    "glare",
    "noise",
    "tint",
    "shake",
    "activity",
)
FAULTS = LABELS[:-1]
SHIPPED = (*LABELS[:6], "activity")
"""What the shipped model knows of these."""
MOVED_SECONDS = 3.0
"""`moved` holds this long from the jump; by then the new view is the usual one."""
SHARES = {
    "covered": 0.18,
    "defocused": 0.17,
    "moved": 0.2,
    "frozen": 0.14,
    "lights_out": 0.13,
    "glitch": 0.18,
    "glare": 0.17,
    "noise": 0.17,
    "tint": 0.17,
    "shake": 0.17,
}
"""How often each fault is planned beside others."""
DURATIONS_SECONDS = {
    "covered": (3.0, 15.0),
    "defocused": (3.0, 15.0),
    "moved": (MOVED_SECONDS, MOVED_SECONDS),
    "frozen": (3.0, 15.0),
    "lights_out": (3.0, 15.0),
    "glitch": (1.5, 6.0),
    "activity": (2.5, 12.0),
    "glare": (3.0, 15.0),
    "noise": (3.0, 15.0),
    "tint": (3.0, 15.0),
    "shake": (3.0, 12.0),
}
LEAST_RISE_SECONDS = 0.1
"""Of what is not sudden."""
VISIBLE_STRENGTH = 0.3
"""From this strength on a gradual incident can be seen, and its truth begins."""


@dataclass(frozen=True, slots=True)
class Incident:
    """A label's incident on a clip's timeline."""

    label: str
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, slots=True)
class Ramp:
    """How strong an incident is: it rises before its start, which is where it can be seen, and falls past its end."""

    incident: Incident
    rise_seconds: float = 0.0
    fall_seconds: float = 0.0

    def strength(self, at_seconds: float) -> float:
        """From 0 to 1; `VISIBLE_STRENGTH` at the start and at the end of what is gradual."""
        start, end = self.incident.start_seconds, self.incident.end_seconds
        return min(_risen(at_seconds - start, self.rise_seconds), _risen(end - at_seconds - 1e-6, self.fall_seconds))


def _risen(since_seconds: float, rise_seconds: float) -> float:
    if rise_seconds <= 0:
        return 1.0 if since_seconds >= 0 else 0.0
    return min(1.0, max(0.0, VISIBLE_STRENGTH + since_seconds / rise_seconds))


def random_ramp(incident: Incident, rng: Generator, max_rise_seconds: float) -> Ramp:
    """Sudden or gradual, and as an incident ends independently of how it began."""
    most = max(LEAST_RISE_SECONDS, min(max_rise_seconds, (incident.end_seconds - incident.start_seconds) / 3))
    rise, fall = (
        0.0 if sudden else float(rng.uniform(LEAST_RISE_SECONDS, most))
        for sudden in rng.random(2) < np.array((0.35, 0.45))
    )
    return Ramp(incident, rise, fall)


def random_plan(
    rng: Generator, seconds: float, labels: Sequence[str] = LABELS, *, with_activity: bool = True
) -> tuple[Incident, ...]:
    """Incidents of these labels for a clip: none to three faults, never two at once, and activity now and then."""
    plan, at = [], rng.uniform(3, 10)
    faults = [label for label in FAULTS if label in labels]
    shares = np.array([SHARES[label] for label in faults])
    for _ in range(int(rng.choice((0, 1, 2, 3), p=(0.25, 0.2, 0.3, 0.25))) if faults else 0):
        label = str(rng.choice(faults, p=shares / shares.sum()))
        lasts = rng.uniform(*DURATIONS_SECONDS[label])
        if at + lasts > seconds and rng.random() < 0.7:
            break
        plan.append(Incident(label, at, min(at + lasts, seconds)))
        at += lasts + rng.uniform(3.5, 8)
        if at > seconds - 2:
            break
    for _ in range(int(rng.choice((0, 1, 2), p=(0.4, 0.35, 0.25))) if with_activity and "activity" in labels else 0):
        at = rng.uniform(-3, seconds - 3)
        plan.append(Incident("activity", at, at + rng.uniform(*DURATIONS_SECONDS["activity"])))
    return tuple(plan)
