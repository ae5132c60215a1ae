"""Training on labelled videos: it learns what only order tells, resumes exactly, and knows left from right."""

import filecmp
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.random import default_rng
from stopped import stopped_after_a_checkpoint

from services.inference.network.network import build_network
from services.inference.network.senses.likeness import optical_flow
from shared.errors import DatasetUnusable, ModelUnusable
from shared.manifest import InputSpec, read_manifest
from training.augment import Augmentation
from training.datasets.dataset import Dataset
from training.datasets.reading import read_dataset
from training.evaluate import evaluate_on_dataset
from training.fit import FitConfig, train_on_dataset
from training.frames import decoded
from training.loop import Learner, LoopConfig
from training.mirror import may_mirror
from training.order import ANNOTATIONS_FILE, FPS, LEFTWARDS, RIGHTWARDS, write_order_task
from training.pieces import epoch_of, pieces_of, side_by_side
from training.sequences import Sequence8Bit
from training.truth import Interval

LABELS = (LEFTWARDS, RIGHTWARDS)
SMALL = FitConfig(epochs=2, fps=FPS, height=48, width=64)
CHANCES = {"left": 0.5, "right": 0.5}


def test_learns_what_only_the_order_of_frames_tells(tmp_path: Path) -> None:
    dataset = crossings(tmp_path / "videos", 24, num_validation=12)
    config = replace(SMALL, epochs=12)
    report = train_on_dataset(
        tmp_path / "crossing", dataset.subset("training"), config=config, device="cpu", show_progress=False
    )
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
    train_on_dataset(whole, dataset, config=SMALL, device="cpu", show_progress=False)
    with stopped_after_a_checkpoint():
        train_on_dataset(cut, dataset, config=SMALL, device="cpu", show_progress=False)
    train_on_dataset(cut, dataset, config=SMALL, device="cpu", resume=True, show_progress=False)

    assert filecmp.cmp(cut / "weights.safetensors", whole / "weights.safetensors", shallow=False)
    with pytest.raises(ModelUnusable, match="no such checkpoint"):
        train_on_dataset(cut, dataset, config=SMALL, device="cpu", resume=True, show_progress=False)


def test_refuses_what_nothing_can_be_learnt_from(tmp_path: Path) -> None:
    dataset = crossings(tmp_path / "videos", 1)
    with pytest.raises(DatasetUnusable, match="at least 2"):
        train_on_dataset(tmp_path / "small", replace(dataset, videos=dataset.videos[:1]), show_progress=False)
    silent = tuple(replace(video, intervals=()) for video in dataset.videos)
    with pytest.raises(DatasetUnusable, match="leftwards"):
        train_on_dataset(tmp_path / "small", replace(dataset, videos=silent), show_progress=False)


def test_stops_when_nothing_gets_better(tmp_path: Path) -> None:
    config = replace(SMALL, epochs=9, patience=2, network={}, loop=LoopConfig(learning_rate=0.0))
    report = train_on_dataset(
        tmp_path / "small", crossings(tmp_path / "videos", 2), config=config, device="cpu", show_progress=False
    )
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


def test_an_augmentation_is_the_same_for_all_frames_of_a_clip() -> None:
    rng = default_rng(0)
    images = np.repeat(rng.integers(0, 255, (1, 48, 64, 3), np.uint8), 4, axis=0)
    for _ in range(20):
        augmentation = replace(Augmentation.draw(rng, 48, 64, mirror=True), noise=0.0)
        seen = augmentation.apply(images, rng)
        assert seen.shape == images.shape
        assert (seen == seen[:1]).all()


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
    [batch] = epoch_of([_sequence(12)] * 2, longest=50, batch_frames=100, rng=default_rng(0), mirror=False)
    before = learner.averaged.head.weight.clone()
    list(learner.learn(batch))
    assert not torch.equal(before, learner.averaged.head.weight)
    for kept, value in zip(learner.averaged.buffers(), network.buffers(), strict=True):
        assert torch.equal(kept, value)


def crossings(folder: Path, num_pairs: int, num_validation: int = 0) -> Dataset:
    """The order-only task: so many pairs of a clip and its reversal."""
    assert list(write_order_task(folder, num_training=num_pairs, num_validation=num_validation))
    dataset = read_dataset(folder / ANNOTATIONS_FILE)
    assert not dataset.problems
    return dataset


def _sequence(num_frames: int) -> Sequence8Bit:
    images = default_rng(num_frames).integers(0, 255, (num_frames, 48, 64, 3), np.uint8)
    times = (np.arange(num_frames) / FPS).astype(np.float32)
    targets = np.ones((num_frames, 2), np.float32)
    return Sequence8Bit(images, times, targets, targets, truth=())
