"""Every form of annotations, read from small files and real ones."""

import json
import shutil
from pathlib import Path

import av
import pytest
from films import render

from shared.errors import DatasetUnusable
from training.datasets.dataset import Dataset
from training.datasets.reading import read_dataset
from training.truth import Interval

SECONDS, FPS = 2.0, 10


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of two seconds, 10 frames a second."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    render(path, seconds=SECONDS, fps=FPS, size=(64, 48), rotation=0)
    return path


@pytest.fixture
def folder(film: Path, tmp_path: Path) -> Path:
    """A folder of two videos."""
    for name in ("a.mp4", "b.mp4"):
        shutil.copyfile(film, tmp_path / name)
    return tmp_path


def spans(dataset: Dataset, name: str) -> list[tuple[str, float, float]]:
    (video,) = (video for video in dataset.videos if video.name == name)
    return [(each.label, round(each.start_seconds, 3), round(each.end_seconds, 3)) for each in video.intervals]


def test_activitynet_json(folder: Path) -> None:
    file = folder / "annotations.json"
    walk = {"label": "Walk", "segment": [0, 1.5]}
    database = {
        "a.mp4": {"subset": "training", "group": 7, "duration": 2.0, "annotations": [walk]},
        "b": {"subset": "validation", "annotations": [{"label": "sit down", "segment": [0.5, 1]}, walk]},
    }
    file.write_text(json.dumps({"version": "1", "database": database}))
    dataset = read_dataset(file)
    assert dataset.problems == ()
    assert dataset.labels == ("sit_down", "walk")
    assert dataset.subsets == ("training", "validation")
    first, second = dataset.videos
    assert (first.name, first.path, first.group, first.subset) == ("a.mp4", folder / "a.mp4", "7", "training")
    assert first.seconds == pytest.approx(SECONDS)
    assert first.intervals == (Interval("walk", 0.0, 1.5),)
    assert second.path == folder / "b.mp4"
    assert spans(dataset, "b") == [("sit_down", 0.5, 1.0), ("walk", 0.0, 1.5)]
    assert [video.name for video in dataset.subset("train").videos] == ["a.mp4"]
    assert dataset.subset("testing").videos == ()


def test_labels_keep_the_order_that_the_annotations_state(folder: Path) -> None:
    file = folder / "annotations.json"
    videos = {name: {"annotations": [{"label": "Walk", "segment": [0, 1]}]} for name in ("a", "b")}
    file.write_text(json.dumps({"labels": ["Walk", "Fall-Down", "bend"], "database": videos}))
    assert read_dataset(file).labels == ("walk", "fall_down", "bend")
    assert read_dataset(file, labels=["bend", "Walk"]).labels == ("bend", "walk")


def test_csv(folder: Path) -> None:
    file = folder / "table.txt"
    rows = [
        "label,Video,start,end,subset,group",
        '"fall, hard",a.mp4,0.5,1,train,x',
        "walk,a.mp4,0,0.5,train,x",
        "",
        ",b.mp4,,,,y",
    ]
    file.write_text("\ufeff" + "\r\n".join(rows), encoding="utf-8")
    dataset = read_dataset(file)
    (problem,) = dataset.problems
    assert (problem.file, problem.line) == (file, 2)
    assert problem.message.startswith("label 'fall, hard' cannot be a label: allowed are 1 to 40 letters")
    assert spans(dataset, "a.mp4") == [("walk", 0.0, 0.5)]
    assert spans(dataset, "b.mp4") == []
    assert [(video.subset, video.group) for video in dataset.videos] == [("train", "x"), (None, "y")]
    assert [video.name for video in dataset.subset("training").videos] == ["a.mp4"]


def test_thumos_folder(folder: Path) -> None:
    (folder / "detclasslist.txt").write_text("7 BaseballPitch\n9 BasketballDunk\n")
    (folder / "BaseballPitch_val.txt").write_text("a  0.2 0.9\na 1.0 1.5\n")
    (folder / "BasketballDunk_test.txt").write_text("b 0.1 0.4\n\n")
    (folder / "Ambiguous_val.txt").write_text("a 0.0 0.1\n")
    dataset = read_dataset(folder)
    assert dataset.problems == ()
    assert dataset.labels == ("baseballpitch", "basketballdunk")
    assert spans(dataset, "a") == [("baseballpitch", 0.2, 0.9), ("baseballpitch", 1.0, 1.5)]
    assert [(video.name, video.subset) for video in dataset.videos] == [("a", "validation"), ("b", "testing")]


def test_thumos_file(folder: Path) -> None:
    file = folder / "High Jump_val.txt"
    file.write_text("a.mp4 0 1\nb.mp4 0.5 nonsense\n")
    dataset = read_dataset(file)
    assert dataset.labels == ("high_jump",)
    assert [str(problem) for problem in dataset.problems] == [
        f"{file}:2: video 'b.mp4', label 'High Jump': end 'nonsense' is not a number of seconds"
    ]


def cvat(meta: str, body: str) -> str:
    return f'<?xml version="1.0"?>\n<annotations><version>1.1</version><meta>{meta}</meta>\n{body}</annotations>\n'


def box(frame: int, *, outside: int = 0, keyframe: int = 0) -> str:
    return f'<box frame="{frame}" outside="{outside}" keyframe="{keyframe}" xtl="1" ytl="1" xbr="2" ybr="2"/>\n'


def track(label: str, *shapes: str, task: str = "") -> str:
    return f'<track id="0" label="{label}" {task}>\n{"".join(shapes)}</track>\n'


def test_cvat_tracks_and_tags(folder: Path) -> None:
    file = folder / "export.xml"
    (folder / "b.mp4").unlink()
    task = "<task><name>my task</name><subset>default</subset><source>a.mp4</source></task>"
    body = (
        track("person", *(box(frame) for frame in range(5)), box(5, outside=1), box(8), box(9))
        + track("person", *(box(frame) for frame in range(3, 7)), box(7, outside=1))
        + track("bike", box(10, keyframe=1), box(14, outside=1, keyframe=1))
        + '<image id="16" name="frame_000016"><tag label="bike"/></image>'
        + '<track label="pose"><skeleton frame="0"><points label="hand" outside="0"/></skeleton>'
        + '<skeleton frame="1"><points label="hand" outside="1"/></skeleton></track>'
    )
    file.write_text(cvat(task, body))
    dataset = read_dataset(file)
    assert dataset.problems == ()
    assert dataset.labels == ("bike", "person", "pose")
    found = sorted(spans(dataset, "a.mp4"))
    assert found == [
        ("bike", 1.0, 1.4),
        ("bike", 1.6, 1.7),
        ("person", 0.0, 0.7),
        ("person", 0.8, 1.0),
        ("pose", 0.0, 0.1),
    ]
    assert dataset.videos[0].subset is None


def test_cvat_project(folder: Path) -> None:
    file = folder / "annotations.xml"
    tasks = (
        "<task><id>3</id><subset>Train</subset><frame_filter>step=2</frame_filter><source>a.mp4</source></task>"
        "<task><id>4</id><subset>Validation</subset><fps>5</fps><name>b</name></task>"
    )
    labels = "<labels><label><name>walk</name></label><label><name>fall</name></label></labels>"
    body = (
        track("fall", *(box(frame) for frame in (0, 2, 4)), task='task_id="3"')
        + track("walk", box(0), box(1), task='task_id="4"')
        + track("walk", box(0), task='task_id="5"')
    )
    file.write_text(cvat(f"<project><tasks>{tasks}</tasks>{labels}</project>", body))
    dataset = read_dataset(folder)
    assert dataset.labels == ("walk", "fall")
    assert spans(dataset, "a.mp4") == [("fall", 0.0, 0.6)]
    assert spans(dataset, "b") == [("walk", 0.0, 0.4)]
    assert [video.subset for video in dataset.videos] == ["Train", "Validation"]
    assert [video.name for video in dataset.subset("training").videos] == ["a.mp4"]
    assert [problem.message for problem in dataset.problems] == ["label 'walk': task_id '5' is none of the tasks'"]


@pytest.mark.parametrize("subset", [None, "train"])
def test_folders_by_label(film: Path, tmp_path: Path, subset: str | None) -> None:
    top = tmp_path / subset if subset else tmp_path
    for label in ("Sit Down", "walk", "background", ".hidden"):
        (top / label).mkdir(parents=True)
        shutil.copyfile(film, top / label / "1.mp4")
    (top / "walk" / "notes.txt").write_text("not a video")
    dataset = read_dataset(tmp_path)
    assert dataset.problems == ()
    assert dataset.labels == ("sit_down", "walk")
    prefix = f"{subset}/" if subset else ""
    assert spans(dataset, f"{prefix}walk/1.mp4") == [("walk", 0.0, SECONDS)]
    assert spans(dataset, f"{prefix}background/1.mp4") == []
    assert {video.subset for video in dataset.videos} == {subset}
    assert len(dataset.videos) == 3


def test_a_video_that_states_no_length_is_measured(film: Path, tmp_path: Path) -> None:
    (tmp_path / "walk").mkdir()
    with av.open(str(film)) as source, av.open(str(tmp_path / "walk" / "live.mkv"), "w", options={"live": "1"}) as out:
        stream = source.streams.video[0]
        copy = out.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                out.mux(packet)
    dataset = read_dataset(tmp_path)
    assert dataset.problems == ()
    assert spans(dataset, "walk/live.mkv") == [("walk", 0.0, SECONDS)]


def test_videos_are_found_however_they_are_named(film: Path, tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("deep/er/a.mp4", "v_abc.def.mp4", "odd.bin", "deep/twice.mp4", "deep/er/twice.mp4"):
        shutil.copyfile(film, tmp_path / name)
    file = tmp_path / "table.csv"
    names = ["a", "abc.def", "odd.bin", "deep/twice", "twice.mp4"]
    file.write_text("video,start,end,label\n" + "".join(f"{name},0,1,walk\n" for name in names))
    dataset = read_dataset(file, tmp_path)
    assert [video.path.relative_to(tmp_path).as_posix() for video in dataset.videos] == [
        "deep/er/a.mp4",
        "v_abc.def.mp4",
        "odd.bin",
        "deep/twice.mp4",
    ]
    assert [str(problem) for problem in dataset.problems] == [
        f"{file}:6: video 'twice.mp4': several files have this name: deep/er/twice.mp4, deep/twice.mp4"
    ]


def test_linked_folders_are_followed_once(film: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    shutil.copyfile(film, tmp_path / "elsewhere" / "1.mp4")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "walk").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "loop").symlink_to(tmp_path / "data")
    dataset = read_dataset(tmp_path / "data")
    assert dataset.problems == ()
    assert [video.name for video in dataset.videos] == ["walk/1.mp4"]


@pytest.mark.parametrize(
    ("name", "num_videos", "num_labels", "num_intervals"),
    [("fir", 11, 9, 126), ("weizmann", 90, 10, 90), ("asl", 20, 20, 20)],
)
def test_real_data_sets(reference_data: Path, name: str, num_videos: int, num_labels: int, num_intervals: int) -> None:
    dataset = read_dataset(reference_data / name / "annotations.json")
    assert dataset.problems == ()
    assert len(dataset.videos) == num_videos
    assert len(dataset.labels) == num_labels
    assert sum(len(video.intervals) for video in dataset.videos) == num_intervals


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("x.txt", "some prose\nof no form", "no known form"),
        ("x.csv", "video,start,stop,label\n", ":1: column 'stop' is not known"),
        ("x.csv", "video,start,end\n", ":1: no column 'label'"),
        ("x.csv", 'video,start,end,label\na,0,1,"walk\n', ":2: not valid CSV"),
        ("x.json", '{"database": {\n"a": {,}\n}}', ":2: not valid JSON"),
        ("x.json", '{"database": {}} 1', ":1: not valid JSON: Extra data"),
        ("x.json", '{"videos": []}', "without a `database` object"),
        ("x.json", "[" * 100_000, "nested too deeply"),
        ("x.json", '{"database": {"a": {"duration": ' + "9" * 5000 + "}}}", "not valid JSON"),
        ("x.xml", "<annotations>\n<meta></annotations>", ":2: not valid XML"),
        ("x.xml", "<annotation><folder>VOC</folder></annotation>", "not CVAT's"),
        ("x.xml", '<!DOCTYPE a [<!ENTITY b "c">]>\n<annotations/>', ":1: XML with a DTD"),
        ("x.xml", "<a>" * 100, "nested deeper"),
        ("x.bin", b"\xff\xfe\x00", "is not UTF-8"),
        ("x.bin", b"", "no known form"),
    ],
)
def test_what_is_no_annotation_is_one_error(tmp_path: Path, name: str, content: str | bytes, why: str) -> None:
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DatasetUnusable, match=r"x\.") as caught:
        read_dataset(file)
    assert why in str(caught.value)
    assert len(str(caught.value)) < 600


def test_paths_that_cannot_be(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(DatasetUnusable, match="no such file"):
        read_dataset(tmp_path / "missing.json")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetUnusable, match="no known form"):
        read_dataset(tmp_path / "empty")
    (folder / "table.csv").write_text("video,start,end,label\n")
    with pytest.raises(DatasetUnusable, match=r"videos folder .*: no such folder"):
        read_dataset(folder / "table.csv", tmp_path / "missing")
    with pytest.raises(DatasetUnusable, match="label '1st' cannot be a label"):
        read_dataset(folder / "table.csv", labels=["1st"])


def test_files_too_large_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.datasets.annotations.MAX_FILE_BYTES", 10)
    monkeypatch.setattr("training.datasets.annotations.MAX_VIDEOS", 1)
    file = tmp_path / "table.csv"
    file.write_text("video,start,end,label\n")
    with pytest.raises(DatasetUnusable, match="larger than 10 bytes"):
        read_dataset(file)
    monkeypatch.setattr("training.datasets.annotations.MAX_FILE_BYTES", 1000)
    file.write_text("video,start,end,label\na,0,1,x\nb,0,1,x\n")
    with pytest.raises(DatasetUnusable, match="more than 1 videos"):
        read_dataset(file)
