from collections.abc import Sequence

import pytest

from services.ingest.sources.decoding.tracks import Track, first_with_packets, ranked
from shared.errors import SourceFailed

FILM = Track(1, width=320, height=180)

WORSE = {
    "a preview of one picture": Track(0, width=640, height=360, num_pictures=1),
    "a smaller track": Track(0, width=160, height=90, is_default=True),
    "a track of no known size": Track(0),
    "a track without a decoder": Track(0, has_decoder=False, width=640, height=360),
    "a cover": Track(0, width=640, height=360, is_still=True),
    "a picture too large to be read": Track(0, width=20_000, height=180),
}


@pytest.mark.parametrize("other", WORSE.values(), ids=WORSE)
def test_the_film_is_looked_at(other: Track) -> None:
    assert ranked([other, FILM])[0] == ranked([FILM, other])[0] == FILM.index


def test_a_larger_track_with_far_fewer_pictures_is_a_preview() -> None:
    preview = Track(0, width=640, height=360, num_pictures=20)
    assert ranked([preview, Track(1, width=320, height=180, num_pictures=200)]) == [1, 0]
    assert ranked([preview, Track(1, width=320, height=180, num_pictures=199)]) == [0, 1]


def test_of_equal_tracks_the_default_or_the_first_is_looked_at() -> None:
    same = [Track(index, width=320, height=180) for index in range(3)]
    assert ranked(same) == [0, 1, 2]
    assert ranked([*same, Track(3, width=320, height=180, is_default=True)])[0] == 3


@pytest.mark.parametrize(
    ("tracks", "reason"),
    [
        ([], "holds no video stream"),
        ([WORSE["a cover"]], "holds no video stream"),
        ([WORSE["a track without a decoder"]], "its codec is not supported"),
    ],
)
def test_where_there_is_nothing_to_look_at_it_says_so(tracks: Sequence[Track], reason: str) -> None:
    with pytest.raises(SourceFailed, match=reason):
        ranked(tracks)


def test_packets_decide() -> None:
    assert first_with_packets([2, 0, 1], {2}, is_over=False) == 2
    assert first_with_packets([2, 0, 1], {0, 1}, is_over=False) is None
    assert first_with_packets([2, 0, 1], {0, 1}, is_over=True) == 0
    assert first_with_packets([2, 0, 1], set(), is_over=True) is None
