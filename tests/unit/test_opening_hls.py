"""HLS, read from a real server: what a playlist may name and what not."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from films import VideoFile
from live_channel import SHARE, Impatient
from web_server import Handler, WebServer, behind_digest, web_server

from services.ingest.sources.hls import follower
from services.ingest.sources.options import ReadOptions
from services.ingest.sources.video import open_video
from shared.errors import SourceFailed
from shared.sources import parse_source

HEAD = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n"
END = "#EXT-X-ENDLIST\n"


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


@pytest.fixture
def segments(video_file: VideoFile, tmp_path: Path) -> list[bytes]:
    """A second of video each, one after the other."""
    film = video_file("film.mp4", seconds=1, fps=10)
    return [remuxed(film, tmp_path / f"{number}.ts", number) for number in range(6)]


def remuxed(film: Path, path: Path, later_seconds: int = 0, **options: str) -> bytes:
    """The film in another container."""
    with av.open(str(film)) as source, av.open(str(path), "w", options=options) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None and packet.pts is not None and packet.time_base is not None:
                packet.dts += round(later_seconds / packet.time_base)
                packet.pts += round(later_seconds / packet.time_base)
                packet.stream = stream
                target.mux(packet)
    return path.read_bytes()


def playlist(*names: str, head: str = HEAD, end: str = END) -> bytes:
    return (head + "".join(f"#EXTINF:1.0,\n{name}\n" for name in names) + end).encode()


def read(url: str, num_frames: int = 1, stall_seconds: float = 5.0, stop: threading.Event | None = None) -> str:
    source = parse_source(url, Path("/"))
    with open_video(source, ReadOptions(stall_seconds=stall_seconds)) as video:
        frames = video.frames(500.0, stop or Impatient())
        for _ in range(num_frames):
            next(frames)
        return video.info.codec


def failure(url: str, num_frames: int = 1, stall_seconds: float = 5.0) -> str:
    with pytest.raises(SourceFailed) as caught:
        read(url, num_frames, stall_seconds)
    return str(caught.value)


def test_a_recording_is_read_as_fast_as_it_was_filmed(web: WebServer, segments: list[bytes]) -> None:
    for number, segment in enumerate(segments):
        web.give(f"/cam/segment%20{number}", segment)
    names = "segment 0", "/cam/segment%201", web.url("/cam/segment%202")
    web.give("/cam/live.m3u8", playlist(*names), Content_Type="text/html")
    began = time.monotonic()
    assert read(web.url("/cam/live.m3u8"), 25, stop=threading.Event()) == "h264"
    assert time.monotonic() - began > 1.5


def test_a_live_stream_of_variants_is_read_behind_a_login(web: WebServer, segments: list[bytes]) -> None:
    """The playlist grows by a segment each time that it is asked for."""
    num_asked = 0

    def live(handler: Handler) -> None:
        nonlocal num_asked
        num_asked += 1
        names = [f"{number}.ts" for number in range(min(num_asked, 3))]
        handler.reply(200, playlist(*names, end=END if num_asked > 3 else ""))

    def guarded(path: str, body: bytes) -> None:
        web.answers[path] = behind_digest(lambda handler: handler.reply(200, body), "guard", "p@ss")

    guarded("/main", b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100000\nlive\n")
    web.answers["/live"] = behind_digest(live, "guard", "p@ss")
    for number, segment in enumerate(segments):
        guarded(f"/{number}.ts", segment)
    assert read(web.url("/main", "guard:p@ss@"), 25) == "h264"
    assert "authentication refused" in failure(web.url("/main", "guard:wrong@"))


def test_of_several_variants_one_is_fetched(web: WebServer, segments: list[bytes]) -> None:
    variants = "#EXT-X-STREAM-INF:BANDWIDTH=1000\n{}.m3u8\n"
    web.give("/main.m3u8", f"#EXTM3U\n{variants.format('a')}{variants.format('b')}".encode())
    for name in "ab":
        web.give(f"/{name}.m3u8", playlist(*(f"{name}{number}" for number in range(6))))
        for number, segment in enumerate(segments):
            web.give(f"/{name}{number}", segment)
    assert read(web.url("/main.m3u8"), 35) == "h264"
    asked = {path for path, _ in web.asked}
    assert "/a4" in asked
    assert "/b4" not in asked


def test_parts_of_mp4_are_read(web: WebServer, video_file: VideoFile, tmp_path: Path) -> None:
    flags = "frag_keyframe+empty_moov+default_base_moof"
    content = remuxed(video_file("film.mp4", seconds=1), tmp_path / "fragments.mp4", movflags=flags)
    cut = content.index(b"moof") - 4
    web.give("/init.mp4", content[:cut])
    web.give("/0.m4s", content[cut:])
    web.give("/live.m3u8", playlist("0.m4s", head=f'{HEAD}#EXT-X-MAP:URI="init.mp4"\n'))
    assert read(web.url("/live.m3u8"), 10) == "h264"


@pytest.mark.parametrize(
    "name",
    [
        "file:///etc/passwd",
        "concat:/etc/passwd|/etc/group",
        "concat:file:///etc/passwd",
        "data:text/plain,secret",
        "crypto:/etc/passwd",
        "crypto+file:///etc/passwd",
        "subfile,,start,0,end,99,,:/etc/passwd",
        "rtsp://127.0.0.1/",
        "http://127.0.0.1:1/seg.ts",
        "//127.0.0.2/seg.ts",
        "http://169.254.169.254/latest/meta-data/",
        "ftp://127.0.0.1/",
        "pipe:0",
        "http://[/seg.ts",
        "http://127.0.0.1:x/seg.ts",
    ],
)
@pytest.mark.parametrize("where", ["segment", "variant", "map"])
def test_a_playlist_reaches_nothing_else(web: WebServer, segments: list[bytes], name: str, where: str) -> None:
    web.give("/0.ts", segments[0])
    web.give(
        "/live.m3u8",
        {
            "segment": playlist(name, "0.ts"),
            "variant": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\n{name}\n".encode(),
            "map": playlist("0.ts", head=f'{HEAD}#EXT-X-MAP:URI="{name}"\n'),
        }[where],
    )
    assert "is not on the playlist's own server: refused" in failure(web.url("/live.m3u8"))
    assert {path for path, _ in web.asked} <= {"/live.m3u8", "/0.ts"}


def test_what_is_never_fetched_may_lie_anywhere(
    web: WebServer, segments: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sound, advertisements, other servers to go to, keys of others, segments that are gone or left out."""
    monkeypatch.setattr(follower, "SHARE_OF_PATIENCE", SHARE)
    away = "https://ads.example.com/a?secret"
    web.give("/0.ts", segments[0])
    web.give(
        "/ok.m3u8",
        playlist(
            *[f"{away}{number}" for number in range(3)],
            *["0.ts"] * 3,
            head=f"""{HEAD}#EXT-X-KEY:METHOD=NONE,URI="{away}"
#EXT-X-DATERANGE:ID="ad1",START-DATE="2026-01-01T00:00:00Z",X-ASSET-URI="{away}"
#EXT-X-PART:DURATION=0.3,URI="{away}"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{away}"
#EXT-X-RENDITION-REPORT:URI="{away}"
#EXT-X-GAP
#EXTINF:1.0,
{away}
""",
            end="",
        ),
    )
    head = f"""#EXTM3U
#EXT-X-SESSION-DATA:DATA-ID="a",URI="{away}"
#EXT-X-CONTENT-STEERING:SERVER-URI="{away}"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="{away}"
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="{away}"
#EXT-X-STREAM-INF:BANDWIDTH=1000,AUDIO="a"
ok.m3u8
"""
    web.give("/live.m3u8", head.encode())
    assert read(web.url("/live.m3u8"), 10) == "h264"


def test_a_server_may_call_itself_by_its_address(web: WebServer, segments: list[bytes]) -> None:
    """It is asked by the name that it was given by the source: logins and cookies belong to that."""
    by_name = web.url("/live.m3u8", "guard:p@ss@").replace("127.0.0.1", "localhost")
    web.answers["/live.m3u8"] = behind_digest(
        lambda handler: handler.reply(200, playlist(web.url("/0.ts"), web.url("/moved"))), "guard", "p@ss"
    )
    web.answers["/0.ts"] = behind_digest(lambda handler: handler.reply(200, segments[0]), "guard", "p@ss")
    web.answers["/moved"] = lambda handler: handler.reply(302, Location=web.url("/1.ts"))
    web.answers["/1.ts"] = behind_digest(lambda handler: handler.reply(200, segments[1]), "guard", "p@ss")
    assert read(by_name, 15) == "h264"
    assert {headers["Host"] for _, headers in web.asked} == {f"localhost:{web.server_port}"}


def test_a_path_is_one_of_the_server(web: WebServer) -> None:
    web.give("/live.m3u8", playlist("/etc/passwd"))
    assert failure(web.url("/live.m3u8")) == "not found: the camera knows no stream of this path"
    assert {path for path, _ in web.asked} == {"/live.m3u8", "/etc/passwd"}


def test_a_stream_that_turns_hostile_is_left(web: WebServer, segments: list[bytes]) -> None:
    """What a later playlist or a redirect says is judged like the first."""
    playlists = iter([playlist("0.ts", end=""), playlist("0.ts", "file:///etc/passwd", end="")])
    web.give("/0.ts", segments[0])
    web.answers["/live.m3u8"] = lambda handler: handler.reply(200, next(playlists, playlist("0.ts")))
    assert "names a file: address, which is not on the playlist's own server" in failure(web.url("/live.m3u8"), 30)
    with web_server() as other:
        web.give("/live.m3u8", playlist("away.ts"))
        web.answers["/away.ts"] = lambda handler: handler.reply(302, Location=other.url("/0.ts"))
        assert "led to another place than its own" in failure(web.url("/live.m3u8"))
        assert other.asked == []


def test_a_playlist_in_place_of_a_segment_opens_nothing(web: WebServer) -> None:
    web.give("/inner.m3u8", playlist("0.ts"))
    web.give("/concat", b"ffconcat version 1.0\nfile /etc/passwd\n")
    for name in ("inner.m3u8", "concat"):
        web.give("/live.m3u8", playlist(name))
        assert failure(web.url("/live.m3u8"))
    assert "/0.ts" not in {path for path, _ in web.asked}


def test_an_encrypted_stream_says_so(web: WebServer) -> None:
    web.give("/live.m3u8", playlist("0.ts", head=f'{HEAD}#EXT-X-KEY:METHOD=AES-128,URI="key"\n'))
    assert failure(web.url("/live.m3u8")) == "its video is encrypted, which is not supported"


def test_sizes_are_bounded(web: WebServer, segments: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    web.give("/0.ts", segments[0])
    web.give("/live.m3u8", playlist(*["0.ts"] * 200_000))
    assert failure(web.url("/live.m3u8")) == "its playlist is larger than 1048576 bytes"
    web.give("/live.m3u8", playlist("0.ts"))
    monkeypatch.setattr(follower, "MAX_SEGMENT_BYTES", 1000)
    assert "one of its parts is larger than 1000 bytes" in failure(web.url("/live.m3u8"), 10)
