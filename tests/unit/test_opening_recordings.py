"""Recordings over HTTP: they end as a file does where the server says that they are one."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from damaged import noise_film
from films import VideoFile, index_first
from jpegs import pictures
from live_channel import Impatient
from picture_cameras import stream
from web_server import Answer, Handler, WebServer, web_server

from services.ingest.sources.opening import Played
from services.ingest.sources.options import ReadOptions
from services.ingest.sources.video import VideoInfo, open_video
from shared.clock import steady_ms
from shared.errors import SourceFailed
from shared.sources import parse_source


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


def read(url: str) -> tuple[VideoInfo, int]:
    """What the source says of itself and how many pictures it has, to its end."""
    with open_video(parse_source(url, Path("/")), ReadOptions(stall_seconds=5.0)) as video:
        return video.info, sum(1 for _ in video.frames(500.0, Impatient()))


def failure(url: str) -> str:
    with pytest.raises(SourceFailed) as caught:
        read(url)
    return str(caught.value)


def breaking_off(content: bytes, share: float) -> Answer:
    """Says that there is all of it, and sends a share."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.send_header("Accept-Ranges", "none")
        handler.end_headers()
        handler.wfile.write(content[: round(share * len(content))])

    return answer


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_recording_is_one_by_its_servers_word(web: WebServer, video_file: VideoFile, suffix: str) -> None:
    web.give_parts("/film", video_file(f"film{suffix}", seconds=1, fps=10).read_bytes())
    info, num_pictures = read(web.url("/film"))
    assert info.is_recording
    assert info.duration_seconds == pytest.approx(1.0, abs=0.2)
    assert num_pictures == 10


@pytest.mark.parametrize(("suffix", "rate"), [(".ts", 10), (".h264", 10), (".mjpeg", 25)])
def test_a_length_makes_a_recording_that_takes_its_time(
    web: WebServer, video_file: VideoFile, suffix: str, rate: int
) -> None:
    """Also where nobody says how long it takes, or when its pictures were taken."""
    content = b"".join(pictures(10)) if suffix == ".mjpeg" else video_file(f"film{suffix}", seconds=1).read_bytes()
    web.give("/film", content)
    began_ms = steady_ms()
    with open_video(parse_source(web.url("/film"), Path("/")), ReadOptions(stall_seconds=5.0)) as video:
        frames = list(video.frames(500.0, threading.Event()))
        assert video.info.is_recording
    assert len(frames) == 10
    assert frames[-1].decoded_at_ms - began_ms >= 0.8 * 9 * 1000 / rate


def test_pictures_without_a_length_are_a_cameras(web: WebServer) -> None:
    def send(handler: Handler) -> None:
        handler.wfile.write(b"".join(pictures(3)))

    web.answers["/cam"] = stream(send, "")
    info, num_pictures = read(web.url("/cam"))
    assert not info.is_recording
    assert num_pictures


@pytest.mark.parametrize("suffix", [".h264", ".mkv"])
def test_a_recording_goes_on_where_its_connection_broke(web: WebServer, tmp_path: Path, suffix: str) -> None:
    content = noise_film(tmp_path / f"film{suffix}", "libx264").read_bytes()
    web.answers["/film"] = breaking_off(content, 0.8)
    first, mark = played(web.url("/film"), None)
    assert first
    assert played(web.url("/film"), mark) == ([], mark)
    web.give("/film", content)
    rest, _ = played(web.url("/film"), mark)
    assert first + rest == list(range(30))
    assert rest


@pytest.mark.parametrize(("seconds", "passed", "is_live"), [(8.0, 9.0, False), (12.0, 12.0, True), (60.0, 12.0, False)])
def test_a_camera_is_no_recording_though_it_begins_alike(seconds: float, passed: float, *, is_live: bool) -> None:
    assert Played.is_live(seconds, passed) == is_live


def test_another_recording_begins_at_its_beginning(web: WebServer, video_file: VideoFile) -> None:
    mark = None
    for rate in (10, 20):
        web.give("/film", video_file("film.ts", seconds=1, fps=rate).read_bytes())
        points, mark = played(web.url("/film"), mark)
        assert points == list(range(10))


def played(url: str, mark: str | None) -> tuple[list[int], str | None]:
    """The grid's points that are played after a mark, until the end or until the connection breaks; the next mark."""
    points: list[int] = []
    with suppress(SourceFailed), open_video(parse_source(url, Path("/")), after=mark) as video:
        for frame in video.frames(10.0, Impatient()):
            points.append(frame.point)
            mark = video.mark
    return points, mark


def test_what_has_no_length_is_no_recording(web: WebServer, video_file: VideoFile) -> None:
    content = index_first(video_file("film.mp4", seconds=1))

    def flow(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(content)

    web.answers["/flow"] = flow
    info, num_pictures = read(web.url("/flow"))
    assert (info.is_recording, info.duration_seconds, num_pictures) == (False, None, 10)


@pytest.mark.parametrize("says_so", [True, False])
def test_an_index_at_the_end_is_looked_for_there(web: WebServer, video_file: VideoFile, *, says_so: bool) -> None:
    content = video_file("film.mp4", seconds=1).read_bytes()
    web.give_parts("/film", content)
    if not says_so:
        in_parts = web.answers["/film"]
        web.answers["/film"] = lambda handler: (
            in_parts(handler) if "Range" in handler.headers else handler.reply(200, content)
        )
    info, num_pictures = read(web.url("/film"))
    assert (info.is_recording, num_pictures) == (True, 10)


@pytest.mark.parametrize("status", [200, 416])
def test_a_server_without_parts_is_read_from_front_to_end(web: WebServer, video_file: VideoFile, status: int) -> None:
    """Whether it leaves the header be or stumbles over it."""
    path = video_file("film.mp4", seconds=1)
    contents = {"/first": index_first(path), "/last": path.read_bytes()}

    def answer(handler: Handler) -> None:
        if status != 200 and "Range" in handler.headers:
            handler.reply(status)
        else:
            handler.reply(200, contents[handler.path])

    web.answers.update(dict.fromkeys(contents, answer))
    info, num_pictures = read(web.url("/first"))
    assert (info.is_recording, num_pictures) == (True, 10)
    reason = "its index comes after its pictures, and its server gives no parts of it to look there first"
    assert failure(web.url("/last")) == reason


def index_far_away(film: bytes, distance: int = 1 << 20) -> bytes:
    """The film with so many bytes more before its index that nobody reads on until there."""
    start, end = film.index(b"mdat") - 4, film.index(b"moov") - 4
    size = int.from_bytes(film[start : start + 4]) + distance
    return film[:start] + size.to_bytes(4) + film[start + 4 : end] + bytes(distance) + film[end:]


@pytest.mark.parametrize("about_parts", ["bytes", ""])
@pytest.mark.parametrize("said", ["bytes 0-9/10", "", "bytes 1-9/*"])
def test_a_part_that_was_not_asked_for_is_not_believed(
    web: WebServer, video_file: VideoFile, said: str, about_parts: str
) -> None:
    """Whatever the server calls it: the film from its beginning, as if it went on there."""
    content = index_far_away(video_file("film.mp4", seconds=1).read_bytes())
    headers = {"Content_Range": said} if said else {}

    def answer(handler: Handler) -> None:
        if "Range" in handler.headers:
            handler.reply(206, content, **headers)
        else:
            handler.reply(200, content, **({"Accept_Ranges": about_parts} if about_parts else {}))

    web.answers["/film"] = answer
    assert failure(web.url("/film")) == (
        "its server does not give parts of it, though it says so"
        if about_parts
        else "its index comes after its pictures, and its server gives no parts of it to look there first"
    )


def test_a_recording_that_breaks_off_has_not_ended(web: WebServer, video_file: VideoFile) -> None:
    content = index_first(video_file("film.mp4", seconds=5))
    web.answers["/film"] = breaking_off(content, 0.75)
    assert failure(web.url("/film")) == "the connection broke"
