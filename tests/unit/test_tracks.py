from collections.abc import Sequence

import pytest

from services.ingest.sources.decoding.tracks import TAKEOVER_PACKETS, Succession, VideoTrack, first_with_packets, ranked
from shared.errors import SourceFailed

FILM = VideoTrack(1, width=320, height=180)

WORSE = {
    "a preview of one picture": VideoTrack(0, width=640, height=360, num_pictures=1),
    "a smaller track": VideoTrack(0, width=160, height=90, is_default=True),
    "a track of no known size": VideoTrack(0),
    "a track without a decoder": VideoTrack(0, has_decoder=False, width=640, height=360),
    "a cover": VideoTrack(0, width=640, height=360, is_still=True),
    "a picture too large to be read": VideoTrack(0, width=20_000, height=180),
}


@pytest.mark.parametrize("other", WORSE.values(), ids=WORSE)
def test_the_film_is_looked_at(other: VideoTrack) -> None:
    assert ranked([other, FILM])[0] == ranked([FILM, other])[0] == FILM.index


def test_a_larger_track_with_far_fewer_pictures_is_a_preview() -> None:
    preview = VideoTrack(0, width=640, height=360, num_pictures=20)
    assert ranked([preview, VideoTrack(1, width=320, height=180, num_pictures=200)]) == [1, 0]
    assert ranked([preview, VideoTrack(1, width=320, height=180, num_pictures=199)]) == [0, 1]


def test_of_equal_tracks_the_default_or_the_first_is_looked_at() -> None:
    same = [VideoTrack(index, width=320, height=180) for index in range(3)]
    assert ranked(same) == [0, 1, 2]
    assert ranked([*same, VideoTrack(3, width=320, height=180, is_default=True)])[0] == 3


@pytest.mark.parametrize(
    ("tracks", "reason"),
    [
        ([], "holds no video stream"),
        ([WORSE["a cover"]], "holds no video stream"),
        ([WORSE["a track without a decoder"]], "its codec is not supported"),
    ],
)
def test_where_there_is_nothing_to_look_at_it_says_so(tracks: Sequence[VideoTrack], reason: str) -> None:
    with pytest.raises(SourceFailed, match=reason):
        ranked(tracks)


def test_packets_decide() -> None:
    assert first_with_packets([2, 0, 1], {2}, is_over=False) == 2
    assert first_with_packets([2, 0, 1], {0, 1}, is_over=False) is None
    assert first_with_packets([2, 0, 1], {0, 1}, is_over=True) == 0
    assert first_with_packets([2, 0, 1], set(), is_over=True) is None


def test_a_track_that_goes_on_alone_takes_over() -> None:
    succession = Succession(1, [0, 1, 2])
    for seconds in (0.0, 0.04, 0.08):
        succession.saw_chosen(seconds)
    assert not succession.saw_other(2, 0.0)
    assert not succession.saw_other(0, None)
    assert not succession.saw_other(2, 2.9)
    assert succession.saw_other(2, 3.0)
    assert (succession.chosen, succession.others) == (2, {0})


def test_packets_without_times_are_counted() -> None:
    succession = Succession(1, [0, 1])
    for _ in range(3):
        succession.saw_chosen(None)
    alone = [succession.saw_other(0, None) for _ in range(TAKEOVER_PACKETS)]
    assert alone == [False] * (TAKEOVER_PACKETS - 1) + [True]


@pytest.mark.parametrize("pause", [0.04, 1.0, 60.0])
def test_a_track_beside_the_chosen_one_never_takes_over(pause: float) -> None:
    succession = Succession(1, [0, 1])
    for turn in range(20):
        succession.saw_chosen(turn * pause)
        for part in range(20):
            if 0 in succession.others:
                assert not succession.saw_other(0, (turn + part / 20) * pause)
    assert succession.others == set()
    assert succession.at_end() is None


@pytest.mark.parametrize("late", [0, 1, 3, 4])
@pytest.mark.parametrize(("seconds", "follows"), [(0.9, False), (1.0, True), (2.5, True)])
def test_at_the_end_a_shorter_track_has_taken_over(seconds: float, follows: bool, late: int) -> None:
    """Though the last packets of the first come late."""
    succession = Succession(1, [0, 1])
    succession.saw_chosen(9.96)
    for turn in range(late):
        assert not succession.saw_other(0, 10.0 + turn / 100)
        succession.saw_chosen(9.96 + turn / 100)
    if late <= 3:
        assert not succession.saw_other(0, 10.0)
        assert not succession.saw_other(0, 10.0 + seconds)
    assert succession.at_end() == (0 if follows and late <= 3 else None)
