"""Which videos are held out, and how a data set is named."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import DatasetUnusable
from training.datasets.dataset import Dataset, LabelledVideo
from training.datasets.fingerprint import fingerprint
from training.datasets.reading import read_dataset
from training.datasets.split import split_held_out
from training.truth import Interval


def video(name: str, *labels: str, group: str | None = None) -> LabelledVideo:
    return LabelledVideo(name, Path(name), tuple(Interval(label, 0, 1) for label in labels), group)


def dataset_of(*videos: LabelledVideo) -> Dataset:
    return Dataset(tuple(sorted(labels_of(videos))), videos)


def labels_of(videos: tuple[LabelledVideo, ...]) -> set[str]:
    return {interval.label for each in videos for interval in each.intervals}


@given(
    st.lists(st.tuples(st.sets(st.sampled_from("abcd")), st.sampled_from(["", *"pqrstu"])), max_size=30),
    st.integers(0, 5),
)
def test_every_split_keeps_its_promises(drawn: list[tuple[set[str], str]], seed: int) -> None:
    videos = [video(f"v{index}", *sorted(labels), group=group or None) for index, (labels, group) in enumerate(drawn)]
    dataset = dataset_of(*videos)
    kept, held = split_held_out(dataset, seed=seed)
    assert split_held_out(dataset, seed=seed) == (kept, held)
    assert sorted(each.name for each in kept.videos + held.videos) == sorted(each.name for each in videos)
    groups = {each.group for each in videos} - {None}
    both = ({each.group for each in kept.videos} & {each.group for each in held.videos}) - {None}
    if len(groups) >= 4:
        assert not both
    if len(videos) < 2 or (len(groups) >= 4 and len({each.group or each.name for each in videos}) < 2):
        assert held.videos == ()
    else:
        assert held.videos
        assert kept.videos
        single = {label for label in dataset.labels if sum(label in labels for labels, _ in drawn) == 1}
        assert labels_of(dataset.videos) - labels_of(kept.videos) <= single or len(groups) >= 4


def test_labels_are_on_both_sides_in_like_proportion() -> None:
    videos = [
        video(f"{label}{index}", label)
        for label, number in (("a", 200), ("b", 40), ("c", 2))
        for index in range(number)
    ]
    kept, held = split_held_out(dataset_of(*videos), share=0.25)
    counts = {label: sum(each.intervals[0].label == label for each in held.videos) for label in "abc"}
    assert counts["c"] == 1
    assert counts["b"] == pytest.approx(10, abs=1)
    assert counts["a"] == pytest.approx(50, abs=1)
    assert [each for each in videos if each in held.videos] == list(held.videos)
    assert labels_of(kept.videos) == set("abc")


def test_few_groups_are_divided() -> None:
    videos = [video(f"{group}{index}", "walk", group=group) for group in "xyz" for index in range(10)]
    _, held = split_held_out(dataset_of(*videos), share=0.15)
    assert sorted({each.group or "" for each in held.videos}) == ["x", "y", "z"]
    assert len(held.videos) == 4


def test_whole_actors_are_held_out(reference_data: Path) -> None:
    dataset = read_dataset(reference_data / "weizmann" / "annotations.json")
    held = {seed: split_held_out(dataset, seed=seed)[1] for seed in range(5)}
    for part in held.values():
        assert len({each.group for each in part.videos}) == 1
        assert len(part.videos) == 10
        assert labels_of(part.videos) == set(dataset.labels)
    assert len({part.videos[0].group for part in held.values()}) > 1


def test_a_share_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"share is 1\.5"):
        split_held_out(dataset_of(), share=1.5)


def test_a_fingerprint_is_of_content_alone(tmp_path: Path) -> None:
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        for name, content in (("a", b"1" * 3_000_000), ("b", b"2")):
            (tmp_path / folder / name).write_bytes(content)
    here = dataset_of(*(replace(video(name, "x"), path=tmp_path / "here" / name) for name in "ab"))
    there = dataset_of(*(replace(video(name, "x"), path=tmp_path / "there" / name) for name in "ba"))
    first = fingerprint(here)
    assert len(first) == 64
    assert first == fingerprint(there)

    (tmp_path / "there" / "a").write_bytes(b"1" * 2_999_999 + b"0")
    assert fingerprint(there) != first
    a, b = here.videos
    for changed in (
        replace(a, subset="training"),
        replace(a, group="me"),
        replace(a, name="c"),
        replace(a, intervals=(Interval("x", 0, 1.5),)),
    ):
        assert fingerprint(replace(here, videos=(changed, b))) != first
    assert fingerprint(replace(here, labels=("x", "y"))) != first
    b.path.unlink()
    with pytest.raises(DatasetUnusable, match="No such file"):
        fingerprint(here)
