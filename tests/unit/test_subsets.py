"""Which subset is learned from and measured on where nobody says it."""

import shutil
from pathlib import Path

import pytest
from films import render

from afterimage.commands.datasets import read_subset
from shared.errors import DatasetUnusable

TRAIN, EVALUATE = ("training",), ("validation", "testing")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    render(path, seconds=1, fps=10, size=(64, 48), rotation=0)
    return path


def annotated(folder: Path, film: Path, *subsets: str) -> Path:
    rows = []
    for index, subset in enumerate(subsets):
        shutil.copy(film, folder / f"{index}.mp4")
        rows.append(f"{index}.mp4,0,1,walk,{subset}\n")
    table = folder / "table.csv"
    table.write_text("video,start,end,label,subset\n" + "".join(rows))
    return table


@pytest.mark.parametrize(
    ("subsets", "asked", "usual", "taken", "said"),
    [
        (["Train", "train", "VAL"], None, TRAIN, "01", "table.csv, subset training: 2 of 3 videos (subsets: Train,"),
        (["training", "Val", "test"], None, EVALUATE, "1", "table.csv, subset validation: 1 of 3 videos"),
        (["Training", "TEST", ""], None, EVALUATE, "1", "table.csv, subset testing: 1 of 3 videos"),
        (["training", "validation"], "TRAIN", EVALUATE, "0", "table.csv, subset TRAIN: 1 of 2 videos"),
        (["training", "validation", ""], "all", TRAIN, "012", "table.csv: 3 of 3 videos (subsets: training,"),
        (["training", "all"], "all", TRAIN, "1", "table.csv, subset all: 1 of 2 videos"),
        (["testing", "testing"], None, TRAIN, "01", "table.csv: 2 of 2 videos (subsets: testing)"),
        (["", ""], None, TRAIN, "01", "table.csv: 2 of 2 videos (subsets: none)"),
    ],
    ids=["training", "validation", "testing", "asked for", "all", "called all", "none of the usual", "no subsets"],
)
def test_the_usual_subset_is_taken_and_told(
    film: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    subsets: list[str],
    asked: str | None,
    usual: tuple[str, ...],
    taken: str,
    said: str,
) -> None:
    chosen, name = read_subset(annotated(tmp_path, film, *subsets), None, asked, usual)
    assert [video.name for video in chosen.videos] == [f"{number}.mp4" for number in taken]
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(said)
    assert line.startswith(f"{name}: ")


def test_a_subset_that_is_not_there_is_refused(film: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetUnusable, match=r"subset 'testing': no video .* there are \['training'\]"):
        read_subset(annotated(tmp_path, film, "training"), None, "testing", EVALUATE)
