"""Incidents on real footage: who may see which video, what is true there, and what nobody could see."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from films import VideoFile
from numpy.typing import NDArray

from shared.errors import SourceRefused
from training.scenes.codec import Codec, Damage, through_codec
from training.scenes.covers import Cover
from training.scenes.footage import FilmCache, Footage, group_and_split, random_film, read_film
from training.scenes.incidents import FAULTS, LABELS, VISIBLE_STRENGTH, Incident, Ramp
from training.scenes.rendered import as_sequence, plan_specs, render_sequence
from training.scenes.scene import Clip, render_clip
from training.scenes.seeds import Split
from training.scenes.truths import Seen, truth_of
from training.scenes.visibility import Witness, small
from training.truth import Interval

SIZE = (128, 96)
SPLITS = (Split.TRAINING, Split.VALIDATION, Split.EVALUATION)


@pytest.fixture(scope="module")
def footage(reference_data: Path) -> Footage:
    return Footage((reference_data / "video", reference_data / "asl", reference_data / "odd"))


@pytest.fixture(scope="module")
def street(reference_data: Path) -> Mapping[str, Sequence[Path]]:
    return {"vtest": (reference_data / "video" / "vtest.avi",)}


def running(street: Mapping[str, Sequence[Path]], incidents: Sequence[Incident], first: int, count: int) -> list[Clip]:
    """The first `count` clips, by seed, of footage that runs."""
    clips: list[Clip] = []
    seed = first
    while len(clips) < count:
        clip = render_clip(seed, incidents, 6, size=SIZE, footage=street)
        seed += 1
        if Interval("activity", 0.0, 6.0) in clip.unsure:
            clips.append(clip)
    return clips


def test_no_video_and_no_group_serves_two_splits(footage: Footage) -> None:
    parts = {split: footage.files(split) for split in SPLITS}
    files = [file for part in parts.values() for group in part.values() for file in group]
    groups = [group for part in parts.values() for group in part]
    assert len(files) == len(set(files)) > 150
    assert len(groups) == len(set(groups))
    assert {"vtest", "car", "bottle"} < set(parts[Split.TRAINING])
    assert [file.name for file in parts[Split.EVALUATION]["person"]] == ["one-by-one-person-detection.mp4"]
    assert all(part for part in parts.values())


def test_names_alone_decide_who_may_see_a_video() -> None:
    def group_of(name: str) -> tuple[str, Split | None]:
        return group_and_split(Path(name))

    assert group_of("0c93d712_sample_of_something.mp4") == group_of("sample.mp4")
    assert group_of("yard-2026-01.mp4") == group_of("yard 7.mkv")
    assert group_of("yard-2026-01.mp4")[0] == "yard"
    assert group_of("20200626_154313_mlx90640_01_light_none.mp4") == ("fir", Split.EVALUATION)
    assert group_of("daria_walk.avi") == ("weizmann", Split.EVALUATION)
    chosen = [group_of(f"place{number}.mp4")[1] for number in range(400)]
    shares = [chosen.count(split) / 400 for split in SPLITS]
    assert shares == pytest.approx([0.6, 0.2, 0.2], abs=0.08)


def test_a_folder_that_lists_its_scenes_is_split_by_them(reference_data: Path) -> None:
    for folder in ("sky", "rooms"):
        footage = Footage((reference_data / folder,))
        parts = {split: footage.files(split) for split in SPLITS}
        assert sum(len(files) for part in parts.values() for files in part.values()) == len(footage.names)
        assert sum(map(len, parts.values())) == len({group for part in parts.values() for group in part})
        assert min(len(part) for part in parts.values()) >= 9
    twice = group_and_split(reference_data / "sky" / "sky001.mp4")
    assert twice == group_and_split(reference_data / "sky" / "sky002.mp4")
    assert twice[0] == "sky-12"


def test_footage_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused, match=r"gone\.mp4"):
        Footage((tmp_path / "gone.mp4",)).files(Split.TRAINING)


def test_footage_without_a_video_is_refused(tmp_path: Path, video_file: VideoFile) -> None:
    film, empty = video_file("film.mp4", seconds=1), tmp_path / "empty"
    empty.mkdir()
    (empty / "index.csv").touch()
    for path in (empty, empty / "index.csv"):
        with pytest.raises(SourceRefused, match=f"^no video in {path}$"):
            Footage((film, path)).files()


def test_what_does_not_decode_or_shows_nothing_is_no_film(tmp_path: Path, video_file: VideoFile) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"nothing")
    film = read_film(video_file("square.mp4", seconds=2))
    assert read_film(broken) is None
    assert film is not None
    assert len(film.jpegs) == 16
    assert film.picture(3).shape == (48, 64, 3)
    assert random_film({"a": (broken,)}, np.random.default_rng(0), steady=False) is None
    assert random_film({}, np.random.default_rng(0), steady=False) is None


def test_a_cut_ends_a_shot_and_what_passes_does_not(reference_data: Path) -> None:
    road = read_film(reference_data / "video" / "car-detection.mp4")
    assert road is not None
    assert sum(last - first for first, last in road.shots) > 0.75 * len(road.jpegs)
    assert len(road.shots) < 4


def test_the_cache_forgets_what_was_used_longest_ago(video_file: VideoFile) -> None:
    files = [video_file(f"film{index}.mp4", seconds=2) for index in range(3)]
    first = read_film(files[0])
    assert first is not None
    cache = FilmCache(int(2.5 * first.num_bytes))
    films = [cache.film(file) for file in files]
    assert cache.film(files[2]) is films[2]
    assert cache.film(files[0]) is not films[0]


def test_sequences_are_the_same_for_the_same_spec_and_differ_by_split(footage: Footage) -> None:
    [spec] = plan_specs(Split.TRAINING, 1, seed=1, seconds=6, height=48, width=64, footage=footage, first=2)
    first, again = render_sequence(spec), render_sequence(spec)
    assert np.array_equal(first.images, again.images)
    assert np.array_equal(first.weights, again.weights)
    assert first.images.shape == (48, 48, 64, 3)
    seeds = {
        spec.seed
        for split in SPLITS
        for spec in plan_specs(split, 5, seed=1, seconds=6, height=48, width=64, footage=footage)
    }
    assert len(seeds) == 15


@pytest.mark.parametrize("label", FAULTS)
def test_faults_show_on_footage_from_the_time_that_truth_says(label: str, street: Mapping[str, Sequence[Path]]) -> None:
    clips = running(street, [Incident(label, 2.5, 5.5)], 100, 6)
    shown = [interval for clip in clips for interval in clip.truth]
    assert {interval.label for interval in shown} == {label}
    assert len(shown) >= 4
    for interval in shown:
        assert interval.start_seconds == pytest.approx(2.5, abs=1.0 if label in {"glitch", "glare"} else 1e-6)
    for clip in clips:
        assert clip.truth or any(each.label == label for each in clip.unsure)


def test_activity_does_not_count_on_footage_that_runs(street: Mapping[str, Sequence[Path]]) -> None:
    [clip] = running(street, [Incident("covered", 2.5, 5.5)], 0, 1)
    sequence = as_sequence(clip, 48, 64)
    assert not sequence.weights[:, LABELS.index("activity")].any()
    assert sequence.weights[:, LABELS.index("glitch")].all()


def test_disturbances_are_no_faults(footage: Footage) -> None:
    files = footage.files(Split.TRAINING)
    clips = [render_clip(seed, [], 8, size=SIZE, footage=files) for seed in range(16)]
    assert all(clip.truth == () for clip in clips)
    assert {interval.label for clip in clips for interval in clip.unsure} <= {"activity", "glare", "moved"}


def test_a_gradual_incident_can_be_seen_from_its_start_to_its_end() -> None:
    ramp = Ramp(Incident("covered", 2.0, 6.0), rise_seconds=1.0, fall_seconds=0.0)
    strengths = [ramp.strength(at) for at in (1.6, 2.0, 2.5, 2.8, 5.9, 6.0)]
    assert strengths == pytest.approx([0.0, VISIBLE_STRENGTH, 0.8, 1.0, 1.0, 0.0])


@pytest.mark.parametrize("label", [label for label in FAULTS if label not in {"glitch", "glare"}])
def test_nobody_sees_what_changes_nothing(label: str) -> None:
    frames = np.full((64, 96, 128, 3), 24, np.uint8)
    witness = Witness(frames, [small(frame) for frame in frames], 8.0)
    assert not witness.sees(label, 3.0, 6.0)
    assert witness.damaged(3.0, 6.0) == []
    assert [*witness.glared(3.0, 6.0), *witness.dazzled([])] == []


def test_damage_is_true_while_it_shows_and_nobody_knows_in_between() -> None:
    intact = np.full((64, 96, 128, 3), 90, np.uint8)
    frames = intact.copy()
    for first, last in ((24, 32), (48, 56)):
        frames[first:last, 40:56, 20:100] = 30
    witness = Witness(frames, [small(frame) for frame in intact], 8.0)
    assert witness.damaged(2.5, 8.0) == [(3.0, 4.0), (6.0, 7.0)]
    seen = Seen([Incident("glitch", 2.5, 8.0)], [], [], [], 8.0, 4 / 3)
    truth, unsure = truth_of(seen, witness, unknown_activity=True)
    assert [(each.start_seconds, each.end_seconds) for each in truth] == [(3.0, 4.0), (6.0, 7.0)]
    open_ = [(each.start_seconds, each.end_seconds) for each in unsure if each.label == "glitch"]
    assert open_ == [(2.5, 3.0), (4.0, 6.0), (7.0, 8.0)]


def test_a_move_to_a_dull_view_could_as_well_be_a_cover_and_one_from_it_is_not_seen() -> None:
    rng = np.random.default_rng(1)
    lively, other = (np.repeat(rng.integers(90, 160, (1, 96, 128, 1), np.uint8), 3, axis=3) for _ in range(2))
    flat, dark = np.full_like(lively, 125), other // 3

    def seen(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> Witness:
        frames = np.concatenate([np.repeat(before, 24, axis=0), np.repeat(after, 40, axis=0)])
        return Witness(frames, [], 8.0)

    assert seen(lively, flat).dulled(3.0, 6.0)
    assert seen(lively, dark).dulled(3.0, 6.0)
    assert not seen(lively, other).dulled(3.0, 6.0)
    assert not seen(flat, lively).sees("moved", 3.0, 6.0)


def test_a_sheet_brings_its_pattern_along_and_a_drop_shows_the_view_upside_down() -> None:
    def draw(wanted: Callable[[Cover], bool]) -> Cover:
        covers = (Cover.draw(Incident("covered", 1, 9), np.random.default_rng(seed), *SIZE) for seed in range(400))
        return next(cover for cover in covers if wanted(cover))

    def moves(cover: Cover) -> bool:
        """Whether what has come keeps moving until all has."""
        middle, end = (cover.apply(np.zeros_like(view), 1 + share * cover.ramp.rise_seconds) for share in (0.2, 0.7))
        come = middle.min(axis=2) > 20
        return bool(np.median(np.abs(middle - end)[come]) > 1)

    def is_plain(cover: Cover) -> bool:
        is_slow = cover.ramp.rise_seconds > 1 and cover.softness < 0.05
        return is_slow and not cover.tremble and cover.exposure.gain == 1.0 and cover.surface.std() > 20

    view = np.zeros((SIZE[1], SIZE[0], 3), np.float32)
    view[: SIZE[1] // 2] = 200
    assert moves(draw(lambda cover: is_plain(cover) and cover.comes_from != (0.0, 0.0)))
    assert not moves(draw(lambda cover: is_plain(cover) and cover.comes_from == (0.0, 0.0) and not cover.refracts))
    drop = draw(lambda cover: cover.refracts and cover.exposure.gain == 1.0)
    seen = drop.apply(view, 5.0)
    hidden = np.abs(seen - view).max(axis=2) > 100
    assert 0.2 < hidden.mean() < 0.9
    assert seen[: SIZE[1] // 3][hidden[: SIZE[1] // 3]].mean() < 60


def test_a_bad_line_is_marked_while_it_lasts_and_the_network_is_told() -> None:
    clips = (render_clip(seed, [Incident("glitch", 2.0, 4.0)], 6, size=SIZE) for seed in range(40))
    clip = next(clip for clip in clips if clip.damaged.any())
    assert not clip.damaged[:16].any()
    assert not clip.damaged[32:].any()
    told = as_sequence(clip, 48, 64).told
    assert told is not None
    assert told[:, -1].tolist() == clip.damaged.tolist()


@pytest.mark.parametrize("encoder", ["libx264", "mpeg4"])
def test_a_damaged_bitstream_still_gives_every_picture_and_then_heals(
    encoder: str, capfd: pytest.CaptureFixture[str]
) -> None:
    clean = render_clip(2, [], seconds=4, size=SIZE, disturbed=False).frames
    codec = Codec(encoder, 24, 100)  # type: ignore[arg-type]
    wrong: list[bool] = []
    marked: list[bool] = []
    for seed in range(12):
        coded = [
            np.stack(list(through_codec(clean, codec, 8.0, SIZE, damage)))
            for _ in range(2)
            for damage in [Damage.draw(Incident("glitch", 1.0, 3.0), np.random.default_rng(seed))]
        ]
        assert np.array_equal(coded[0], coded[1])
        assert coded[0].shape == clean.shape
        errors = np.abs(coded[0].astype(int) - clean)
        assert max(errors[:8].mean((1, 2, 3)).max(), errors[24:].mean((1, 2, 3)).max()) < 12
        wrong.append(bool(((errors[8:24] > 40).mean((1, 2, 3)) > 0.01).any()))
        damage, marks = Damage.draw(Incident("glitch", 1.0, 3.0), np.random.default_rng(seed)), list[bool]()
        assert len(list(through_codec(clean, codec, 8.0, SIZE, damage, marks))) == len(marks)
        assert not any(marks[:8] + marks[24:])
        marked += marks[8:24]
    assert sum(wrong) >= 3
    assert 0.2 < np.mean(marked) < 0.9
    assert capfd.readouterr().err == ""
