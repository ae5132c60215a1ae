"""Rendered scenes: the same for the same seed, and true to what they claim."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from training.scenes.clips import render_demo_clip
from training.scenes.codec import Codec, through_codec
from training.scenes.incidents import FAULTS, LABELS, Incident, random_plan
from training.scenes.scene import Clip, render_clip
from training.scenes.seeds import Split, clip_seed
from training.truth import Interval, joined

SIZE = (128, 96)
INCIDENT_SECONDS = (2.0, 4.0)


def with_one(label: str, seed: int = 3, *, disturbed: bool = False) -> Clip:
    return render_clip(seed, [Incident(label, *INCIDENT_SECONDS)], seconds=6, size=SIZE, disturbed=disturbed)


def during(clip: Clip) -> np.ndarray:
    """The frames well inside the incident."""
    return clip.frames[22:29].astype(np.float32)


def before(clip: Clip) -> np.ndarray:
    return clip.frames[8:15].astype(np.float32)


@pytest.mark.parametrize("disturbed", [False, True])
def test_a_seed_gives_the_same_clip_and_another_seed_another(disturbed: bool) -> None:
    first, again, other = (render_clip(seed, seconds=4, size=SIZE, disturbed=disturbed) for seed in (12, 12, 16))
    assert np.array_equal(first.frames, again.frames)
    assert first.truth == again.truth
    assert not np.array_equal(first.frames, other.frames)


def test_shape_and_length() -> None:
    clip = render_clip(1, [], seconds=2.5, fps=10, size=SIZE)
    assert clip.frames.shape == (25, 96, 128, 3)
    assert clip.frames.dtype == np.uint8
    assert clip.seconds == 2.5
    assert clip.truth == ()


def test_truth_of_random_plans_lies_inside_the_clip() -> None:
    for seed in range(8):
        clip = render_clip(seed, seconds=12, fps=4, size=(64, 48))
        for interval in clip.truth:
            assert interval.label in LABELS
            assert 0 <= interval.start_seconds < interval.end_seconds <= clip.seconds


def test_random_plans_know_every_label_and_never_two_faults_at_once() -> None:
    seen = set()
    for seed in range(200):
        plan = random_plan(np.random.default_rng(seed), 30.0)
        seen |= {incident.label for incident in plan}
        faults = [incident for incident in plan if incident.label != "activity"]
        assert all(first.end_seconds < then.start_seconds for first, then in pairwise(faults))
    assert seen == set(LABELS)


@pytest.mark.parametrize("label", FAULTS)
def test_an_incident_shows_and_its_truth_says_when(label: str) -> None:
    clip = with_one(label)
    start, end = INCIDENT_SECONDS
    [shown] = clip.truth
    assert (shown.label, shown.start_seconds) == (label, start)
    assert shown.end_seconds == end or (label in {"glitch", "glare"} and start + 0.5 < shown.end_seconds < end + 0.5)
    if label != "frozen":
        usual = np.abs(np.diff(before(clip), axis=0)).mean()
        assert np.abs(during(clip) - before(clip)).mean() > 1.5 * usual


def test_frozen_repeats_one_frame_exactly_and_only_then() -> None:
    clip = with_one("frozen")
    changed = (np.diff(clip.frames.astype(int), axis=0) != 0).any((1, 2, 3))
    assert changed.tolist() == [True] * 15 + [False] * 16 + [True] * 16


def test_lights_out_darkens_and_defocus_smooths() -> None:
    dark, blurred = with_one("lights_out"), with_one("defocused", seed=10)
    assert during(dark).mean() < 0.5 * before(dark).mean()
    edges = [np.abs(np.diff(frames.mean(0), axis=1)).mean() for frames in (during(blurred), before(blurred))]
    assert edges[0] < 0.7 * edges[1]


def test_a_plan_of_some_labels_has_no_others() -> None:
    plans = [random_plan(np.random.default_rng(seed), 30.0, ("tint", "shake")) for seed in range(20)]
    assert {incident.label for plan in plans for incident in plan} == {"tint", "shake"}


def test_moved_is_over_once_the_new_view_stands() -> None:
    clip = render_clip(5, [Incident("moved", 1.0, 60.0)], seconds=6, size=SIZE, disturbed=False)
    assert clip.truth == (Interval("moved", 1.0, 4.0),)


def test_what_a_clip_is_too_short_for_is_not_true_of_it() -> None:
    assert render_clip(0, [Incident("moved", 5.0, 8.0)], 4.0, size=(64, 48)).truth == ()


def test_activity_is_true_only_while_it_can_be_seen() -> None:
    plan = [Incident("activity", 0.5, 5.5), Incident("covered", 2.0, 4.0)]
    activity = [
        interval for interval in render_clip(6, plan, seconds=6, size=SIZE).truth if interval.label == "activity"
    ]
    assert activity
    assert all(interval.overlap_seconds(Interval("", 2.0, 4.0)) == 0 for interval in activity)


def test_the_codec_keeps_frames_alike_and_in_number() -> None:
    frames = render_clip(2, [], seconds=3, size=SIZE, disturbed=False).frames
    for codec in (Codec("libx264", 28, 8), Codec("mpeg4", 28, 8)):
        coded = np.stack(list(through_codec(frames, codec, 8.0, SIZE)))
        assert coded.shape == frames.shape
        assert 0 < np.abs(coded.astype(int) - frames).mean() < 12


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"incidents": [Incident("burnt", 0, 1)]}, "burnt"),
        ({"seconds": 0}, "0 s"),
        ({"fps": 1000}, "1000 fps"),
        ({"size": (127, 96)}, "even"),
        ({"size": (128, 4000)}, "4000"),
    ],
)
def test_refuses_what_it_cannot_render(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        render_clip(1, **arguments)  # type: ignore[arg-type]


def test_splits_never_share_a_seed() -> None:
    seeds = [clip_seed(split, index) for split in Split for index in range(100)]
    assert len(set(seeds)) == len(seeds)
    with pytest.raises(ValueError, match="-1"):
        clip_seed(Split.DEMO, -1)


def test_joined_closes_gaps_and_leaves_out_what_is_short() -> None:
    holds = [False, True, True, False, True, False, False, False, True]
    assert joined("x", holds, 2.0, gap_seconds=0.5, min_seconds=1.0) == [Interval("x", 0.5, 2.5)]


@pytest.mark.parametrize("label", ["covered", "activity"])
def test_a_demo_clip_is_a_video_with_one_incident(label: str, tmp_path: Path) -> None:
    truth = render_demo_clip(label, 1, tmp_path / "clip.mp4", fps=5, seconds=12)
    with av.open(tmp_path / "clip.mp4") as container:
        frames = list(container.decode(video=0))
    assert {interval.label for interval in truth} == {label}
    assert len(frames) == 60
    assert frames[-1].time == pytest.approx(59 / 5, abs=0.01)


def test_a_demo_clip_needs_a_known_label_and_time(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allowed are"):
        render_demo_clip("burnt", 1, tmp_path / "clip.mp4")
    with pytest.raises(ValueError, match="too short"):
        render_demo_clip("covered", 1, tmp_path / "clip.mp4", seconds=8)


def test_rendering_needs_no_torch() -> None:
    code = "import sys, training.scenes.clips; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
