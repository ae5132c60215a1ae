"""Everything that can be wrong with a data set, told in one list, and what is left of it."""

import json
import shutil
from pathlib import Path

import pytest
from films import render

from training.datasets.reading import read_dataset
from training.truth import Interval


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of two seconds."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    render(path, seconds=2.0, fps=10, size=(64, 48), rotation=0)
    return path


@pytest.fixture
def folder(film: Path, tmp_path: Path) -> Path:
    """A folder of one good video and two broken ones."""
    shutil.copyfile(film, tmp_path / "good.mp4")
    (tmp_path / "broken.mp4").write_bytes(film.read_bytes()[:300])
    (tmp_path / "empty.mp4").write_bytes(b"")
    return tmp_path


def told(file: Path, labels: list[str] | None = None) -> list[tuple[int | None, str]]:
    """The problems as (line, message), each of this file."""
    problems = read_dataset(file, labels=labels).problems
    assert {problem.file for problem in problems if problem.line is not None} <= {file}
    return [(problem.line, problem.message) for problem in problems]


def test_all_problems_come_at_once(folder: Path) -> None:
    file = folder / "annotations.json"
    file.write_text(
        """{"labels": ["walk", "fall"],
 "database":
 {
  "good.mp4":
  {
   "annotations": [
    {"label": "walk", "segment": [0, 1]},
    {"label": "walk", "segment": [1, 2.4]},
    {"label": "walk",
     "segment": [1.5, 9]},
    {"label": "walk", "segment": [5, 9]},
    {"label": "dance", "segment": [0, 1]},
    {"label": "dance", "segment": [1, 2]},
    {"segment": [1, 0], "label": "fall"},
    {"label": "fall", "segment": [1, 1]},
    {"label": "fall", "segment": [-1, 1]},
    {"label": "fall", "segment": [0, NaN]},
    {"label": "fall", "segment": [0, 1e300]},
    {"label": "fall", "segment": [0, "1"]},
    {"label": "fall", "segment": [0]},
    {"label": 3, "segment": [0, 1]},
    {"segment": [0, 1]},
    "fall"
   ], "subset": ["a"], "duration": "long"
  },
  "missing.mp4": {"annotations": [{"label": "jump", "segment": [0, 1]}]},
  "broken.mp4": {}, "empty.mp4": {},
  "../outside.mp4": {}, "/etc/passwd": {}, "C:\\\\film.mp4": {}, "": {}, "a\\u0000b": {}, "\\ud800": {},
  "good": {},
  "good.mp4": {},
  "list": []
 }
}"""
    )
    dataset = read_dataset(file)
    assert [video.name for video in dataset.videos] == ["good.mp4"]
    assert dataset.videos[0].intervals[0] == Interval("walk", 0.0, 1.0)
    assert [(each.start_seconds, round(each.end_seconds, 2)) for each in dataset.videos[0].intervals] == [
        (0.0, 1.0),
        (1.0, 2.0),
        (1.5, 2.0),
    ]
    lines = [
        (9, "walk from 1.5 to 9 s ends after the video, at 2 s; clipped"),
        (11, "walk from 5 to 9 s begins after the video's end at 2 s; left out"),
        (12, "label 'dance' is unknown, its intervals are left out; known are fall, walk"),
        (14, "label 'fall': interval from 1 to 0 is reversed"),
        (15, "label 'fall': interval from 1 to 1 is empty"),
        (16, "label 'fall': start -1 is negative"),
        (17, "label 'fall': end nan is not a time"),
        (18, "label 'fall': end 1e+300 is not a time"),
        (19, "label 'fall': end '1' is not a number of seconds"),
        (20, "segment [0] is not [start, end]"),
        (21, "label 3 is not text"),
        (22, "annotation without label"),
        (4, "annotation 'fall' is not an object"),
        (24, "subset ['a']; allowed is text of 1 to 100 characters"),
        (24, "duration 'long' is no length"),
        (26, "video 'missing.mp4': no such file under"),
        (26, "label 'jump' is unknown"),
        (27, "video 'broken.mp4': not a video file that can be read here, or damaged"),
        (27, "video 'empty.mp4': not a video file that can be read here, or damaged"),
        (28, "video '../outside.mp4': its name leads outside the videos folder"),
        (28, "video '/etc/passwd': its name leads outside the videos folder"),
        (28, "video 'C:\\\\film.mp4': its name leads outside the videos folder"),
        (28, "video '': its name is empty"),
        (28, "video 'a\\x00b': its name holds characters that are not text"),
        (28, "video '\\ud800': its name holds characters that are not text"),
        (29, "video 'good': the same file as 'good.mp4', which counts"),
        (30, "video 'good.mp4': annotated twice; line 4 counts"),
        (31, "video 'list': [] is not an object"),
    ]
    found = [(problem.line, problem.message) for problem in dataset.problems]
    for line, message in lines:
        assert any(line == its_line and message in its_message for its_line, its_message in found), (line, message)
    extra = [(31, "video 'list': no such file under")]
    assert len(found) == len(lines) + len(extra), found
    assert [line for line, _ in found] == sorted(line or 0 for line, _ in found)


def test_unannotated_videos_are_one_problem(film: Path, tmp_path: Path) -> None:
    for index in range(8):
        shutil.copyfile(film, tmp_path / f"{index}.mp4")
    file = tmp_path / "annotations.csv"
    file.write_text("video,start,end,label\n0,0,1,walk\n")
    (problem,) = read_dataset(file).problems
    assert problem.file == tmp_path
    assert problem.message == "no annotation names these videos: 1.mp4, 2.mp4, 3.mp4, 4.mp4, 5.mp4 and 2 more"


def test_labels_that_become_one(film: Path, tmp_path: Path) -> None:
    shutil.copyfile(film, tmp_path / "a.mp4")
    file = tmp_path / "annotations.csv"
    file.write_text("video,start,end,label\na,0,1,Sit Down\na,0,1,sit-down\na,1,2,sit-down\na,1,2,2nd\na,1,2,\n")
    assert told(file) == [
        (3, "labels 'Sit Down' and 'sit-down' are both read as 'sit_down'"),
        (
            5,
            "label '2nd' cannot be a label: allowed are 1 to 40 letters a-z, digits and _, a letter first; "
            "its intervals are left out",
        ),
        (6, "video 'a': interval without a label"),
    ]
    dataset = read_dataset(file)
    assert dataset.labels == ("sit_down",)
    assert len(dataset.videos[0].intervals) == 3
    assert told(file, ["sit_down", "fly"])[0] == (None, "no usable interval has the labels wanted: fly")


def test_rows_that_disagree(film: Path, tmp_path: Path) -> None:
    shutil.copyfile(film, tmp_path / "a.mp4")
    file = tmp_path / "annotations.csv"
    file.write_text('video,start,end,label,group\n"a",0,1,x,me\na,0,1,x,you\na,0,1,x\na,0\n')
    assert told(file) == [
        (3, "video 'a': group 'you', but 'me' in a row above"),
        (4, "row has 4 columns, the header 5"),
        (5, "row has 2 columns, the header 5"),
    ]


def test_each_thumos_file_answers_for_itself(film: Path, tmp_path: Path) -> None:
    shutil.copyfile(film, tmp_path / "a.mp4")
    (tmp_path / "detclasslist.txt").write_text("1 Jump\nno number here\n")
    (tmp_path / "Jump_val.txt").write_text("a 0 1\n")
    (tmp_path / "Walk_val.txt").write_text("\na 0 1\na 1\n")
    (tmp_path / "Jump_test.txt").write_text("a 1 99\n")
    assert [str(problem).removeprefix(f"{tmp_path}/") for problem in read_dataset(tmp_path).problems] == [
        "Jump_test.txt:1: video 'a': jump from 1 to 99 s ends after the video, at 2 s; clipped",
        "Jump_val.txt:1: video 'a': subset 'validation', but 'testing' in Jump_test.txt",
        "Walk_val.txt:2: video 'a': subset 'validation', but 'testing' in Jump_test.txt",
        "Walk_val.txt:2: label 'Walk' is unknown, its intervals are left out; known are jump",
        "Walk_val.txt:3: 'a 1' is not `video start end`",
        "detclasslist.txt:2: 'no number here' is not `number label`",
    ]


def test_nothing_annotated_is_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "annotations.json"
    file.write_text(json.dumps({"database": {}}))
    assert told(file) == [(None, "names no video")]


def test_a_flood_of_problems_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.datasets.checking.MAX_PROBLEMS", 3)
    file = tmp_path / "annotations.csv"
    file.write_text("video,start,end,label\n" + "".join(f"v{index},0,1,x\n" for index in range(9)))
    assert len(told(file)) == 4
    assert told(file)[-1] == (None, "and 6 problems more")
