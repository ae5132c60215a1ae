"""What a playlist says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.sources.hls.playlist import FilePart, HlsSegment, Playlist, begins_one, elsewhere, parse
from shared.errors import SourceFailed

URL = "http://cam/hls/live.m3u8?token=t"


def names(*lines: str) -> Playlist:
    return parse("\n".join(("#EXTM3U", *lines)), URL)


def test_segments_are_numbered_and_carry_what_they_need() -> None:
    playlist = names(
        "#EXT-X-TARGETDURATION:6",
        "#EXT-X-MEDIA-SEQUENCE:41",
        '#EXT-X-MAP:URI="init.mp4",BYTERANGE="700@16"',
        "#EXTINF:6,",
        "#EXT-X-BYTERANGE:1000@716",
        "a.mp4",
        "#EXTINF:6,",
        "#EXT-X-BYTERANGE:50",
        "a.mp4",
        "#EXT-X-GAP",
        "#EXTINF:6,",
        "gone.mp4",
        '#EXT-X-MAP:URI="/other.mp4"',
        "#EXTINF:6,",
        "http://cam/b.mp4",
    )
    init, other = FilePart("http://cam/hls/init.mp4", 16, 700), FilePart("http://cam/other.mp4")
    assert playlist.segments == (
        HlsSegment(41, FilePart("http://cam/hls/a.mp4", 716, 1000), init),
        HlsSegment(42, FilePart("http://cam/hls/a.mp4", 1716, 50), init),
        HlsSegment(44, FilePart("http://cam/b.mp4"), other),
    )
    assert (playlist.target_seconds, playlist.is_over) == (6.0, False)


@pytest.mark.parametrize(
    ("line", "is_over"), [("#EXT-X-ENDLIST", True), ("#EXT-X-PLAYLIST-TYPE:VOD", True), ("", False)]
)
def test_a_playlist_says_whether_it_is_whole(line: str, is_over: bool) -> None:
    assert names("#EXTINF:6,", "a.ts", line).is_over is is_over


@pytest.mark.parametrize("gap", [0, 1, 2])
def test_a_part_that_is_left_out_takes_its_place(gap: int) -> None:
    lines = []
    for number in range(4):
        place = "@16" if number == 0 else ""
        lines += ["#EXT-X-GAP"] * (number == gap) + [f"#EXT-X-BYTERANGE:100{place}", "#EXTINF:6,", "a.ts"]
    left = [number for number in range(4) if number != gap]
    segments = names(*lines).segments
    assert [(segment.number, segment.piece.offset) for segment in segments] == [(k, 16 + 100 * k) for k in left]


def test_variants_of_sound_alone_are_left_out() -> None:
    playlist = names(
        '#EXT-X-STREAM-INF:BANDWIDTH=9,CODECS="mp4a.40.2"',
        "sound.m3u8",
        '#EXT-X-STREAM-INF:CODECS="avc1.64001f,mp4a.40.2",BANDWIDTH=9',
        "first.m3u8",
        "#EXT-X-STREAM-INF:BANDWIDTH=9",
        "second.m3u8",
    )
    assert playlist.variants == ("http://cam/hls/first.m3u8", "http://cam/hls/second.m3u8")
    assert playlist.segments == ()
    with pytest.raises(SourceFailed, match="holds no video stream"):
        names('#EXT-X-STREAM-INF:BANDWIDTH=9,CODECS="mp4a.40.2,ac-3"', "sound.m3u8")


@pytest.mark.parametrize("number", ["-1", "x", "9" * 5000, ""])
def test_a_number_that_is_none_counts_from_nought(number: str) -> None:
    assert names(f"#EXT-X-MEDIA-SEQUENCE:{number}", "#EXTINF:6,", "a.ts").segments[0].number == 0


@pytest.mark.parametrize("tag", ["#EXT-X-BYTERANGE:50", "#EXT-X-BYTERANGE:0@5", "#EXT-X-BYTERANGE:x@5"])
def test_parts_without_a_place_make_no_sense(tag: str) -> None:
    with pytest.raises(SourceFailed, match="makes no sense"):
        names("#EXTINF:6,", tag, "a.ts")


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://u:secret@elsewhere:81/secret/a.ts?key=secret", "names elsewhere port 81, which"),
        ("http://cam:81/?key=secret", "names cam port 81, which"),
        ("crypto+file:///secret", "names a crypto+file: address, which"),
        ("subfile,,start,0:/secret", "names an address, which"),
        ("x" * 200 + ":secret", "names an address, which"),
    ],
)
def test_what_is_refused_is_shown_by_host_and_port(uri: str, shown: str) -> None:
    [segment] = names("#EXTINF:6,", uri).segments
    said = str(elsewhere(segment.piece.url))
    assert shown in said
    assert "secret" not in said


def test_variants_that_surely_hold_video_come_first() -> None:
    playlist = names(
        "#EXT-X-STREAM-INF:BANDWIDTH=1", "a.m3u8", "#EXT-X-STREAM-INF:BANDWIDTH=2,RESOLUTION=1x1", "v.m3u8"
    )
    assert playlist.variants == ("http://cam/hls/v.m3u8", "http://cam/hls/a.m3u8")


def test_what_could_be_a_secret_is_no_scheme() -> None:
    [segment] = names("s3cretQQpass:seg.ts").segments
    assert "s3cretQQpass" not in str(elsewhere(segment.piece.url))


@pytest.mark.parametrize("head", [b"#EXTM3U", b"\xef\xbb\xbf#EXTM3U", b"\r\n #EXTM3U"])
def test_a_playlist_is_known_by_its_beginning(head: bytes) -> None:
    assert begins_one(head)
    assert not begins_one(b"x" + head)


@given(st.text(alphabet='#EXT-MAPBYRNGS:="@,0123456789./a\n', max_size=200))
def test_any_text_is_a_playlist_or_refused(text: str) -> None:
    try:
        parse(text, URL)
    except SourceFailed:
        return
