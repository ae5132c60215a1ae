"""What a model is measured on is what it does not know, whatever it is called; what is left out or known is said."""

import shutil
from pathlib import Path

import pytest
from films import render
from rich.console import Console

from afterimage.demo import footage_for
from shared.errors import DatasetUnusable, SourceRefused
from training.bench.report import incident_tables, untouched_json, untouched_tables, write_bench_report
from training.bench.running import BenchOrder, run_bench
from training.bench.scoring import IncidentReport
from training.bench.untouched import Untouched, UntouchedReport
from training.choosing import ChosenFootage, choose, choose_some
from training.datasets.dataset import LabelledVideo
from training.footage import unlabelled
from training.learned import learned_from, write_learned
from training.scenes.footage import Footage
from training.scenes.rendered import SequenceSpec, render_sequence
from training.scenes.seeds import Split

SHIPPED = Path(__file__).resolve().parents[2] / "models" / "camera-events"
LEFT_OUT = "3 of 5 files are left out: the model has learned from 2, and 1 chose its epoch and thresholds"
KNOWN = "The model has learned from 2 of these 5 files, and 1 more chose its epoch and thresholds"


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five films; by training's rule the last alone is kept aside, and of their copies called yard none."""
    root = tmp_path_factory.mktemp("films")
    for index in range(3, 8):
        render(root / f"place{index}.mp4", seconds=1 + index / 8, fps=8, size=(64, 48), rotation=0)
    return root


@pytest.fixture
def renamed(films: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "renamed"
    folder.mkdir()
    for index, film in enumerate(sorted(films.iterdir())):
        shutil.copy(film, folder / f"yard-{index}.mp4")
    return folder


@pytest.fixture
def model(films: Path, tmp_path: Path) -> Path:
    """A folder that has learned from the first two and was tuned by the third."""
    videos: list[LabelledVideo] = [unlabelled(film) for film in sorted(films.iterdir())]
    folder = tmp_path / "model"
    write_learned(folder, learned_from(videos[:2], videos[2:3]))
    return folder


def printed(what: object) -> str:
    console = Console(force_terminal=True, width=300, color_system="standard", no_color=False)
    with console.capture() as shown:
        console.print(what)
    return shown.get()


def watched(choice: ChosenFootage, seconds: float = 1.0, unreadable: tuple[str, ...] = ()) -> UntouchedReport:
    files = tuple(Untouched(file.name, seconds, ()) for file in choice.files)
    return UntouchedReport("model@1", files, ("covered", "moved"), unreadable, choice)


def test_what_a_model_knows_is_left_out_whatever_it_is_called_and_the_rest_is_taken(model: Path, renamed: Path) -> None:
    choice = choose(model, [renamed])
    assert [file.name for file in choice.files] == ["yard-3.mp4", "yard-4.mp4"]
    assert (choice.num_files, choice.learned_from, choice.tuned_on) == (5, 2, 1)
    assert (choice.cautions(), choice.notes()) == ((), (LEFT_OUT,))
    report = watched(choice)
    assert LEFT_OUT in printed(untouched_tables(report))
    assert LEFT_OUT in printed(incident_tables(IncidentReport("model@1", (), choice)))
    found = untouched_json(report)
    assert (found["left_out"], found["learned_from"], found["tuned_on"]) == (3, 0, 0)


def test_what_a_model_knows_is_said_in_red_where_all_is_taken(model: Path, renamed: Path, tmp_path: Path) -> None:
    choice = choose(model, [renamed], whole=True)
    assert len(choice.files) == 5
    report, incidents = watched(choice), IncidentReport("model@1", (), choice)
    for table in (untouched_tables(report), incident_tables(incidents)):
        assert f"\x1b[1;31m{KNOWN}" in printed(table)
    assert f"**{KNOWN}" in write_bench_report(tmp_path / "out", None, (report, {})).read_text()
    assert f"**{KNOWN}" in write_bench_report(tmp_path / "out", (incidents, {}), None).read_text()
    found = untouched_json(report)
    assert (found["left_out"], found["learned_from"], found["tuned_on"]) == (0, 2, 1)
    tuned = choose(model, [renamed / "yard-2.mp4", renamed / "yard-3.mp4"], whole=True)
    assert tuned.cautions() == ("1 of these 2 files chose the model's epoch and thresholds: the figures flatter.",)
    assert choose(model, [renamed / "yard-3.mp4"], whole=True).cautions() == ()


def test_where_nothing_is_new_or_there_is_no_video_it_is_said(model: Path, renamed: Path, tmp_path: Path) -> None:
    known = [renamed / f"yard-{index}.mp4" for index in range(3)]
    with pytest.raises(DatasetUnusable, match=r"of 3 it has learned from 2, and 1 chose its .*; take all"):
        choose_some(model, known, advice="; take all")
    empty = tmp_path / "empty"
    empty.mkdir()
    for taker in (choose, choose_some):
        with pytest.raises(SourceRefused, match=f"^no video in {empty}$"):
            taker(model, [renamed, empty])


def test_the_demo_shows_faults_on_what_is_new_to_the_model_or_on_all(model: Path, renamed: Path) -> None:
    new = [file.name for files in footage_for(model, [renamed]).values() for file in files]
    assert new == ["yard-3.mp4", "yard-4.mp4"]
    known = footage_for(model, [renamed / "yard-0.mp4"])
    assert [file.name for files in known.values() for file in files] == ["yard-0.mp4"]
    assert footage_for(model, ()) == {}


def test_a_model_without_a_record_is_measured_on_what_trainings_rule_keeps_aside(films: Path, tmp_path: Path) -> None:
    aside = [file for files in Footage((films,)).files(Split.EVALUATION).values() for file in files]
    assert [file.name for file in aside] == ["place7.mp4"]
    choice = choose(tmp_path, [films])
    assert choice.files == aside
    assert "does not say" in choice.notes()[0]
    assert "the 1 of 5 files" in choice.notes()[0]
    assert untouched_json(watched(choice))["learned_from"] is None
    assert len(choose(tmp_path, [films], whole=True).files) == 5
    others = [film for film in sorted(films.iterdir()) if film.resolve() not in aside]
    with pytest.raises(DatasetUnusable, match="keeps none aside"):
        choose_some(tmp_path, others)


def test_the_shipped_model_is_measured_on_the_same_reference_files_as_by_trainings_rule(reference_data: Path) -> None:
    folders = [reference_data / name for name in ("rooms", "sky", "video", "asl", "fir", "weizmann")]
    for paths, count in ((folders[:4], 63), (folders, 164)):
        choice = choose(SHIPPED, paths)
        assert list(choice.groups.items()) == list(Footage(tuple(paths)).files(Split.EVALUATION).items())
        assert (len(choice.files), choice.learned_from, choice.tuned_on) == (count, 143, 57)
    footage = choose(SHIPPED, folders[:4]).footage
    assert footage
    spec = SequenceSpec(3, 1.0, 48, 64, Split.EVALUATION, Footage(tuple(folders[:4])))
    assert footage.files() == Footage(tuple(folders[:4])).files(Split.EVALUATION)
    chosen = SequenceSpec(3, 1.0, 48, 64, None, footage)
    assert (render_sequence(spec).images == render_sequence(chosen).images).all()


def test_files_that_do_not_read_are_counted_and_named(films: Path, tmp_path: Path) -> None:
    folder = tmp_path / "some"
    folder.mkdir()
    shutil.copy(films / "place7.mp4", folder / "good.mp4")
    for index in range(12):
        (folder / f"bad-{index:02}.mp4").write_bytes(b"no film")
    result = run_bench(BenchOrder(SHIPPED, untouched=(folder,), device="cpu", show_progress=False), tmp_path / "out")
    report = result.untouched
    assert report
    assert [file.file for file in report.files] == ["good.mp4"]
    note = "12 of 13 files do not read: bad-00.mp4, bad-01.mp4"
    for text in (printed(untouched_tables(report)), (tmp_path / "out" / "report.md").read_text()):
        assert note in text
        assert "bad-09.mp4 and 2 more" in text
        assert "bad-10.mp4" not in text
    assert untouched_json(report)["unreadable"] == [f"bad-{index:02}.mp4" for index in range(12)]
    (folder / "good.mp4").unlink()
    with pytest.raises(DatasetUnusable, match=r"of 12 files none reads: bad-00\.mp4.* and 2 more"):
        run_bench(BenchOrder(SHIPPED, untouched=(folder,), device="cpu", show_progress=False))


@pytest.mark.parametrize(("seconds", "is_said"), [(1.0, True), (1790.0, True), (1800.0, False)])
def test_a_bound_from_a_short_time_is_said_to_tell_little(
    model: Path, renamed: Path, seconds: float, *, is_said: bool
) -> None:
    report = watched(choose(model, [renamed]), seconds)
    words = "less than an hour of film says next to nothing of a day"
    assert (words in printed(untouched_tables(report))) is is_said
    assert any(words in note for note in untouched_json(report)["notes"]) is is_said


def test_every_kind_that_the_model_knows_has_its_bound(model: Path, renamed: Path) -> None:
    kinds = untouched_json(watched(choose(model, [renamed]), 1800.0))["kinds"]
    assert list(kinds) == ["covered", "moved", "all"]
    assert {round(each["bound_per_camera_day"], 1) for each in kinds.values()} == {71.9}
