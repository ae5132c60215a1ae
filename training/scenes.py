"""Renders clips of cameras that watch a scene, with incidents whose truth is known to the frame."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.actors import Actor, random_actor
from training.backgrounds import Picture, paint_background
from training.codec import random_codec, through_codec
from training.incidents import LABELS, MOVED_SECONDS, Blur, Cover, Darkness, Freeze, Glitch, Incident, random_plan
from training.surroundings import MARGIN, Camera, Lighting, Sensor
from training.truth import Interval, joined

RESTLESS_NOISE = 2.5
"""Grey levels of noise that make a frozen picture tell from a quiet one."""
HIDING = ("covered", "frozen", "lights_out")
"""Incidents under which nobody can see anything move."""
MIN_VISIBLE = 0.35


@dataclass(frozen=True, slots=True)
class Clip:
    """A rendered clip and what is true of it."""

    frames: NDArray[np.uint8]
    """[T, H, W, 3], BGR."""
    fps: float
    truth: tuple[Interval, ...]

    @property
    def seconds(self) -> float:
        """The clip's length."""
        return len(self.frames) / self.fps


def render_clip(
    seed: int,
    incidents: Sequence[Incident] | None = None,
    seconds: float = 30.0,
    fps: float = 8.0,
    size: tuple[int, int] = (256, 192),
    *,
    codec: bool = True,
) -> Clip:
    """Renders a clip, the same for the same arguments.

    Args: incidents to show, or None for a random plan; `activity` incidents bring something that moves. size as
    (width, height), even, at least 32. codec: whether frames take the way through a random camera's video codec.
    """
    _check(incidents, seconds, fps, size)
    rng = np.random.default_rng(seed)
    plan = tuple(incidents) if incidents is not None else random_plan(rng, seconds)
    actors, optical = _optical(rng, plan, seconds, fps, size)
    before, after = (plan, ()) if not codec or rng.random() < 0.5 else ((), plan)
    pictures = _digital(optical, before, rng, fps)
    if codec and (chosen := random_codec(rng, 26 if _has(plan, "frozen") else 36)):
        pictures = through_codec(pictures, chosen, fps, size)
    frames = np.stack(list(_digital(pictures, after, rng, fps)))
    return Clip(frames, fps, _truth(plan, actors, len(frames), fps, size))


def _check(incidents: Sequence[Incident] | None, seconds: float, fps: float, size: tuple[int, int]) -> None:
    if strangers := {incident.label for incident in incidents or ()} - set(LABELS):
        raise ValueError(f"incidents are called {sorted(strangers)}; allowed are {list(LABELS)}")
    if not (0 < seconds <= 600 and 1 <= fps <= 60):
        raise ValueError(f"{seconds} s at {fps} fps; allowed are up to 600 s at 1 to 60 fps")
    if any(side % 2 or not 32 <= side <= 1920 for side in size):
        raise ValueError(f"size is {size}; allowed are even sides of 32 to 1920")


def _has(plan: Sequence[Incident], label: str) -> bool:
    return any(incident.label == label for incident in plan)


def _optical(
    rng: Generator, plan: Sequence[Incident], seconds: float, fps: float, size: tuple[int, int]
) -> tuple[list[Actor], Iterator[Picture]]:
    """What moves, and the frames as they leave the sensor."""
    width, height = size
    world = paint_background(rng, int(width * MARGIN), int(height * MARGIN))
    camera = Camera(world, size, [incident for incident in plan if incident.label == "moved"], rng)
    lighting = Lighting(rng, seconds, size)
    sensor = Sensor(rng, size, RESTLESS_NOISE if _has(plan, "frozen") else 0.0)
    actors = [
        random_actor(rng, incident.start_seconds, incident.end_seconds - incident.start_seconds, width / height, world)
        for incident in plan
        if incident.label == "activity"
    ]
    effects = list(_optical_effects(rng, plan, size))

    def frames() -> Iterator[Picture]:
        for at_seconds in np.arange(round(seconds * fps)) / fps:
            picture = camera.look(at_seconds)
            if any(actor.start_seconds <= at_seconds for actor in actors):
                picture = picture.copy()
                for actor in actors:
                    actor.draw(picture, at_seconds)
            levels = lighting.apply(picture.astype(np.float32), at_seconds)
            for effect in effects:
                levels = effect.apply(levels, at_seconds)
            yield sensor.expose(levels)

    return actors, frames()


def _optical_effects(
    rng: Generator, plan: Sequence[Incident], size: tuple[int, int]
) -> Iterator[Cover | Blur | Darkness]:
    for incident in plan:
        if incident.label == "covered":
            yield Cover.draw(incident, rng, *size)
        elif incident.label == "defocused":
            yield Blur.draw(incident, rng, size[1])
        elif incident.label == "lights_out":
            yield Darkness.draw(incident, rng)


def _digital(pictures: Iterator[Picture], plan: Sequence[Incident], rng: Generator, fps: float) -> Iterator[Picture]:
    """The frames with what goes wrong after the sensor: freezing and damage."""
    effects: list[Freeze | Glitch] = []
    for incident in plan:
        if incident.label == "frozen":
            effects.append(Freeze(incident))
        elif incident.label == "glitch":
            effects.append(Glitch.draw(incident, rng))
    for index, picture in enumerate(pictures):
        shown = picture
        for effect in effects:
            shown = effect.apply(shown, index / fps)
        yield shown


def _truth(
    plan: Sequence[Incident], actors: Sequence[Actor], num_frames: int, fps: float, size: tuple[int, int]
) -> tuple[Interval, ...]:
    """The incidents within the clip; activity is wherever something that moves can be seen."""
    length, aspect = num_frames / fps, size[0] / size[1]
    faults = [
        Interval(incident.label, max(0.0, incident.start_seconds), min(length, _over_at(incident)))
        for incident in plan
        if incident.label != "activity" and incident.start_seconds < length
    ]
    hidden = [fault for fault in faults if fault.label in HIDING]
    moving = [
        any(actor.visible_share(index / fps, aspect) >= MIN_VISIBLE for actor in actors)
        and not any(fault.holds(index / fps) for fault in hidden)
        for index in range(num_frames)
    ]
    activity = joined("activity", moving, fps, gap_seconds=1.0, min_seconds=0.5)
    return tuple(sorted((*faults, *activity), key=lambda interval: (interval.start_seconds, interval.label)))


def _over_at(incident: Incident) -> float:
    """When an incident is over: a knocked camera's new view soon is the usual one."""
    if incident.label == "moved":
        return min(incident.end_seconds, incident.start_seconds + MOVED_SECONDS)
    return incident.end_seconds
