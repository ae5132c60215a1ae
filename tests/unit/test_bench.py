"""How the bench scores: by alarms that open, on incidents whose kind and time are known, and by false ones a day."""

import shutil
from pathlib import Path
from random import Random

import numpy as np
import pytest
from patience import unavailable

from shared.errors import SettingsInvalid
from training.bench.scoring import IncidentReport, scored
from training.bench.staging.damage import CHANGED_SHARE, HARMS, damaged_shares, seen_seconds
from training.bench.staging.encoding import run_ffmpeg
from training.bench.staging.making import MANNERS, make
from training.bench.staging.plan import planned
from training.bench.staging.takes import FIRST_KINDS, KINDS, Stage, Truth
from training.bench.untouched import Untouched, UntouchedReport, upper_bound
from training.events import Detection
from training.truth import Interval

COVER = Truth("clip.mkv", "covered", "hand", 8.0, 15.0, "room.mp4")


def alarm(label: str, opened: float, closed: float = 21.0) -> Detection:
    return Detection(Interval(label, opened - 0.25, closed), opened)


@pytest.mark.parametrize(("opened", "delay"), [(7.4, None), (7.6, -0.4), (8.3, 0.3), (15.0, 7.0), (15.1, None)])
def test_only_an_alarm_that_opens_in_time_finds_an_incident(opened: float, delay: float | None) -> None:
    assert scored(COVER, [alarm("covered", opened)]).delay_seconds == pytest.approx(delay)


def test_an_alarm_that_stands_already_earns_nothing_and_is_false() -> None:
    score = scored(COVER, [alarm("covered", 3.0)])
    assert not score.is_found
    assert [each.opened_seconds for each in score.outside] == [3.0]


def test_alarms_of_other_kinds_are_false_but_activity_is_none_and_the_return_is_news() -> None:
    times = {"lights_out": 8.4, "moved": 16.0, "glitch": 19.0, "activity": 9.0, "covered": 8.5}
    score = scored(COVER, [*(alarm(label, at) for label, at in times.items()), alarm("covered", 12.0)])
    assert score.delay_seconds == pytest.approx(0.5)
    assert [[each.interval.label for each in some] for some in (score.inside, score.at_return, score.outside)] == [
        ["lights_out"],
        ["moved"],
        ["glitch"],
    ]


def test_where_packets_are_lost_the_picture_may_stand() -> None:
    lost = Truth("clip.mkv", "glitch", "H.264, lost packets", 8.0, 15.0, "room.mp4", also=("frozen",))
    score = scored(lost, [alarm("frozen", 9.0), alarm("moved", 9.5)])
    assert not score.is_found
    assert [each.interval.label for each in score.inside] == ["moved"]


def test_false_alarms_count_for_the_kind_that_they_name() -> None:
    frozen = Truth("b.mkv", "frozen", "no clock", 8.0, 15.0, "room.mp4")
    clips = (
        scored(COVER, [alarm("covered", 8.5), alarm("frozen", 9.0)]),
        scored(COVER, []),
        scored(frozen, [alarm("frozen", 9.0), alarm("frozen", 2.0, 3.0)]),
    )
    report = IncidentReport("model@1", clips)
    kinds = {score.kind: score for score in report.kinds()}
    assert set(kinds) == {"covered", "frozen"}
    assert kinds["covered"].matches.f1 == pytest.approx(2 / 3)
    assert (kinds["frozen"].inside, kinds["frozen"].outside) == (1, 1)
    assert kinds["frozen"].matches.f1 == pytest.approx(0.5)
    assert report.all_kinds().matches.f1 == pytest.approx(4 / 7)
    assert report.manners() == {("covered", "hand"): (1, 2), ("frozen", "no clock"): (1, 1)}


@pytest.mark.parametrize(("seen", "bound"), [(0, 2.9957), (1, 4.7439), (13, 20.6686)])
def test_the_bound_is_that_of_rare_events(seen: int, bound: float) -> None:
    assert upper_bound(seen) == pytest.approx(bound, abs=1e-4)


def test_false_alarms_are_counted_a_camera_and_day() -> None:
    files = (Untouched("a.mp4", 3600.0, (alarm("moved", 5.0),)), Untouched("b.mp4", 3600.0, ()))
    report = UntouchedReport("model@1", files)
    assert report.per_day() == pytest.approx(12)
    assert report.bound_per_day("frozen") == pytest.approx(12 * 2.9957, rel=1e-4)
    assert report.count("moved") == 1


def test_every_manner_is_planned_as_often_and_the_same_again(reference_data: Path) -> None:
    films = {"person": [reference_data / "video" / "one-by-one-person-detection.mp4"]}
    takes = planned(films)
    counts = [(take.kind, take.manner) for take in takes]
    assert {counts.count(manner) for manner in counts} == {2}
    assert len(set(counts)) == len(MANNERS) + len(HARMS)
    assert {take.kind for take in takes} == set(KINDS)
    assert takes == planned(films)
    assert takes != planned(films, seed=1)
    assert [take for take in takes if take.kind in FIRST_KINDS] == planned(films, FIRST_KINDS)
    some = planned(films, ("activity", "noise", "moved"), 4)
    assert {take.kind for take in some} == {"noise", "moved"}
    assert len(some) == 4


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in FIRST_KINDS])
def test_what_comes_over_a_picture_is_seen_from_its_start_on_and_goes(kind: str) -> None:
    if not shutil.which("ffmpeg"):
        unavailable("ffmpeg")
    stage = Stage(96, 72, 5.0, 4.0, 8.0)
    for manner in [each for each in MANNERS.values() if each.kind == kind]:
        graph = f"smptebars=s=96x72:r=5:d=12,format=yuv420p[base];{manner.filters(stage, Random(1))},format=rgb24[out]"
        raw = run_ffmpeg(["-filter_complex", graph, "-map", "[out]", "-f", "rawvideo", "-"])
        shown = np.frombuffer(raw, np.uint8).reshape(60, -1).astype(np.int16)
        off = np.abs(shown - shown[0]).mean(axis=1)
        assert off[:20].max() < 0.5, manner.name
        assert np.median(off[20:40]) > 2, manner.name
        assert off[-5:].max() < 0.5, manner.name


def test_without_ffmpeg_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsInvalid, match="apt-get install ffmpeg"):
        make([], tmp_path)


def test_a_stage_of_any_size_has_filters_for_every_manner() -> None:
    stage = Stage(320, 180, 12.5, 8.0, 15.0)
    for manner in MANNERS.values():
        graph = manner.filters(stage, Random(1))
        assert graph.count("[base]") == 1, manner.name
        assert graph == manner.filters(stage, Random(1))


def test_a_picture_that_comes_late_or_again_is_not_damaged_but_one_with_blocks_is() -> None:
    usual = np.random.default_rng(0).integers(0, 255, (20, 120, 160)).astype(np.int16)
    late = usual[[0, 1, 2, 3, 3, 3, 4, 5, 6, 7]].copy()
    late[8, 30:62, 30:62] = 128
    seen = damaged_shares(usual, late, fps=8.0) > CHANGED_SHARE
    assert np.flatnonzero(seen).tolist() == [8]


@pytest.mark.parametrize(("pictures", "seen"), [(slice(64, 120), (8.0, 14.875)), (slice(150, 176), None), ((), None)])
def test_damage_is_seen_in_its_own_time_or_not_at_all(
    pictures: slice | tuple[int, ...], seen: tuple[float, float] | None
) -> None:
    shares = np.zeros(176)
    shares[pictures if isinstance(pictures, slice) else list[int](pictures)] = 0.5
    assert seen_seconds(shares, Stage(320, 180, 8.0, 8.0, 15.0)) == seen
