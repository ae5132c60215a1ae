"""Kept clips, seen otherwise: what is done to features is what happens to the picture."""

import numpy as np
import torch

from services.inference.network.network import build_network
from training.scenes.incidents import LABELS
from training.stretches import Places, headroom, reframe, relight, sharpen, tone
from training.train import NETWORK


def test_contrast_and_brightness_change_as_in_the_picture() -> None:
    network, rng = build_network(NETWORK, len(LABELS), 48, 64), np.random.default_rng(0)
    dim = rng.integers(6, 38, (1, 3, 48, 64)).astype(np.uint8) * 4
    before, after = (network.encode(torch.from_numpy(picture)).numpy() for picture in (dim, dim // 4 * 5 + 12))
    relight(before, Places.of(network), 1.25, 12 / 255)
    assert np.allclose(before, after, atol=1e-4)


def test_no_light_makes_glare_of_what_was_none() -> None:
    network, rng = build_network(NETWORK, len(LABELS), 48, 64), np.random.default_rng(0)
    places = Places.of(network)
    picture = rng.integers(20, 236, (1, 3, 48, 64)).astype(np.uint8)
    picture[..., :32, :32] = 240
    features = network.encode(torch.from_numpy(picture)).numpy()
    relight(features, places, min(1.25, headroom(features, places, 0.05)), 0.05)
    grey = np.sort(features[0, places.grey])
    assert grey[-1] == np.float32(1.0)
    assert (grey[:-4] < 0.8).all()


def test_a_view_is_reframed_as_the_picture_is() -> None:
    network, rng = build_network(NETWORK, len(LABELS), 64, 96), np.random.default_rng(0)
    picture = 255 * rng.random((1, 3, 64, 96), np.float32)
    turned = np.ascontiguousarray(picture[:, :, ::-1, ::-1])
    features, wanted = (network.encode(torch.from_numpy(each)).numpy() for each in (picture, turned))
    places = Places.of(network)
    reframe(features, places, np.array([1, 0]), np.array([2, 1, 0]))
    assert np.allclose(features, wanted, atol=1e-5)
    reframe(features, places, np.array([0, 1]), np.array([0, 0, 2]))
    assert np.array_equal(features[:, :4], features[:, [0, 1, 0, 1]])
    assert np.allclose(features[:, 4:6], wanted[:, 4:6], atol=1e-5)


def test_another_curve_and_other_optics_change_what_they_do_in_the_picture() -> None:
    network, rng = build_network(NETWORK, len(LABELS), 48, 64), np.random.default_rng(0)
    level = np.repeat(np.repeat(rng.random((1, 1, 3, 4), np.float32), 16, 2), 16, 3) * 0.5 + 0.2
    dim = np.repeat(level + rng.random((1, 1, 48, 64), np.float32) * 0.02, 3, 1)
    before, after = (network.encode(torch.from_numpy(255 * each)).numpy() for each in (dim, dim**0.8))
    places, plain = Places.of(network), before.copy()
    tone(before, places, 0.8)
    assert np.allclose(before[:, places.grey], after[:, places.grey], atol=1e-3)
    assert np.allclose(before[:, places.detail], after[:, places.detail], atol=0.15)
    sharpen(before, places, 1.5)
    assert np.allclose(before[:, places.grey], after[:, places.grey], atol=1e-3)
    assert ((before - after)[:, places.detail] > 0.2).all()
    assert np.array_equal(before[:, places.figures], plain[:, places.figures])
