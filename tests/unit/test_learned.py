"""What a model learned from is known again, and what the files alone would score is said beside its result."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from films import render
from judged import LABELS, evaluation_of, scored
from rich.console import Console

from services.inference.network.network import build_network
from services.inference.network.weights import save_model
from shared.errors import ModelUnusable
from shared.manifest import InputSpec
from training.cautions import cautions, floor_words
from training.datasets.dataset import Dataset, FileFacts
from training.datasets.reading import read_dataset
from training.evaluate import evaluate_on_dataset
from training.evaluation import Evaluation, Pass
from training.floor import floor_scores
from training.learned import LEARNED_FILE, Learned, LearnedVideo, learned_from, read_learned, write_learned
from training.report import write_report
from training.tables import evaluation_tables
from training.truth import Interval

KNOWN = "The model has learned from 2 of these 6 videos, and 1 more chose its epoch and thresholds"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Six videos, of which those that fall are larger than those that walk."""
    root = tmp_path_factory.mktemp("data")
    for label, size in (("fall", (96, 64)), ("walk", (64, 48))):
        (root / label).mkdir()
        for index in range(3):
            render(root / label / f"{label}{index}.mp4", seconds=1 + index / 8, fps=8, size=size, rotation=0)
    return read_dataset(root)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    folder = tmp_path / "given"
    spec = InputSpec(height=48, width=64)
    save_model(folder, build_network({}, 2, 48, 64), labels=LABELS, fps=8.0, input_spec=spec, thresholds={})
    return folder


def judged(folder: Path, dataset: Dataset) -> Evaluation:
    return evaluate_on_dataset(folder, dataset, device="cpu", show_progress=False)


def test_videos_are_known_again_by_another_name_and_said_in_red(data: Dataset, folder: Path, tmp_path: Path) -> None:
    write_learned(folder, learned_from(data.videos[1:3], data.videos[3:4]))
    record = (folder / LEARNED_FILE).read_text()
    assert not any(word in record for word in (str(data.videos[0].path.parent), "mp4", "walk0"))

    renamed, out = tmp_path / "renamed", tmp_path / "out"
    renamed.mkdir()
    for index, video in enumerate(data.videos):
        shutil.copy(video.path, renamed / f"{index}.mp4")
    rows = [f"{index}.mp4,0.2,0.9,{LABELS[index % 2]}\n" for index in range(6)]
    (renamed / "other.csv").write_text("video,start,end,label\n" + "".join(rows))
    found = judged(folder, read_dataset(renamed / "other.csv"))

    assert (found.learned_from, found.tuned_on) == (2, 1)
    assert (found.as_json()["learned_from"], found.as_json()["tuned_on"]) == (2, 1)
    assert f"**{KNOWN}" in write_report(found, out).read_text()
    console = Console(force_terminal=True, width=300, color_system="standard", no_color=False)
    with console.capture() as shown:
        console.print(evaluation_tables(found))
    assert f"\x1b[1;31m{KNOWN}" in shown.get()
    new = judged(folder, replace(data, videos=data.videos[:1]))
    assert (new.learned_from, new.tuned_on, cautions(new), new.notes) == (0, 0, (), ())
    held_out = judged(folder, replace(data, labels=LABELS, videos=data.videos[3:4]))
    assert held_out.notes == ("1 of the videos chose the model's epoch and thresholds: the figures flatter a little",)


def test_a_record_that_is_broken_is_refused(folder: Path) -> None:
    assert read_learned(folder) is None
    (folder / LEARNED_FILE).write_text('{"version": 1, "videos": [{"fingerprint": "/home/me"}]}')
    with pytest.raises(ModelUnusable, match=r"learned\.json: videos"):
        read_learned(folder)


def test_the_floor_is_what_the_files_alone_tell(data: Dataset, folder: Path) -> None:
    write_learned(folder, learned_from(data.videos[0::3] + data.videos[2::3], ()))
    found = judged(folder, replace(data, videos=data.videos[1::3]))
    assert found.floor is not None
    assert (found.floor.clip_accuracy, found.floor.mean_average_precision) == (1, 1)
    assert found.as_json()["floor"] == {"map": 1, "clip_accuracy": 1}
    assert "clips called rightly 1.000 (the model: " in floor_words(found)[0]
    assert "the data may let a model cheat" in cautions(found)[0]


def test_a_video_is_no_neighbour_of_itself_and_facts_may_lack() -> None:
    facts = FileFacts(1000, 100, 25.0, 2.0)
    here, there = "a" * 32, "b" * 32
    videos = tuple(
        LearnedVideo(fingerprint=name, use="learned", facts=(size, 100, 25, 2), labels={label: 1.0})
        for name, size, label in ((here, 1000, "fall"), (there, 9000, "walk"))
    )
    learned = Learned(videos=videos)
    [same] = floor_scores(learned, [(here, facts)], LABELS) or []
    [other] = floor_scores(learned, [("c" * 32, facts)], LABELS) or []
    assert np.array_equal(same, [0, 1])
    assert other[0] > 0.99
    assert floor_scores(learned, [(here, facts), (there, None)], LABELS) is None
    assert floor_scores(Learned(videos=()), [(here, facts)], LABELS) is None


@pytest.mark.parametrize(("alone", "is_said"), [(1.0, True), (0.9, True), (0.85, False), (0.5, False)])
def test_a_floor_near_the_result_is_a_caution(alone: float, is_said: bool) -> None:
    fall = Interval("fall", 0, 10)
    perfect = evaluation_of(scored("a", (fall,), np.repeat(np.array([[0.9, 0.1]], np.float32), 160, axis=0)))
    found = replace(perfect, floor=Pass({"fall": alone, "walk": alone}, alone))
    assert bool(cautions(found)) is is_said
    guessing = replace(found, prevalence={"fall": 0.95, "walk": 0.05})
    assert cautions(guessing) == ()
