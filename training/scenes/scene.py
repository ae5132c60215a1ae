"""Renders clips of cameras that watch a scene, with incidents whose truth is known to the frame."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.scenes.actors import Actor, random_actor
from training.scenes.backdrops import Backdrop, random_backdrop, view_that_fits
from training.scenes.backgrounds import Picture
from training.scenes.codec import Codec, Damage, random_codec, through_codec
from training.scenes.covers import Cover
from training.scenes.digital import Freeze, Glitch
from training.scenes.incidents import LABELS, Incident, random_plan
from training.scenes.lenses import Blur, Darkness
from training.scenes.nuisances import Nuisance, Passer, Rhythm, random_nuisances
from training.scenes.sensor import Look, Overlay, Sensor
from training.scenes.surroundings import Camera, Lighting, View, random_jumps
from training.scenes.truths import OpticalEffect, Seen, truth_of
from training.scenes.visibility import Witness, small
from training.truth import Interval

RESTLESS_NOISE = 2.5
"""Grey levels of noise that make a frozen picture tell from a quiet one."""
FINE_CRF = 33
"""At most where a picture freezes: coarser codecs freeze every quiet picture."""
COARSE_CRF = 39
BAKED = 0.4
"""So often damage is encoded once more, by a recorder behind the bad line."""


@dataclass(frozen=True, slots=True)
class Format:
    """A clip's length and its pictures."""

    seconds: float
    fps: float
    size: tuple[int, int]
    """width, height"""


@dataclass(frozen=True, slots=True)
class Clip:
    """A rendered clip and what is true of it."""

    frames: NDArray[np.uint8]
    """[T, H, W, 3], BGR."""
    damaged: NDArray[np.bool_]
    """[T], whether ingest's decoder would mark it"""
    fps: float
    truth: tuple[Interval, ...]
    unsure: tuple[Interval, ...] = ()
    """where nobody could say whether a label holds"""

    on_running_footage: bool = False
    """whether it befalls a camera that filmed something real"""

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
    footage: Mapping[str, Sequence[Path]] | None = None,
    disturbed: bool = True,
) -> Clip:
    """Renders a clip, the same for the same arguments and files.

    Args: incidents to show, or None for a random plan; `activity` incidents bring something that moves. size as
    (width, height), even, at least 32; smaller where footage is. footage: video files by group, for real backdrops.
    disturbed: whether the scene is disturbed and frames take the way through a random camera's video codec.
    """
    _check(incidents, seconds, fps, size)
    rng = np.random.default_rng(seed)
    moving = incidents is None or not _has(incidents, "activity")
    backdrop = random_backdrop(rng, size, footage or {}, moving=moving)
    size = view_that_fits(size, backdrop)
    plan = tuple(incidents) if incidents is not None else random_plan(rng, seconds, with_activity=not backdrop.moving)
    scene = _Scene(rng, backdrop, plan, Format(seconds, fps, size), footage or {}, disturbed=disturbed)
    intact: list[NDArray[np.uint8]] = []
    marks: list[bool] = []
    frames = np.stack(list(_through_camera(rng, scene, intact, marks, disturbed=disturbed)))
    damaged = np.array(marks or [False] * len(frames))
    witness = Witness(frames, intact, fps)
    seen = Seen(plan, scene.actors, scene.effects, scene.passers, len(frames) / fps, size[0] / size[1])
    truth, unsure = truth_of(seen, witness, unknown_activity=backdrop.moving)
    return Clip(frames, damaged, fps, truth, unsure, backdrop.moving)


def _check(incidents: Sequence[Incident] | None, seconds: float, fps: float, size: tuple[int, int]) -> None:
    if strangers := {incident.label for incident in incidents or ()} - set(LABELS):
        raise ValueError(f"incidents are called {sorted(strangers)}; allowed are {list(LABELS)}")
    if not (0 < seconds <= 600 and 1 <= fps <= 60):
        raise ValueError(f"{seconds} s at {fps} fps; allowed are up to 600 s at 1 to 60 fps")
    if any(side % 2 or not 32 <= side <= 1920 for side in size):
        raise ValueError(f"size is {size}; allowed are even sides of 32 to 1920")


def _has(plan: Sequence[Incident], label: str) -> bool:
    return any(incident.label == label for incident in plan)


class _Scene:
    """A world, its light, what moves in it and before it, and the lens that looks at it."""

    def __init__(
        self,
        rng: Generator,
        backdrop: Backdrop,
        plan: tuple[Incident, ...],
        form: Format,
        footage: Mapping[str, Sequence[Path]],
        *,
        disturbed: bool,
    ) -> None:
        self.plan, self.form = plan, form
        seconds, size = form.seconds, form.size
        first = View(angle=rng.uniform(-2, 2), zoom=rng.uniform(1.02, 1.12))
        moves = [incident for incident in plan if incident.label == "moved"]
        jumps = random_jumps(moves, first, lambda: random_backdrop(rng, size, footage, moving=backdrop.moving), rng)
        self.camera = Camera(backdrop, size, first, jumps, rng)
        self.untouched = disturbed and rng.random() < (0.4 if backdrop.moving else 0.07)
        self.lighting = Lighting(rng, seconds, size)
        nuisances = random_nuisances(rng, seconds, size, real=backdrop.moving) if disturbed else iter(())
        self.nuisances: list[Nuisance] = list(nuisances)
        self.passers = [nuisance for nuisance in self.nuisances if isinstance(nuisance, Passer)]
        self.actors: list[Actor] = [
            random_actor(rng, each.start_seconds, each.end_seconds - each.start_seconds, size[0] / size[1], world)
            for world in [backdrop.picture(0.0)]
            for each in plan
            if each.label == "activity"
        ]
        self.effects: list[OpticalEffect] = list(_optical_effects(rng, plan, size, disturbed=disturbed))

    def frames(self, sensor: Sensor, look: Look | None) -> Iterator[Picture]:
        """The frames as the camera's sensor gives them."""
        for at_seconds in np.arange(round(self.form.seconds * self.form.fps)) / self.form.fps:
            picture = self.camera.look(at_seconds)
            if any(actor.start_seconds <= at_seconds for actor in self.actors):
                picture = picture.copy()
                for actor in self.actors:
                    actor.draw(picture, at_seconds)
            levels = picture.astype(np.float32)
            if not self.untouched:
                levels = self.lighting.apply(levels, at_seconds)
            for change in (*self.nuisances, *self.effects):
                levels = change.apply(levels, at_seconds)
            seen = sensor.expose(levels)
            yield seen if look is None else look.apply(seen)


def _optical_effects(
    rng: Generator, plan: Sequence[Incident], size: tuple[int, int], *, disturbed: bool
) -> Iterator[OpticalEffect]:
    for incident in plan:
        if incident.label == "covered":
            yield Cover.draw(incident, rng, *size, is_plain=not disturbed)
        elif incident.label == "defocused":
            yield Blur.draw(incident, rng, *size)
        elif incident.label == "lights_out":
            yield Darkness.draw(incident, rng, *size)


def _through_camera(
    rng: Generator, scene: _Scene, intact: list[NDArray[np.uint8]], marks: list[bool], *, disturbed: bool
) -> Iterator[Picture]:
    """The frames as ingest's decoder gives them.

    `intact` gets a small copy of each before it is damaged, where any is; `marks` whether each is marked, where a
    damaged stream is what ingest decodes.
    """
    plan, fps, size = scene.plan, scene.form.fps, scene.form.size
    freezes, glitches = _has(plan, "frozen"), _has(plan, "glitch")
    restless = freezes and (not disturbed or rng.random() < 0.6)
    sensor = Sensor(rng, size, RESTLESS_NOISE if restless else 0.0, silent=scene.untouched)
    look = Look.draw(rng) if disturbed and not scene.untouched else None
    late_overlay = freezes and rng.random() < 0.4
    overlay = Overlay.draw(rng, size, 0.9 if late_overlay else 0.3) if disturbed else None
    rhythm = Rhythm.draw(rng) if disturbed else None
    codec = random_codec(rng, FINE_CRF if freezes else COARSE_CRF) if disturbed else None
    before, damage, after = _digital_plan(rng, plan, codec)

    def taken() -> Iterator[Picture]:
        for index, picture in enumerate(scene.frames(sensor, look)):
            shown = picture if rhythm is None else rhythm.apply(index, picture)
            if overlay is not None and not late_overlay:
                shown = overlay.apply(shown, index / fps)
            if glitches:
                intact.append(small(shown))
            yield shown

    pictures = _digital(taken(), before, rng, fps)
    if overlay is not None and late_overlay:
        pictures = (overlay.apply(picture, index / fps) for index, picture in enumerate(pictures))
    if codec is not None:
        second = random_codec(rng, FINE_CRF) if damage is not None and rng.random() < BAKED else None
        pictures = through_codec(pictures, codec, fps, size, damage, marks if second is None else None)
        if second is not None:
            pictures = through_codec(pictures, second, fps, size)
    return _digital(pictures, after, rng, fps)


def _digital_plan(
    rng: Generator, plan: Sequence[Incident], codec: Codec | None
) -> tuple[list[Incident], Damage | None, list[Incident]]:
    """What goes wrong before the codec, in its bitstream, and after it."""
    before: list[Incident] = []
    after: list[Incident] = []
    damage = None
    for incident in plan:
        if incident.label == "glitch" and codec is not None and damage is None and rng.random() < 0.6:
            damage = Damage.draw(incident, rng)
        elif incident.label in {"glitch", "frozen"}:
            (before if rng.random() < 0.4 else after).append(incident)
    return before, damage, after


def _digital(pictures: Iterator[Picture], plan: Sequence[Incident], rng: Generator, fps: float) -> Iterator[Picture]:
    """The frames with what goes wrong after the sensor: freezing and damage."""
    effects: list[Freeze | Glitch] = [
        Freeze(incident) if incident.label == "frozen" else Glitch.draw(incident, rng) for incident in plan
    ]
    for index, picture in enumerate(pictures):
        shown = picture
        for effect in effects:
            shown = effect.apply(shown, index / fps)
        yield shown
