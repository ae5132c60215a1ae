"""Glare, noise, tints and shaking as they show in pixels, and what could be taken for them and is none."""

import math
from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from training.scenes.backgrounds import paint_background
from training.scenes.casts import Tint
from training.scenes.glares import Glare
from training.scenes.incidents import Incident, Ramp
from training.scenes.lookalikes import ColouredLight, Nightfall, Shower
from training.scenes.nuisances import Nuisance, Weather
from training.scenes.scene import render_clip
from training.scenes.shakes import Shake, moments
from training.scenes.visibility import Witness

SIZE = (160, 120)
FPS = 8.0
NUM_FRAMES, START, END = 88, 4.0, 8.0
Pictures = NDArray[np.uint8]


@pytest.fixture(scope="module")
def view() -> Pictures:
    return paint_background(np.random.default_rng(4), *SIZE)


def watched(view: Pictures, changes: Sequence[Nuisance]) -> Witness:
    """The view through what changes its light, by a camera of little noise."""
    rng, frames = np.random.default_rng(0), []
    for index in range(NUM_FRAMES):
        levels = view.astype(np.float32)
        for change in changes:
            levels = change.apply(levels, index / FPS)
        frames.append(np.clip(levels + rng.normal(0, 1, levels.shape), 0, 255).astype(np.uint8))
    return Witness(np.stack(frames), [], FPS)


def during(seconds: float = END - START) -> Ramp:
    return Ramp(Incident("glare", START, START + seconds))


def test_a_glare_overexposes_its_share_while_it_lasts_and_the_camera_answers(view: Pictures) -> None:
    for seed in range(12):
        glare = Glare.draw(during(), np.random.default_rng(seed), *SIZE, shares=(0.2, 0.4))
        witness = watched(view, [glare])
        over = (cv2.cvtColor(witness.frames[60], cv2.COLOR_BGR2GRAY) >= 240).mean()
        assert 0.12 < over < 0.75
        [shown] = witness.glared(START, END)
        assert (shown.start_seconds, shown.end_seconds) == pytest.approx((START, END), abs=0.26)
        if glare.answer < 0.8:
            after, before = (float(witness.frames[at].mean()) for at in (int(END * FPS), 20))
            assert after < 0.95 * before


def test_what_passes_or_was_there_before_is_no_glare(view: Pictures) -> None:
    rng = np.random.default_rng(0)
    flash = Glare.draw(during(1.2), rng, *SIZE, shares=(0.3, 0.9))
    lamp = Glare.draw(Ramp(Incident("glare", -20, 40)), rng, *SIZE, shares=(0.1, 0.2))
    for change in (flash, lamp):
        witness = watched(view, [change])
        assert witness.frames[36].max() == 255
        assert witness.glared(START, END) == witness.dazzled([]) == []


def test_what_dazzles_unplanned_leaves_open_whether_it_is_glare(view: Pictures) -> None:
    witness = watched(view, [Glare.draw(during(), np.random.default_rng(1), *SIZE, shares=(0.2, 0.4))])
    [open_] = witness.dazzled([])
    assert (open_.start_seconds, open_.end_seconds) == pytest.approx((START, END), abs=0.3)
    assert witness.dazzled([(START, END)]) == []


def test_rain_a_coloured_lamp_and_nightfall_are_no_noise_no_tint_and_no_shaking(view: Pictures) -> None:
    rng = np.random.default_rng(2)
    night = Nightfall(START, 40.0, 0.3, 0.8, rng.normal(0, 3, (152, 192, 1)).astype(np.float32))
    lamp = ColouredLight(START, 20.0, ColouredLight.draw(rng, 10, *SIZE).light, 0.0)
    shower = Shower(Weather.draw(rng, *SIZE), START, 0.5)
    grey = np.repeat(view.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    for picture, change, unseen in (
        (grey, night, ("noise", "tint", "shake")),
        (view, lamp, ("noise", "tint", "shake")),
        (view, shower, ("tint",)),
    ):
        witness = watched(picture, [change])
        assert np.abs(witness.frames[60].astype(int) - witness.frames[20]).mean() > 1.5
        assert [label for label in unseen if witness.sees(label, START, END)] == []


def test_a_tint_lies_over_all_of_the_picture(view: Pictures) -> None:
    picture = (view // 2 + 60).astype(np.uint8)
    for seed in range(12):
        tint = Tint.draw(Incident("tint", START, END), np.random.default_rng(seed))
        assert np.array_equal(tint.apply(picture, 0.0), picture)
        colours = [each.reshape(-1, 3).astype(int) for each in (picture, tint.apply(picture, 6.0))]
        shift = [colour[:, ::2] - colour[:, 1:2] for colour in colours]
        assert np.linalg.norm((shift[1] - shift[0]).mean(axis=0)) > 6


@pytest.mark.parametrize("seed", [0, 1, 2, 4])
def test_a_shaken_view_is_elsewhere_in_every_frame_and_then_rests(seed: int) -> None:
    clip = render_clip(seed, [Incident("shake", START, END)], 11, size=SIZE, disturbed=False)
    greys = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY).astype(np.float32) for frame in clip.frames]
    window = cv2.createHanningWindow(SIZE, cv2.CV_32F)
    steps = [math.hypot(*cv2.phaseCorrelate(first, then, window)[0]) for first, then in pairwise(greys)]
    before, meanwhile, after = (float(np.median(part)) for part in (steps[:25], steps[36:60], steps[72:]))
    assert max(before, after) < 0.2
    assert meanwhile > 0.4


def test_a_jolt_is_short_and_a_picture_is_the_mean_of_where_it_was_exposed() -> None:
    jolt = Shake.draw(Incident("shake", START, START + 0.5), np.random.default_rng(3))
    assert [bool(moments([jolt], at).any()) for at in (START - 0.5, START + 0.25, START + 1.0)] == [False, True, False]
    long = Shake(jolt.ramp, (), 4 * jolt.reach, 4 * jolt.hertz, jolt.phase, jolt.gusts, 0.08)
    assert len(moments([long], START + 0.25)) == 7
