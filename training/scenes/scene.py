"""Renders clips of cameras that watch a scene, with incidents whose truth is known to the frame."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.scenes.actors import Actor, random_actor
from training.scenes.backdrops import Backdrop, random_backdrop, view_that_fits
from training.scenes.backgrounds import Levels, Picture
from training.scenes.casts import Tint
from training.scenes.codec import Codec, Damage, random_codec, through_codec
from training.scenes.covers import Cover
from training.scenes.digital import Freeze, Glitch
from training.scenes.glares import Glare
from training.scenes.incidents import LABELS, Incident, random_plan, random_ramp
from training.scenes.lenses import Blur, Darkness
from training.scenes.lookalikes import random_jolts, random_lookalikes
from training.scenes.noises import Noise
from training.scenes.nuisances import Nuisance, Passer, Rhythm, random_nuisances
from training.scenes.sensor import Look, Overlay, Sensor
from training.scenes.shakes import Shake, moments
from training.scenes.surroundings import Camera, Lighting, View, random_jumps
from training.scenes.truths import Effect, OpticalEffect, Seen, truth_of
from training.scenes.visibility import WHITE, Witness, small
from training.truth import Interval

RESTLESS_NOISE = 2.5
"""Grey levels of noise that make a frozen picture tell from a quiet one."""
FINE_CRF = 33
"""At most where a picture freezes: coarser codecs freeze every quiet picture."""
COARSE_CRF = 39
NEWER = 1
"""Keeps what incidents and nuisances draw that came later apart from what else the same seed draws."""
MAX_GLARE_RISE_SECONDS = 4.0
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


def render_clip(  # noqa: PLR0913  (all but five by name)
    seed: int,
    incidents: Sequence[Incident] | None = None,
    seconds: float = 30.0,
    fps: float = 8.0,
    size: tuple[int, int] = (256, 192),
    *,
    footage: Mapping[str, Sequence[Path]] | None = None,
    labels: Sequence[str] = LABELS,
    disturbed: bool = True,
) -> Clip:
    """Renders a clip, the same for the same arguments and files.

    Args: incidents to show, or None for a random plan; `activity` incidents bring something that moves. size as
    (width, height), even, at least 32; smaller where footage is. footage: video files by group, for real backdrops.
    labels: of which a random plan has incidents. disturbed: whether the scene is disturbed and frames take the way
    through a random camera's video codec.
    """
    _check(incidents, seconds, fps, size)
    rng = np.random.default_rng(seed)
    moving = incidents is None or not _has(incidents, "activity")
    backdrop = random_backdrop(rng, size, footage or {}, moving=moving)
    size = view_that_fits(size, backdrop)
    if incidents is None:
        incidents = random_plan(rng, seconds, labels, with_activity=not backdrop.moving)
    plan, newer = tuple(incidents), np.random.default_rng((NEWER, seed))
    scene = _Scene(rng, newer, backdrop, plan, Format(seconds, fps, size), footage or {}, disturbed=disturbed)
    intact: list[NDArray[np.uint8]] = []
    marks: list[bool] = []
    frames = np.stack(list(_through_camera(rng, scene, intact, marks, disturbed=disturbed)))
    damaged = np.array(marks or [False] * len(frames))
    witness = Witness(frames, intact, fps, WHITE if scene.look is None else scene.look.white)
    seen = Seen(plan, scene.actors, scene.effects, scene.doubts, len(frames) / fps, size[0] / size[1])
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
        newer: Generator,
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
        self.camera = Camera(backdrop, size, first, jumps, rng, shaken=_has(plan, "shake"))
        self.untouched = disturbed and rng.random() < (0.4 if backdrop.moving else 0.07)
        self.lighting = Lighting(rng, seconds, size)
        nuisances = random_nuisances(rng, seconds, size, real=backdrop.moving) if disturbed else iter(())
        self.nuisances: list[Nuisance] = list(nuisances)
        self.doubts = [nuisance.interval for nuisance in self.nuisances if isinstance(nuisance, Passer)]
        self.actors: list[Actor] = [
            random_actor(rng, each.start_seconds, each.end_seconds - each.start_seconds, size[0] / size[1], world)
            for world in [backdrop.picture(0.0)]
            for each in plan
            if each.label == "activity"
        ]
        self.look: Look | None = None
        self.optics: list[OpticalEffect] = list(_optical_effects(rng, newer, plan, size, disturbed=disturbed))
        self.electronics = [
            Tint.draw(each, newer) if each.label == "tint" else Noise.draw(each, newer, *size)
            for each in plan
            if each.label in {"tint", "noise"}
        ]
        self.shakes = [Shake.draw(each, newer) for each in plan if each.label == "shake"]
        self.effects: tuple[Effect, ...] = (*self.optics, *self.electronics, *self.shakes)
        if disturbed:
            self.nuisances += random_lookalikes(newer, seconds, size)
            jolts = random_jolts(newer, seconds)
            self.shakes += jolts
            self.doubts += [
                Interval("moved", jolt.ramp.incident.start_seconds, jolt.ramp.incident.end_seconds) for jolt in jolts
            ]

    def frames(self, sensor: Sensor) -> Iterator[Picture]:
        """The frames as the camera gives them."""
        for at_seconds in np.arange(round(self.form.seconds * self.form.fps)) / self.form.fps:
            levels = self._view(at_seconds)
            if not self.untouched:
                levels = self.lighting.apply(levels, at_seconds)
            for change in (*self.nuisances, *self.optics):
                levels = change.apply(levels, at_seconds)
            seen = self._electronic(sensor.expose(levels), at_seconds, on_line=False)
            if self.look is not None:
                seen = self.look.apply(seen)
            yield self._electronic(seen, at_seconds, on_line=True)

    def _electronic(self, picture: Picture, at_seconds: float, *, on_line: bool) -> Picture:
        for effect in self.electronics:
            if effect.on_line == on_line:
                picture = effect.apply(picture, at_seconds)
        return picture

    def _view(self, at_seconds: float) -> Levels:
        """The world and what moves in it, at each moment while the picture is exposed."""
        offsets = moments(self.shakes, at_seconds)
        seen = [self._moment(at_seconds, offset) for offset in offsets.tolist()]
        return seen[0].astype(np.float32) if len(seen) == 1 else np.mean(seen, axis=0, dtype=np.float32)

    def _moment(self, at_seconds: float, offset: Sequence[float]) -> Picture:
        picture = self.camera.look(at_seconds, offset)
        if any(actor.start_seconds <= at_seconds for actor in self.actors):
            picture = picture.copy()
            for actor in self.actors:
                actor.draw(picture, at_seconds, (offset[0], offset[1]))
        return picture


def _optical_effects(
    rng: Generator, newer: Generator, plan: Sequence[Incident], size: tuple[int, int], *, disturbed: bool
) -> Iterator[OpticalEffect]:
    for incident in plan:
        if incident.label == "covered":
            yield Cover.draw(incident, rng, *size, is_plain=not disturbed)
        elif incident.label == "defocused":
            yield Blur.draw(incident, rng, *size)
        elif incident.label == "lights_out":
            yield Darkness.draw(incident, rng, *size)
        elif incident.label == "glare":
            yield Glare.draw(random_ramp(incident, newer, MAX_GLARE_RISE_SECONDS), newer, *size)


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
    scene.look = Look.draw(rng) if disturbed and not scene.untouched else None
    late_overlay = freezes and rng.random() < 0.4
    overlay = Overlay.draw(rng, size, 0.9 if late_overlay else 0.3) if disturbed else None
    rhythm = Rhythm.draw(rng) if disturbed else None
    codec = random_codec(rng, FINE_CRF if freezes else COARSE_CRF) if disturbed else None
    before, damage, after = _digital_plan(rng, plan, codec)

    def taken() -> Iterator[Picture]:
        for index, picture in enumerate(scene.frames(sensor)):
            shown = picture if rhythm is None else rhythm.apply(index, picture)
            if overlay is not None and not late_overlay:
                shown = overlay.apply(shown, index / fps)
            if glitches:
                intact.append(small(shown))
            yield shown

    pictures = _digital(taken(), before, rng, scene)
    if overlay is not None and late_overlay:
        pictures = (overlay.apply(picture, index / fps) for index, picture in enumerate(pictures))
    if codec is not None:
        second = random_codec(rng, FINE_CRF) if damage is not None and rng.random() < BAKED else None
        pictures = through_codec(pictures, codec, fps, size, damage, marks if second is None else None)
        if second is not None:
            pictures = through_codec(pictures, second, fps, size)
    return _digital(pictures, after, rng, scene)


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


def _digital(pictures: Iterator[Picture], plan: Sequence[Incident], rng: Generator, scene: _Scene) -> Iterator[Picture]:
    """The frames with what goes wrong after the camera: freezing and damage."""
    effects: list[Freeze | Glitch] = [
        Freeze(incident) if incident.label == "frozen" else Glitch.draw(incident, rng) for incident in plan
    ]
    for effect in effects:
        span = effect.incident.start_seconds, effect.incident.end_seconds
        scene.doubts += [Interval(label, *span) for label in effect.alike]
    for index, picture in enumerate(pictures):
        shown = picture
        for effect in effects:
            shown = effect.apply(shown, index / scene.form.fps)
        yield shown
