"""Which of a playlist's segments come next: each one once."""

import json
from collections.abc import Mapping

import pytest

from services.ingest.sources.hls.playlist import FilePart, HlsSegment, Playlist, parse
from services.ingest.sources.hls.trail import MAX_MARK, Trail, new_digest

URL = "http://cam/hls/live.m3u8?token=t"


def window(first: int, *contents: str, is_over: bool = False, where: str = "") -> Playlist:
    """Segments that begin with these contents; `where` stands for a session's own addresses."""
    segments = [HlsSegment(first + k, FilePart(f"http://cam/{where}{content}")) for k, content in enumerate(contents)]
    return Playlist(URL, tuple(segments), (), 2.0, is_over, is_recording=is_over and first <= 1)


def ring(last: int, newest: int, num_segments: int = 3) -> tuple[Playlist, dict[str, str]]:
    """Segments up to number `last`, at five addresses that are used again and again, and what is there now."""
    contents = {f"http://cam/{number % 5}": chr(ord("a") + number) for number in range(newest - 4, newest + 1)}
    names = [str(number % 5) for number in range(newest - num_segments + 1, newest + 1)]
    return window(last - num_segments + 1, *names), contents


def read(trail: Trail, playlist: Playlist, contents: Mapping[str, str] | None = None) -> str:
    """Reads what comes next, as the follower does; without `contents` an address tells its own."""

    def content_of(segment: HlsSegment) -> str:
        return contents[segment.piece.url] if contents else segment.piece.url[-1]

    found, segments = "", trail.unread(playlist)
    for num_new, segment in enumerate(reversed(segments) if trail.is_in_doubt else ()):
        if trail.is_known(segment, content_of(segment).encode()):
            segments = segments[len(segments) - num_new :]
            break
    for segment in segments:
        content = content_of(segment)
        head, whole = content.encode(), f"{content} whole".encode()
        if trail.is_known(segment, head) or (trail.seems_known(head) and trail.repeats(segment, whole)):
            continue
        trail.passed(segment, head)
        digest = new_digest()
        digest.update(whole)
        trail.held(digest.hexdigest())
        found += content
    return found


def test_a_live_playlist_is_taken_up_near_its_end() -> None:
    trail = Trail()
    assert read(trail, window(7, *"abcde")) == "cde"
    assert read(trail, window(7, *"abcde")) == ""
    assert read(trail, window(9, *"cdefghij")) == "fghij"
    assert trail.is_recording is False


def test_a_recording_is_read_from_its_beginning() -> None:
    trail = Trail()
    assert read(trail, window(1, *"abcde", is_over=True)) == "abcde"
    assert trail.is_recording is True


def test_what_is_left_of_something_live_is_no_recording() -> None:
    trail, left = Trail(), window(7, *"abcde", is_over=True)
    trail.leave_out(left)
    assert read(trail, left) == ""
    assert trail.is_recording is False
    assert read(Trail(trail.mark), window(7, *"abcdefg")) == "fg"


@pytest.mark.parametrize(
    ("head", "is_recording"),
    [
        ("#EXT-X-MEDIA-SEQUENCE:0\n", True),
        ("", True),
        ("#EXT-X-MEDIA-SEQUENCE:1\n", True),
        ("#EXT-X-MEDIA-SEQUENCE:7\n", False),
        ("#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MEDIA-SEQUENCE:7\n", True),
        ("#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-MEDIA-SEQUENCE:0\n", True),
    ],
)
def test_a_playlist_that_is_over_names_a_recording_if_it_begins_at_its_beginning(head: str, is_recording: bool) -> None:
    playlist = parse(f"#EXTM3U\n{head}#EXTINF:2,\n0.ts\n#EXT-X-ENDLIST\n", URL)
    assert (playlist.is_over, playlist.is_recording) == (True, is_recording)
    assert not parse(f"#EXTM3U\n{head.replace('VOD', 'EVENT')}#EXTINF:2,\n0.ts\n", URL).is_recording


def test_what_was_read_is_not_read_again_by_the_next_reader() -> None:
    trail = Trail()
    read(trail, window(7, *"abcde"))
    assert len(trail.mark or "") <= MAX_MARK
    after = Trail(trail.mark)
    assert read(after, window(7, *"abcde", is_over=True)) == ""
    assert after.is_recording is False
    assert read(Trail(trail.mark), window(7, *"abcdefg")) == "fg"
    assert read(Trail(trail.mark), window(9, *"cdefghijk")) == "ijk"
    assert Trail().mark is None


@pytest.mark.parametrize("first", [0, 7])
def test_new_addresses_for_old_segments_do_not_make_them_new(first: int) -> None:
    trail = Trail()
    read(trail, window(7, *"abcde"))
    for session in ("x/", "y/", "y/"):
        trail = Trail(trail.mark)
        assert read(trail, window(first, *"abcde", where=session)) == ""
    assert read(trail, window(first, *"abcdef", where="y/")) == "f"


def test_a_playlist_that_counts_anew_goes_on() -> None:
    trail = Trail()
    read(trail, window(1000, *"abc"))
    assert read(trail, window(0, *"def")) == "def"
    assert read(trail, window(1, *"efg")) == "g"


@pytest.mark.parametrize("is_opened_anew", [True, False])
@pytest.mark.parametrize("where", ["", "new/"])
def test_a_playlist_whose_numbers_jump_is_not_read_again(where: str, *, is_opened_anew: bool) -> None:
    trail = Trail()
    read(trail, window(7, *"abcde"))
    for first, letters, new in ((1009, "cde", ""), (1010, "defg", "fg"), (2012, "ghi", "hi")):
        trail = Trail(trail.mark) if is_opened_anew else trail
        assert read(trail, window(first, *letters, where=where)) == new
    assert read(Trail(trail.mark), window(20_000, *"jk")) == "jk"


@pytest.mark.parametrize("is_opened_anew", [True, False])
def test_addresses_that_come_again_hold_something_new(*, is_opened_anew: bool) -> None:
    """Numbers that go on, begin anew, stand still since it does not count, or jump: all over the same addresses.

    At last it is seen as seldom as it may be.
    """
    trail, found = Trail(), ""
    for newest, last in enumerate((5000, 5001, 5002, 5003, 5004, 5005, 0, 1, 2, 2, 2, 2, 2, 90, 91), start=2):
        if is_opened_anew:
            trail = Trail(trail.mark)
        found += read(trail, *ring(last, newest))
        assert read(trail, *ring(last, newest)) == "", "it stands still"
    for last, newest in ((2, 19), (2, 22), (7000, 25), (2, 28)):
        found += read(trail, *ring(last, newest))
    assert found == "".join(chr(ord("a") + number) for number in range(29))
    assert len(trail.mark or "") <= MAX_MARK


def test_new_numbers_over_the_same_bytes_bring_nothing() -> None:
    trail = Trail()
    read(trail, window(7, *"abc"))
    assert [read(trail, window(first, *"cab")) for first in (8, 9, 10)] == ["", "", ""]
    assert read(Trail(trail.mark), window(13, *"cab")) == ""
    assert read(trail, window(13, *"d")) == "d"


def test_what_only_begins_alike_is_new() -> None:
    trail, [segment] = Trail(), window(8, "b").segments
    read(trail, window(7, "a"))
    assert trail.seems_known(b"a")
    assert not trail.is_known(segment, b"a")
    assert not trail.repeats(segment, b"a, and something else")


def test_the_longest_mark_is_taken_up() -> None:
    trail = Trail()
    read(trail, window(2**64 - 9, *"abc"))
    read(trail, window(2**64 - 6, *"defgh"))
    assert 300 < len(trail.mark or "") <= MAX_MARK
    assert Trail(trail.mark).mark == trail.mark


def test_a_mark_of_an_older_version_is_taken_up() -> None:
    trail = Trail()
    read(trail, window(7, *"abc"))
    number, is_recording, *past = json.loads(trail.mark or "")
    earlier = json.dumps([number, is_recording, *(digests[:2] for digests in past)])
    assert read(Trail(earlier), window(0, *"bcd")) == "d"


def test_a_playlist_that_does_not_count_goes_on() -> None:
    trail = Trail()
    assert [read(trail, window(0, *letters)) for letters in ("abc", "bcd", "bcd", "cde")] == ["abc", "d", "", "e"]


@pytest.mark.parametrize("is_opened_anew", [True, False])
def test_a_playlist_that_does_not_count_may_grow_as_it_goes_on(*, is_opened_anew: bool) -> None:
    """By and by nothing that was read is left in it; and a session may have addresses of its own."""
    trail = Trail()
    for letters, new in (("abcd", "bcd"), ("cdefg", "efg"), ("efghi", "hi"), ("jklmno", "jklmno"), ("jklmnop", "p")):
        where = "y/" if new == "p" else ""
        assert read(trail, window(0, *letters, where=where)) == (new if not is_opened_anew else new[-3:])
        trail = Trail(trail.mark) if is_opened_anew else trail


def test_an_old_copy_of_the_playlist_brings_nothing() -> None:
    trail = Trail()
    read(trail, window(7, *"abcdef"))
    assert [read(trail, window(6, *"zabcd")), read(trail, window(9, *"cdefg"))] == ["", "g"]


def test_what_is_missing_is_passed_over_once() -> None:
    trail = Trail()
    assert len(trail.unread(window(7, *"abc"))) == 3
    for segment in window(7, *"abc").segments:
        trail.passed(segment)
    assert read(trail, window(7, *"abc")) == ""
    assert read(trail, window(7, *"abcd")) == "d"


@pytest.mark.parametrize(
    "mark", ["", "x", "[]", "[1]", "7", '["a",true]', '[1,true,["zz","00"]]', "[" * 500, "[Infinity,true]"]
)
def test_a_mark_that_makes_no_sense_is_none(mark: str) -> None:
    trail = Trail(mark)
    assert read(trail, window(7, *"abcde")) == "cde"
