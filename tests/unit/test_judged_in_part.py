"""Videos of which people judged a part: what nobody judged counts neither way, in reading and in training."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from films import render

from shared.manifest import InputSpec
from training.datasets.fingerprint import fingerprint
from training.datasets.reading import read_dataset
from training.fit import _shares
from training.footage import read_video
from training.frames import decoded
from training.order import ANNOTATIONS_FILE, FPS, LEFTWARDS, RIGHTWARDS, write_order_task
from training.truth import Interval

FILM_FPS = 10


def test_a_video_may_be_judged_in_part(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        render(tmp_path / name, seconds=2.0, fps=FILM_FPS, size=(64, 48), rotation=0)
    file = tmp_path / "annotations.json"
    walk, sit = {"label": "walk", "segment": [0, 0.5]}, {"label": "sit", "segment": [1, 1.5]}
    database = {"a": {"annotations": [walk], "judged": [sit]}, "b": {"annotations": [walk]}}
    file.write_text(json.dumps({"labels": ["sit", "walk"], "database": database}))
    dataset = read_dataset(file)
    assert dataset.problems == ()
    part, whole = dataset.videos
    assert (part.intervals, part.judged) == (
        (Interval("walk", 0, 0.5),),
        (Interval("walk", 0, 0.5), Interval("sit", 1, 1.5)),
    )
    assert whole.judged is None
    known = [read_video(video, dataset.labels, FILM_FPS, 48, 64).weights.T.tolist() for video in dataset.videos]
    assert known == [[[0.0] * 10 + [1.0] * 5 + [0.0] * 5, [1.0] * 5 + [0.0] * 15], [[1.0] * 20] * 2]
    assert fingerprint(dataset) != fingerprint(replace(dataset, videos=(replace(part, judged=None), whole)))
    file.write_text(json.dumps({"database": {"a": {"judged": walk}, "b": {"judged": [{"label": "walk"}]}}}))
    assert [str(each).partition(": ")[2] for each in read_dataset(file).problems] == [
        "video 'a': judged are not a list",
        "video 'b': annotation without segment",
    ]


def test_what_nobody_judged_counts_neither_way(tmp_path: Path) -> None:
    assert list(write_order_task(tmp_path / "videos", num_training=1, num_validation=0))
    dataset = read_dataset(tmp_path / "videos" / ANNOTATIONS_FILE)
    first = replace(dataset.videos[0], intervals=(Interval(RIGHTWARDS, 0.0, 1.0),))
    part = replace(first, judged=(*first.intervals, Interval(LEFTWARDS, 1.0, 1.5)))
    parts, spec = replace(dataset, videos=(part,)), InputSpec(height=48, width=64)
    [cut] = decoded(parts, FPS, spec, tmp_path, show_progress=False)
    right, left = (
        np.flatnonzero(cut.weights[:, dataset.labels.index(label)]) / FPS for label in (RIGHTWARDS, LEFTWARDS)
    )
    assert 0 < right.min() < right.max() < 1, "not near its own start and end"
    assert (left.min(), left.max()) == (1.0, pytest.approx(1.5 - 1 / FPS, abs=1e-6))
    assert _shares(parts, [cut]).tolist() == [0.0, 1.0]
    [whole] = decoded(replace(dataset, videos=(first,)), FPS, spec, tmp_path, show_progress=False)
    assert _shares(replace(dataset, videos=(first,)), [whole]).tolist() == whole.targets.mean(axis=0).tolist()
