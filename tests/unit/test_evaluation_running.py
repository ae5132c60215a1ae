"""Evaluation on the runner that serves: the same scores, whole videos, and what cannot be judged is said."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from films import VideoFile

from services.inference.models.runner import Runner
from services.inference.network.network import build_network
from services.inference.network.weights import LoadedModel, load_model, save_model
from shared.errors import DatasetUnusable, ModelUnusable, SourceFailed
from shared.manifest import InputSpec
from training.datasets.dataset import Dataset, LabelledVideo
from training.datasets.reading import read_dataset
from training.evaluate import evaluate_on_dataset, evaluate_on_scenes, held_out_specs
from training.footage import read_video, unlabelled
from training.learned import UNKNOWN_PAST
from training.scenes.incidents import LABELS, SHIPPED
from training.scenes.seeds import Split, clip_seed
from training.scoring import served_scores, shuffled
from training.sequences import Sequence8Bit
from training.truth import Interval
from training.unroll import scores_of

CPU = torch.device("cpu")
CROSS = Interval("cross", 0.5, 2.0)


def untrained(folder: Path, labels: tuple[str, ...], fps: float = 8.0) -> Path:
    torch.manual_seed(0)
    network = build_network({}, len(labels), 48, 64)
    save_model(folder, network, labels=labels, fps=fps, input_spec=InputSpec(height=48, width=64), thresholds={})
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return untrained(tmp_path / "untrained", ("cross", "stand"))


@pytest.fixture
def model(folder: Path) -> LoadedModel:
    return load_model(folder, CPU)


@pytest.fixture
def sequence(video_file: VideoFile) -> Sequence8Bit:
    path = video_file("cross.mp4", seconds=12.5)
    return read_video(LabelledVideo("cross.mp4", path, (CROSS,)), ("cross", "stand"), 8.0, 48, 64)


@pytest.mark.parametrize("with_memory", [True, False])
@pytest.mark.parametrize("frames_at_once", [7, 64])
def test_the_serving_runner_scores_as_training_does(
    model: LoadedModel, sequence: Sequence8Bit, with_memory: bool, frames_at_once: int
) -> None:
    served = served_scores(Runner(model, CPU), sequence, with_memory=with_memory, frames_at_once=frames_at_once)
    [trained] = scores_of(model.network, [sequence], with_memory=with_memory)
    assert served.shape == (100, 2)
    assert np.abs(served - trained).max() < 1e-5


def test_a_runner_serves_one_video_after_the_other(model: LoadedModel, sequence: Sequence8Bit) -> None:
    runner = Runner(model, CPU)
    first = served_scores(runner, sequence)
    served_scores(runner, sequence, with_memory=False)
    assert np.array_equal(served_scores(runner, sequence), first)


def test_a_long_gap_empties_the_memory(model: LoadedModel, sequence: Sequence8Bit) -> None:
    times = sequence.times_seconds + np.where(np.arange(100) >= 50, 60, 0).astype(np.float32)
    late = replace(sequence, images=sequence.images[50:], times_seconds=sequence.times_seconds[:50])
    runner = Runner(model, CPU)
    torn = served_scores(runner, replace(sequence, times_seconds=times))
    assert np.allclose(torn[50:], served_scores(runner, late), atol=1e-6)


def test_shuffling_keeps_frames_targets_and_weights_together(sequence: Sequence8Bit) -> None:
    numbered = replace(
        sequence,
        images=np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1),
        targets=np.arange(100, dtype=np.float32).reshape(100, 1),
        weights=np.arange(100, dtype=np.float32).reshape(100, 1),
    )
    mixed = shuffled(numbered, np.random.default_rng(0))
    assert not np.array_equal(mixed.images, numbered.images)
    assert np.array_equal(np.sort(mixed.targets, axis=0), numbered.targets)
    assert np.array_equal(mixed.images.ravel(), mixed.targets.ravel().astype(np.uint8))
    assert np.array_equal(mixed.weights, mixed.targets)
    assert np.array_equal(mixed.times_seconds, numbered.times_seconds)
    assert np.array_equal(shuffled(numbered, np.random.default_rng(0)).images, mixed.images)


def test_a_video_is_read_at_the_rate_asked_for(video_file: VideoFile) -> None:
    video = LabelledVideo("a", video_file("a.mp4", seconds=2, fps=10), (CROSS, Interval("other", 0, 1)))
    sequence = read_video(video, ("stand", "cross"), 5.0, 32, 40)
    assert sequence.images.shape == (10, 32, 40, 3)
    assert sequence.times_seconds.tolist() == pytest.approx([point / 5 for point in range(10)])
    assert sequence.targets[:, 1].tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 1, 1]
    assert not sequence.targets[:, 0].any()
    assert sequence.weights.all()
    assert sequence.truth == video.intervals


def test_a_video_that_does_not_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(SourceFailed, match=r"broken\.mp4: not a video file"):
        read_video(unlabelled(tmp_path / "broken.mp4"), ("cross",), 8.0, 48, 64)


def test_judges_common_labels_and_says_which_it_left_out(folder: Path, video_file: VideoFile) -> None:
    fly = Interval("fly", 0, 1)
    videos = (
        LabelledVideo("a", video_file("a.mp4", seconds=3), (CROSS, fly)),
        LabelledVideo("b", video_file("b.mp4", seconds=2), (CROSS,)),
    )
    dataset = Dataset(("cross", "fly"), videos)
    found = evaluate_on_dataset(folder, dataset, device="cpu", show_progress=False)
    assert found.labels == ("cross",)
    assert found.notes == (
        "`fly` of the data (1 intervals) is no label of the model: left out",
        "`stand` of the model is no label of the data: left out",
        UNKNOWN_PAST,
    )
    assert found.learned_from is None
    assert found.num_videos == 2
    assert found.seconds == pytest.approx(5, abs=0.2)
    assert found.prevalence["cross"] == pytest.approx(3 / 5, abs=0.02)
    assert set(found.as_json()["labels"]) == {"cross"}
    again = evaluate_on_dataset(folder, dataset, device="cpu", show_progress=False)
    assert again.as_json() == found.as_json()


def test_refuses_data_that_says_nothing_of_the_model(folder: Path, video_file: VideoFile) -> None:
    video = LabelledVideo("a", video_file("a.mp4"), ())
    with pytest.raises(DatasetUnusable, match=r"x: its labels are \['fly'\], the model's \['cross', 'stand'\]"):
        evaluate_on_dataset(folder, Dataset(("fly",), (video,)), show_progress=False, data="x")
    with pytest.raises(DatasetUnusable, match="holds no video"):
        evaluate_on_dataset(folder, Dataset(("cross",), ()), show_progress=False)


@pytest.mark.parametrize("labels", [LABELS, SHIPPED])
def test_rendered_clips_are_judged_in_the_same_form(tmp_path: Path, labels: tuple[str, ...]) -> None:
    folder = untrained(tmp_path / "faults", labels)
    specs = held_out_specs(folder, 2, seconds=6)
    assert [spec.seed for spec in specs] == [clip_seed(Split.EVALUATION, index) for index in range(2)]
    found = evaluate_on_scenes(folder, specs, device="cpu", show_progress=False)
    assert (found.labels, found.num_videos) == (labels, 2)
    assert found.seconds == pytest.approx(12)
    assert set(found.shuffled.average_precision) == set(labels)
    with pytest.raises(ModelUnusable, match="rendered scenes know"):
        evaluate_on_scenes(untrained(tmp_path / "others", ("a", "b")), specs, show_progress=False)


@pytest.mark.parametrize("name", ["fir", "weizmann"])
def test_real_data_sets_are_measured_as_they_are(tmp_path: Path, reference_data: Path, name: str) -> None:
    dataset = read_dataset(reference_data / name / "annotations.json")
    shortest = sorted(dataset.videos, key=lambda video: video.seconds or math.inf)[:2]
    folder = untrained(tmp_path / name, dataset.labels)
    found = evaluate_on_dataset(folder, replace(dataset, videos=tuple(shortest)), device="cpu", show_progress=False)
    assert found.num_videos == 2
    assert found.seconds == pytest.approx(sum(video.seconds or 0 for video in shortest), abs=0.5)
    occurring = {interval.label for video in shortest for interval in video.intervals}
    assert {label for label, ap in found.with_memory.average_precision.items() if not math.isnan(ap)} == occurring
    assert math.isnan(found.with_memory.clip_accuracy) == (name == "fir")
