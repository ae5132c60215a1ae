"""What disturbs a camera's picture, and how far damage reaches in it."""

import numpy as np
import pytest

from training.scenes.codec import Codec, Damage, through_codec
from training.scenes.incidents import Incident
from training.scenes.nuisances import Headlights, Metering, Passer, Rhythm, Sway, Weather


def test_damage_ends_with_its_slice() -> None:
    blocks = np.random.default_rng(0).integers(30, 220, (24, 16, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    clean = np.stack([np.roll(blocks, 3 * index, (0, 1)) for index in range(12)])
    rows = []
    for slices in (1, 12):
        reached = 0
        for seed in range(8):
            damage = Damage(
                Incident("glitch", 1.0, 1.1), np.random.default_rng(seed), 0.0, 1.0, 2, 100, concealed=False
            )
            coded = np.stack(list(through_codec(clean, Codec("libx264", 24, 100, slices), 8.0, (128, 192), damage)))
            reached += int((np.abs(coded[8].astype(int) - clean[8]) > 40).any((1, 2)).sum())
        rows.append(reached)
    assert 0 < rows[1] < 0.7 * rows[0]


def test_each_disturbance_changes_the_picture_and_passes() -> None:
    rng, grey = np.random.default_rng(0), np.full((96, 128, 3), 100, np.float32)
    grey[::8] = 140
    passers = [Passer.draw(rng, 10, 128, 96) for _ in range(8)]
    assert {passer.upright for passer in passers} == {False, True}
    passing: list[Passer | Headlights] = [*passers, Headlights.draw(rng, 10)]
    for nuisance in passing:
        assert np.array_equal(nuisance.apply(grey, nuisance.start_seconds - 0.1), grey)
        middle = nuisance.start_seconds + 0.5 * nuisance.lasts_seconds
        assert np.abs(nuisance.apply(grey, middle) - grey).mean() > 0.5
        assert np.array_equal(nuisance.apply(grey, nuisance.start_seconds + nuisance.lasts_seconds + 0.01), grey)
    for lasting in (Weather.draw(rng, 128, 96), Sway.draw(rng, 128, 96)):
        assert not np.array_equal(lasting.apply(grey, 0.3), lasting.apply(grey, 0.8))


def test_exposure_answers_late_and_in_part_what_passes_and_forgets_it() -> None:
    metering, dark, light = Metering(0.5, 0.5), np.full((8, 8, 3), 40, np.float32), np.full((8, 8, 3), 120, np.float32)
    before = [float(metering.apply(dark, index / 8).mean()) for index in range(8)]
    during = [float(metering.apply(light, 1 + index / 8).mean()) for index in range(24)]
    after = [float(metering.apply(dark, 4 + index / 8).mean()) for index in range(80)]
    assert before == pytest.approx([40] * 8)
    assert during[0] > 100
    assert 60 < during[-1] < 85
    assert after[0] < 30
    assert after[-1] == pytest.approx(40, abs=3)


def test_a_slow_camera_repeats_its_pictures() -> None:
    pictures = [np.full((4, 4, 3), level, np.uint8) for level in range(8)]
    rhythm = Rhythm(np.random.default_rng(0), every=3, missing=0.0)
    assert [int(rhythm.apply(i, picture)[0, 0, 0]) for i, picture in enumerate(pictures)] == [0, 0, 0, 3, 3, 3, 6, 6]
