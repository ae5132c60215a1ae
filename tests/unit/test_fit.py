"""Training on labelled videos: it learns what only order tells, resumes exactly, and knows left from right."""

import filecmp
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from numpy.random import default_rng
from stopped import stopped_after_a_checkpoint

from services.inference.network.network import Network, build_network
from services.inference.network.senses.likeness import optical_flow
from shared.errors import DatasetUnusable, ModelUnusable, SettingsInvalid
from shared.manifest import InputSpec, read_manifest
from training.augment import Augmentation, other_colours
from training.datasets.dataset import Dataset
from training.datasets.reading import read_dataset
from training.evaluate import evaluate_on_dataset
from training.fit import FitConfig, train_on_dataset
from training.frames import decoded
from training.loop import Learner, LoopConfig, _confusion
from training.mirror import may_mirror
from training.order import ANNOTATIONS_FILE, FPS, LEFTWARDS, RIGHTWARDS, write_order_task
from training.pieces import Shown, epoch_of, mixed, pieces_of, side_by_side
from training.recipes import PLAIN, RECIPES, Recipe, Regularisation
from training.sequences import SensedClip, Sequence8Bit
from training.truth import Interval

LABELS = (LEFTWARDS, RIGHTWARDS)
SMALL = FitConfig(epochs=2, fps=FPS, height=48, width=64)
CHANCES = {"left": 0.5, "right": 0.5}
train = partial(train_on_dataset, device="cpu", num_threads=1, show_progress=False)


def test_learns_what_only_the_order_of_frames_tells(tmp_path: Path) -> None:
    dataset = crossings(tmp_path / "videos", 24, num_validation=12)
    config = replace(SMALL, epochs=6)
    report = train(tmp_path / "crossing", dataset.subset("training"), config=config)
    unseen = dataset.subset("validation")
    found = evaluate_on_dataset(tmp_path / "crossing", unseen, device="cpu", show_progress=False)

    assert not report.mirrored
    assert found.with_memory.mean_average_precision > 0.9
    assert found.without_memory.mean_average_precision < 0.65
    assert found.shuffled.mean_average_precision < 0.75
    manifest = read_manifest(tmp_path / "crossing")
    assert manifest.labels == LABELS
    assert manifest.fps == FPS
    assert set(manifest.thresholds) == set(LABELS)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_resumed_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    dataset = crossings(tmp_path / "videos", 3)
    whole, cut = tmp_path / "whole" / "small", tmp_path / "cut" / "small"
    config = replace(SMALL, recipe=PLAIN)
    train(whole, dataset, config=config)
    with stopped_after_a_checkpoint():
        train(cut, dataset, config=config)
    train(cut, dataset, config=config, resume=True)

    assert filecmp.cmp(cut / "weights.safetensors", whole / "weights.safetensors", shallow=False)
    with pytest.raises(ModelUnusable, match="no such checkpoint"):
        train(cut, dataset, config=config, resume=True)


def test_refuses_what_nothing_can_be_learnt_from(tmp_path: Path) -> None:
    dataset = crossings(tmp_path / "videos", 1)
    with pytest.raises(DatasetUnusable, match="at least 2"):
        train(tmp_path / "small", replace(dataset, videos=dataset.videos[:1]))
    silent = tuple(replace(video, intervals=()) for video in dataset.videos)
    with pytest.raises(DatasetUnusable, match="leftwards"):
        train(tmp_path / "small", replace(dataset, videos=silent))


def test_stops_when_nothing_gets_better(tmp_path: Path) -> None:
    config = replace(SMALL, epochs=9, patience=2, network={}, loop=LoopConfig(learning_rate=0.0))
    report = train(tmp_path / "small", crossings(tmp_path / "videos", 2), config=config)
    assert (report.epochs, report.best_epoch) == (3, 1)


@pytest.mark.parametrize(
    ("scores", "mirrored", "expected"),
    [
        ({"left": 0.95, "right": 0.9}, {"left": 0.35, "right": 0.4}, False),
        ({"left": 0.95, "right": 0.9}, {"left": 0.9, "right": 0.85}, True),
        ({"left": 0.6, "right": 0.55}, {"left": 0.6, "right": 0.55}, False),
    ],
    ids=["left and right matter", "they do not", "too early to say"],
)
def test_mirrors_only_what_bears_it(scores: dict[str, float], mirrored: dict[str, float], expected: bool) -> None:
    assert may_mirror(scores, lambda: mirrored, CHANCES) is expected


def test_one_label_that_turns_is_enough_to_forbid_mirroring() -> None:
    chances = dict.fromkeys("abcdef", 0.1)
    scores = dict.fromkeys("abcdef", 0.9)
    assert may_mirror(scores, lambda: scores, chances)
    assert not may_mirror(scores, lambda: scores | {"c": 0.08}, chances)


def test_pieces_cover_every_frame_once_and_stay_short() -> None:
    pieces = pieces_of([10, 100, 7], 24, default_rng(0))
    covered = sorted((piece.index, frame) for piece in pieces for frame in range(piece.start, piece.stop))
    assert covered == [(index, frame) for index, length in enumerate([10, 100, 7]) for frame in range(length)]
    assert max(piece.num_frames for piece in pieces) <= 24
    groups = side_by_side(pieces, 48, default_rng(0))
    assert sorted(map(str, pieces)) == sorted(str(piece) for group in groups for piece in group)
    assert all(len(group) * max(piece.num_frames for piece in group) <= 48 for group in groups)


def test_shorter_pieces_are_filled_up_without_weight() -> None:
    sequences = [_sequence(12), _sequence(5)]
    [batch] = epoch_of(sequences, longest=50, batch_frames=100, rng=default_rng(3), mirror=False)
    lengths = sorted(int(row.sum()) for row in batch.weights[:, :, 0])
    assert lengths[0] <= 5 < lengths[1] == batch.seen.shape[1]
    assert (batch.dt_seconds >= 0).all()


@pytest.mark.parametrize("recipe", ["plain", "strong"])
def test_an_augmentation_is_the_same_for_all_frames_of_a_clip(recipe: Recipe) -> None:
    rng = default_rng(0)
    images = np.repeat(rng.integers(0, 255, (1, 48, 64, 3), np.uint8), 4, axis=0)
    drawn = [Augmentation.draw(rng, 48, 64, mirror=True, recipe=RECIPES[recipe]) for _ in range(40)]
    for augmentation in drawn:
        seen = replace(augmentation, noise=0.0).apply(images, rng)
        assert seen.shape == images.shape
        assert (seen == seen[:1]).all()
    assert any(each.colours is not None for each in drawn) == any(each.worse for each in drawn) == (recipe == "strong")


def test_the_plain_recipe_shows_what_was_shown_before_there_were_recipes() -> None:
    drawn = Augmentation.draw(default_rng(5), 48, 64, mirror=True)
    assert drawn.matrix[0].tolist() == pytest.approx([-1.095755, 0.0353476, 65.277], rel=1e-5)
    assert drawn.curve.sum(axis=0).tolist() == pytest.approx([36027, 36027, 36166], abs=9)
    assert (drawn.grey, drawn.noise, drawn.hidden) == (False, 0.0, (6, 35, 17, 60))
    rng = default_rng(5)
    assert list(epoch_of([_sequence(n) for n in (12, 40, 25)], longest=20, batch_frames=60, rng=rng, mirror=True))
    assert rng.random() == 0.6378439413781165  # not one number more was drawn


def test_other_colours_leave_greys_alone() -> None:
    assert other_colours(0.0, 1.0) == pytest.approx(np.eye(3), abs=1e-6)
    assert other_colours(20.0, 1.4) @ (7, 7, 7) == pytest.approx((7, 7, 7), abs=1e-5)
    assert other_colours(120.0, 1.0) @ (9, 0, 0) == pytest.approx((0, 9, 0), abs=1e-5)


def test_mixed_clips_have_mixed_targets() -> None:
    one, other = _even(5, 101, (1, 0), known=1), _even(3, 200, (1, 1), known=0)
    both = mixed(one, other, 0.75)
    assert both.seen.dtype == np.uint8
    assert (both.seen == 126).all()  # 0.75 * 101 + 0.25 * 200 = 125.75
    assert both.times_seconds.tolist() == one.times_seconds.tolist()[:3]
    assert both.targets.tolist() == [[1, 0.25]] * 3
    assert both.weights.tolist() == [[1, 0]] * 3

    recipe = Regularisation(pictures=0, mixed=1)
    for batch in epoch_of([one, other], longest=9, batch_frames=9, rng=default_rng(1), mirror=False, recipe=recipe):
        share = (batch.seen[..., 0, 0, 0].astype(float) - 101) / 99
        np.testing.assert_allclose(batch.targets[..., 1], share, atol=0.01)


def test_smoothed_targets_lie_nearer_to_the_middle() -> None:
    network = build_network({}, 2, 48, 64)
    logits, weights = torch.tensor([[[1.0, -2.0]]]), torch.ones(1, 1, 2)
    config = LoopConfig(positive_weight=1.0, smoothing=0.2, competing=2.0)
    smooth = torch.tensor([[[0.9, 0.1]]])
    loss = -(smooth * logits.sigmoid().log() + (1 - smooth) * (-logits).sigmoid().log()).mean()
    loss -= 2 * (smooth * logits.log_softmax(-1)).sum()
    found = Learner(network, config, 1)._loss(logits, torch.tensor([[[1.0, 0.0]]]), weights)
    assert found.item() == pytest.approx(loss.item(), rel=1e-5)


def test_shares_of_two_labels_compete_as_shares() -> None:
    logits, targets, weights = torch.tensor([[[1.0, -2.0]]]), torch.tensor([[[0.7, 0.3]]]), torch.ones(1, 1, 2)
    expected = -(targets * logits.log_softmax(-1)).sum()
    assert _confusion(logits, targets, weights, 0.0).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(("mirror", "sides"), [("off", 1), ("on", 2)])
def test_pictures_that_stay_as_they_are_are_encoded_once_from_each_side(
    mirror: Literal["off", "on"], sides: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode, encoded = Network.encode, list[int]()

    def counted(self: Network, images: torch.Tensor, told: torch.Tensor | None) -> torch.Tensor:
        encoded.append(len(images))
        return encode(self, images, told)

    monkeypatch.setattr(Network, "encode", counted)
    dataset = crossings(tmp_path / "videos", 2)
    report = train(tmp_path / "small", dataset, config=replace(SMALL, epochs=3, mirror=mirror))
    frames = decoded(dataset, FPS, InputSpec(height=48, width=64), tmp_path, show_progress=False)
    assert report.epochs == 3
    assert report.mirrored == (mirror == "on")
    assert sum(encoded) == sides * sum(len(each.images) for each in frames)


def test_kept_clips_are_shown_from_both_sides_only_where_allowed() -> None:
    plain, turned = np.zeros((24, 3), np.float32), np.ones((24, 3), np.float32)
    times, marks = np.arange(24, dtype=np.float32), np.ones((24, 1), np.float32)
    clips = [SensedClip(plain, times, marks, marks, mirrored=turned)] * 40
    for mirror, shown in ((True, {0.0, 1.0}), (False, {0.0})):
        batches = epoch_of(
            clips, longest=50, batch_frames=24, rng=default_rng(0), mirror=mirror, recipe=RECIPES["once"]
        )
        assert {value for batch in batches for value in np.unique(batch.seen)} == shown


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"network": {"backbone": "lite0"}, "pretrained": False}, "never with random weights"),
    ],
)
def test_refuses_settings_that_contradict_each_other(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsInvalid, match=message):
        FitConfig(**settings)


def test_a_recipe_has_bounds() -> None:
    with pytest.raises(SettingsInvalid, match=r"smoothing is 0\.6; allowed are 0 to 0\.5"):
        Regularisation(smoothing=0.6)


def test_mirroring_flips_and_is_drawn_only_where_allowed() -> None:
    plain = [Augmentation.draw(default_rng(seed), 48, 64, mirror=False).matrix[0, 0] for seed in range(40)]
    either = [Augmentation.draw(default_rng(seed), 48, 64, mirror=True).matrix[0, 0] for seed in range(40)]
    assert min(plain) > 0
    assert 8 < sum(value < 0 for value in either) < 32


def test_frames_at_a_videos_own_ends_count(tmp_path: Path) -> None:
    dataset = crossings(tmp_path / "videos", 1)
    part = replace(dataset.videos[0], intervals=(Interval("rightwards", 0.0, 1.0),))
    spec = InputSpec(height=48, width=64)
    whole, cut = decoded(replace(dataset, videos=(dataset.videos[0], part)), FPS, spec, tmp_path, show_progress=False)
    assert whole.weights.all()
    assert cut.weights[:, LABELS.index("leftwards")].all()
    assert not cut.weights[int(FPS), LABELS.index("rightwards")]
    assert cut.images.shape[1:] == (48, 64, 3)


def test_optical_flow_points_where_things_go() -> None:
    torch.manual_seed(0)
    before = torch.nn.functional.avg_pool2d(torch.rand(1, 1, 64, 80), 7, 1, 3)
    before = (before - before.min()) / (before.max() - before.min())
    right, down = (torch.roll(before, shift, dims) for shift, dims in ((1, 3), (1, 2)))
    assert optical_flow(before, right).mean((2, 3))[0].tolist() == pytest.approx([0.85, 0.0], abs=0.1)
    assert optical_flow(before, down).mean((2, 3))[0].tolist() == pytest.approx([0.0, 0.85], abs=0.1)
    assert optical_flow(before, before).abs().max() == 0
    flat = torch.full((1, 1, 16, 16), 0.5)
    assert optical_flow(flat, flat + 0.01).abs().max() < 0.01


def test_averaged_weights_follow_and_carry_the_norms_statistics() -> None:
    torch.manual_seed(0)
    network = build_network({"normed": True, "thumb_pool": 2, "flow": True}, 2, 48, 64)
    learner = Learner(network, LoopConfig(chunk_frames=8), 20)
    [batch] = epoch_of([_sequence(24)] * 2, longest=50, batch_frames=100, rng=default_rng(0), mirror=False)
    average = network.head.weight.detach().clone()
    for number, _ in enumerate(learner.learn(batch), start=1):
        keep = min(0.998, number / (10 + number))
        average = keep * average + (1 - keep) * network.head.weight.detach()
    assert number > 1
    torch.testing.assert_close(learner.averaged.head.weight, average)
    for kept, value in zip(learner.averaged.buffers(), network.buffers(), strict=True):
        assert torch.equal(kept, value)


def crossings(folder: Path, num_pairs: int, num_validation: int = 0) -> Dataset:
    """The order-only task: so many pairs of a clip and its reversal."""
    assert list(write_order_task(folder, num_training=num_pairs, num_validation=num_validation))
    dataset = read_dataset(folder / ANNOTATIONS_FILE)
    assert not dataset.problems
    return dataset


def _even(num_frames: int, level: int, targets: tuple[int, int], known: int) -> Shown:
    """Frames of one grey level, the same targets in each; the second is known or not."""
    held, sure = (np.tile(np.array(values, np.float32), (num_frames, 1)) for values in (targets, (1, known)))
    times = (np.arange(num_frames) * level / FPS).astype(np.float32)
    return Shown(np.full((num_frames, 2, 2, 3), level, np.uint8), times, held, sure)


def _sequence(num_frames: int) -> Sequence8Bit:
    images = default_rng(num_frames).integers(0, 255, (num_frames, 48, 64, 3), np.uint8)
    times = (np.arange(num_frames) / FPS).astype(np.float32)
    targets = np.ones((num_frames, 2), np.float32)
    return Sequence8Bit(images, times, targets, targets, truth=())
