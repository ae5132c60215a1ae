"""Training: it learns, it resumes exactly, it measures rightly; and the shipped model does its work."""

import filecmp
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from damaged import flipped, harmed, noise_film
from films import VideoFile
from numpy.typing import NDArray
from stopped import stopped_after_a_checkpoint

from services.inference.network.network import build_network
from services.inference.network.weights import load_model
from shared.errors import ModelUnusable
from shared.manifest import Thresholds
from training import checkpoint
from training.events import MANY, Judged, events_of, judged, tuned_thresholds
from training.footage import read_video, unlabelled
from training.loop import Learner, LoopConfig
from training.metrics import Matches, average_precision, match
from training.scenes.clips import render_demo_clip
from training.scenes.incidents import LABELS, SHIPPED
from training.scenes.rendered import SequenceSpec, render_sequence, rendered
from training.scenes.seeds import Split, clip_seed
from training.sequences import Sequence8Bit, targets_of, weights_of
from training.stock import ClipOrder, load_clip, made, make, save_clip, sensed
from training.stretches import Places, batches
from training.train import NETWORK, TrainingConfig, train_on_scenes
from training.truth import Interval
from training.unroll import elapsed, scores_of

MODEL = Path(__file__).parents[2] / "models" / "camera-events"
TINY = TrainingConfig(
    epochs=2,
    clips=2,
    clip_seconds=10,
    validation_clips=1,
    tuning_clips=1,
    height=48,
    width=64,
    loop=LoopConfig(chunk_frames=16),
)


@pytest.fixture(scope="module")
def sequences() -> list[Sequence8Bit]:
    return [render_sequence(SequenceSpec(clip_seed(Split.TRAINING, index), 8, 48, 64)) for index in range(4)]


@pytest.fixture(scope="module")
def kept(sequences: list[Sequence8Bit], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What the network of camera faults keeps of the sequences."""
    network, folder = build_network(NETWORK, len(LABELS), 48, 64), tmp_path_factory.mktemp("clips")
    files = [folder / f"{index}.safetensors" for index in range(len(sequences))]
    for file, sequence in zip(files, sequences, strict=True):
        save_clip(file, sensed(network, sequence))
    return files


def test_a_short_run_lowers_the_loss(kept: list[Path]) -> None:
    torch.manual_seed(0)
    network, rng = build_network(NETWORK, len(LABELS), 48, 64), np.random.default_rng(0)
    learner = Learner(network, LoopConfig(chunk_frames=32, learning_rate=1e-2), 30)
    losses = [loss for _ in range(15) for batch in batches(kept, network, 64, rng) for loss in learner.learn(batch)]
    assert np.mean(losses[-6:]) < 0.6 * np.mean(losses[:2])


def test_what_is_kept_of_a_clip_scores_as_its_pictures_do(sequences: list[Sequence8Bit], kept: list[Path]) -> None:
    torch.manual_seed(0)
    network = build_network(NETWORK, len(LABELS), 48, 64)
    clips = [load_clip(file) for file in kept]
    for scores, pictured in zip(scores_of(network, clips), scores_of(network, sequences), strict=True):
        assert np.allclose(scores, pictured, atol=1e-6)
    assert [clip.truth for clip in clips] == [sequence.truth for sequence in sequences]


def test_a_clip_seen_otherwise_keeps_its_order_and_may_lack_figures(kept: list[Path]) -> None:
    network, rng = build_network(NETWORK, len(LABELS), 48, 64), np.random.default_rng(0)
    steps, shares = set(), set()
    for _ in range(12):
        [batch] = batches(kept, network, 64, rng)
        assert batch.seen.shape == (4, 64, network.feature_size)
        assert (batch.dt_seconds[:, 0] == 0).all()
        assert (batch.dt_seconds >= 0).all()
        counts: NDArray[np.bool_] = np.any(batch.weights, axis=2)
        steps |= set(np.round(batch.dt_seconds[counts] * 8).astype(int).tolist())
        shares |= {float(row[count, -2].mean()) for row, count in zip(batch.seen, counts, strict=True)}
        assert not batch.seen[batch.seen[..., -2] == 0, -18:-1].any()
    assert len(steps) > 3
    assert {0.0, 1.0} < shares


def test_a_clip_is_seen_with_its_decoders_marks_and_without_any(kept: list[Path], tmp_path: Path) -> None:
    network, rng, marked = build_network(NETWORK, len(LABELS), 48, 64), np.random.default_rng(0), tmp_path / "marked"
    clip = load_clip(kept[0])
    clip.features[:, -1] = 1
    save_clip(marked, clip)
    shares = {float(batch.seen[..., -1].mean()) for _ in range(12) for batch in batches([marked], network, 64, rng)}
    assert shares == {0.0, 1.0}


def test_a_glare_stays_in_the_view_and_its_light_full(kept: list[Path], tmp_path: Path) -> None:
    network, rng, dazzled = build_network(NETWORK, len(LABELS), 96, 128), np.random.default_rng(0), tmp_path / "dazzled"
    clip, grey = load_clip(kept[0]), Places.of(network).grey
    features = np.full((len(clip.features), network.feature_size), 0.5, np.float32)
    features[:, grey.start] = 1
    save_clip(dazzled, replace(clip, features=features, truth=(Interval("glare", 0.0, 8.0),)))
    for batch in (batch for _ in range(24) for batch in batches([dazzled], network, 64, rng)):
        shown = batch.seen[batch.weights.any(axis=2)][:, grey]
        assert ((shown == shown.max()).sum(axis=1) == 1).all()
        assert 0.7 < shown.max() <= 1


def test_untouched_footage_is_without_faults_and_of_unknown_activity(tmp_path: Path, video_file: VideoFile) -> None:
    order = ClipOrder(video_file("still.mp4", seconds=3), tmp_path / "stock", NETWORK, 48, 64)
    file = make(order)
    clip = load_clip(file)
    assert len(clip.features) == 24
    assert not clip.targets.any()
    assert clip.weights.mean(axis=0).tolist() == [1] * 10 + [0]
    written = file.stat().st_mtime_ns
    assert [clip == file for clip in made([order, replace(order, source=Path(__file__))], 0)] == [True, False]
    assert file.stat().st_mtime_ns == written
    assert sorted(len(load_clip(each).features) for each in (tmp_path / "stock").iterdir()) == [0, 24]


def test_real_footage_brings_its_decoders_marks(tmp_path: Path) -> None:
    film = harmed(noise_film(tmp_path / "a.ts", "libx264"), flipped)
    read = read_video(unlabelled(film), LABELS, 25.0, 48, 64)
    assert read.told is not None
    assert set(read.told[:, -1].tolist()) == {0.0, 1.0}


def test_a_resumed_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = tmp_path / "whole" / "tiny"
    train_on_scenes(whole, config=TINY, num_workers=0, show_progress=False)

    cut = tmp_path / "cut" / "tiny"
    with stopped_after_a_checkpoint():
        train_on_scenes(cut, config=TINY, num_workers=0, show_progress=False)
    report = train_on_scenes(cut, config=TINY, num_workers=0, show_progress=False, resume=True)

    assert len(report.losses) == 1
    assert filecmp.cmp(cut / "weights.safetensors", whole / "weights.safetensors", shallow=False)
    assert sorted(path.name for path in cut.iterdir()) == ["learned.json", "model.json", "weights.safetensors"]


def test_refuses_to_resume_another_run(tmp_path: Path) -> None:
    out = tmp_path / "tiny"
    with pytest.raises(ModelUnusable, match="no such checkpoint"):
        train_on_scenes(out, config=TINY, resume=True, num_workers=0, show_progress=False)
    learner = Learner(build_network({}, len(LABELS), 48, 64), TINY.loop, 4)
    checkpoint.save_checkpoint(out / "checkpoint.pt", learner, {"seed": 9}, checkpoint.RunProgress(1, 0.5))
    with pytest.raises(ModelUnusable, match="seed"):
        train_on_scenes(out, config=TINY, resume=True, num_workers=0, show_progress=False)
    (out / "checkpoint.pt").write_bytes(b"nothing")
    with pytest.raises(ModelUnusable, match="not a usable checkpoint"):
        train_on_scenes(out, config=TINY, resume=True, num_workers=0, show_progress=False)


def test_workers_render_what_this_process_renders() -> None:
    specs = [SequenceSpec(seed, 3, 48, 64) for seed in (0, 4, 8)]
    for here, there in zip(rendered(specs, 0), rendered(specs, 1, num_ahead=2), strict=True):
        assert np.array_equal(here.images, there.images)


def test_sequences_streamed_in_parts_score_as_in_one(sequences: list[Sequence8Bit]) -> None:
    torch.manual_seed(0)
    network = build_network({}, len(LABELS), 48, 64)
    long = replace(
        sequences[0],
        images=np.concatenate([sequences[0].images, sequences[1].images]),
        told=None,
        times_seconds=(np.arange(128) / 8).astype(np.float32),
    )
    [whole] = scores_of(network, [long])
    [start] = scores_of(network, [sequences[0]])
    assert whole.shape == (128, len(LABELS))
    assert np.allclose(whole[:64], start, atol=1e-6)


def test_targets_hold_inside_and_borders_do_not_count() -> None:
    truth, times = [Interval("covered", 1.0, 2.0)], (np.arange(32) / 8).astype(np.float32)
    column = LABELS.index("covered")
    assert targets_of(truth, times, LABELS)[:, column].tolist() == [0.0] * 8 + [1.0] * 8 + [0.0] * 16
    weights = weights_of(truth, times, LABELS)
    assert weights[[8, 16], column].tolist() == [0.0, 0.0]
    assert weights[[4, 12, 24], column].tolist() == [1.0, 1.0, 1.0]
    assert weights[:, LABELS.index("activity")].all()


def test_elapsed_starts_with_zero() -> None:
    assert elapsed(np.array([2.0, 2.5, 4.0], np.float32)).tolist() == [0.0, 0.5, 1.5]


@pytest.mark.parametrize(
    ("scores", "targets", "wanted"),
    [
        ([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], 1.0),
        ([0.9, 0.8, 0.2, 0.1], [0, 1, 0, 1], 0.5),
        ([0.9, 0.7, 0.5], [1, 0, 1], 0.5 + 0.5 * 2 / 3),
        ([0.5, 0.5, 0.5, 0.5], [1, 0, 0, 0], 0.25),
    ],
)
def test_average_precision(scores: list[float], targets: list[float], wanted: float) -> None:
    found = average_precision(np.array(scores, np.float32), np.array(targets, np.float32))
    assert found == pytest.approx(wanted)


def test_average_precision_needs_positives() -> None:
    assert np.isnan(average_precision(np.ones(3, np.float32), np.zeros(3, np.float32)))


def test_matching_is_one_to_one_by_label_and_time() -> None:
    truth = [Interval("covered", 10, 14), Interval("covered", 20, 30), Interval("moved", 40, 43)]
    events = [
        Interval("covered", 10.9, 11.2),
        Interval("covered", 10.2, 13.8),
        Interval("covered", 23, 30),
        Interval("glitch", 40, 43),
    ]
    matches = match(events, truth)
    assert matches == Matches(found=2, false=2, missed=1)
    assert (matches.precision, matches.recall) == (0.5, 2 / 3)


def test_an_event_where_nobody_could_say_is_not_false(sequences: list[Sequence8Bit]) -> None:
    times = (np.arange(160) / 8).astype(np.float32)
    truth = (Interval("glitch", 5.0, 9.0),)
    weights = np.ones((160, len(LABELS)), np.float32)
    weights[times >= 12] = 0
    sequence = replace(sequences[0], times_seconds=times, truth=truth, weights=weights)
    events = [Interval("glitch", start, start + 2) for start in (1.0, 5.5, 11.0, 13.0)]
    column = LABELS.index("glitch")
    wanted = Judged(Matches(found=1, false=2, missed=0), ((1, truth[0]),))
    assert judged(events, sequence, "glitch", column) == wanted
    assert judged(events, replace(sequence, weights=0 * weights), "glitch", column) is None


def scores_with(label: str, holds: NDArray[np.bool_], high: float) -> NDArray[np.float32]:
    scores = np.full((len(holds), len(LABELS)), 0.01, np.float32)
    scores[holds, LABELS.index(label)] = high
    return scores


@pytest.mark.parametrize(("label", "least_seconds"), [("glitch", 0.25), ("frozen", 1.0)])
def test_thresholds_are_tuned_to_where_the_scores_lie(
    label: str, least_seconds: float, sequences: list[Sequence8Bit]
) -> None:
    times = (np.arange(160) / 8).astype(np.float32)
    truth = (Interval(label, 5.0, 9.0),)
    holds = targets_of(truth, times, LABELS)[:, LABELS.index(label)] > 0
    scores = scores_with(label, holds, 0.75)
    scores[100:120, LABELS.index(label)] = 0.55
    weights = np.ones((160, len(LABELS)), np.float32)
    sequence = replace(sequences[0], times_seconds=times, truth=truth, weights=weights)
    tuned = tuned_thresholds(LABELS, [sequence] * MANY, [scores] * MANY)
    assert tuned[label].min_seconds == least_seconds
    assert 0.55 < tuned[label].enter <= 0.75
    events = events_of(LABELS, tuned, times, scores)
    assert [(event.label, event.start_seconds) for event in events] == [(label, 5.0)]
    by_one = tuned_thresholds(LABELS, [sequence], [scores])
    assert by_one[label].enter < 0.55  # a single event and a single false one say little


def test_events_last_as_long_as_the_scores(sequences: list[Sequence8Bit]) -> None:
    del sequences
    times = (np.arange(80) / 8).astype(np.float32)
    scores = scores_with("covered", (times >= 2) & (times < 6), 0.9)
    [event] = events_of(LABELS, dict.fromkeys(LABELS, Thresholds()), times, scores)
    assert (event.label, event.start_seconds) == ("covered", 2.0)
    assert event.end_seconds == pytest.approx(6.0, abs=0.126)


def test_the_shipped_model_finds_incidents_it_never_saw(tmp_path: Path) -> None:
    loaded = load_model(MODEL, torch.device("cpu"))
    labels = loaded.manifest.labels
    assert labels == SHIPPED
    thresholds = {label: loaded.manifest.thresholds_for(label) for label in labels}
    size = loaded.manifest.input
    for label in ("covered", "defocused", "frozen", "lights_out", "glitch"):
        truth = render_demo_clip(label, 11, tmp_path / f"{label}.mp4")
        sequence = read_video(unlabelled(tmp_path / f"{label}.mp4"), labels, 8.0, size.height, size.width)
        [scores] = scores_of(loaded.network, [sequence])
        events = events_of(labels, thresholds, sequence.times_seconds, scores)
        assert match([event for event in events if event.label == label], truth) == Matches(found=1)
