"""HTTP sources, read from a real server: MJPEG, plain video, logins, redirects, and what must not be reached."""

import io
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from certificates import self_signed
from films import VideoFile
from web_server import Answer, Handler, WebServer, behind_digest, web_server

from services.ingest.sources.options import ReadOptions
from services.ingest.sources.video import SampledFrame, open_video
from shared.errors import SourceFailed
from shared.sources import Source, parse_source

BOUNDARY = b"--frame\r\n"
PASSWORD = "p@w:r/d?1#100%"


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


def jpeg(value: int) -> bytes:
    encoded = cv2.imencode(".jpg", np.full((48, 64, 3), value, np.uint8))[1]
    return encoded.tobytes()


def multipart(num_pictures: int, *, with_length: bool = True, type_of_parts: bytes = b"image/jpeg") -> Answer:
    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        handler.end_headers()
        for index in range(num_pictures):
            picture = jpeg(index * 10)
            length = b"Content-Length: %d\r\n" % len(picture) if with_length else b""
            headers = BOUNDARY + b"Content-Type: " + type_of_parts + b"\r\n" + length + b"\r\n"
            handler.wfile.write(headers + picture + b"\r\n")
        handler.wfile.write(BOUNDARY)

    return answer


def read(url: str, num_frames: int = 1, **options: Any) -> tuple[str, list[SampledFrame]]:
    source = parse_source(url, Path("/"))
    with open_video(source, ReadOptions(**{"stall_seconds": 5.0, **options})) as video:
        frames = video.frames(500.0, threading.Event())
        return video.info.codec, [next(frames) for _ in range(num_frames)]


def failure(url: str, num_frames: int = 1, **options: Any) -> str:
    with pytest.raises(SourceFailed) as caught:
        read(url, num_frames, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("with_length", "type_of_parts"),
    [(True, b"image/jpeg"), (False, b"image/JPEG"), (True, b"image/jpg"), (False, b"x/y")],
)
def test_mjpeg_is_read(web: WebServer, type_of_parts: bytes, *, with_length: bool) -> None:
    web.answers["/cam"] = multipart(12, with_length=with_length, type_of_parts=type_of_parts)
    codec, frames = read(web.url("/cam"))
    assert codec == "mjpeg"
    assert frames[0].image.shape == (48, 64, 3)
    assert frames[0].image.mean() < 5


def test_mjpeg_that_ends_is_over(web: WebServer) -> None:
    web.answers["/cam"] = multipart(12)
    with open_video(parse_source(web.url("/cam"), Path("/"))) as video:
        assert list(video.frames(1.0, threading.Event()))
        assert video.tally.decoded == 12


def test_mjpeg_without_parts_is_read(web: WebServer) -> None:
    web.give("/cam", b"".join(jpeg(value) for value in range(0, 200, 10)), Content_Type="video/x-motion-jpeg")
    codec, frames = read(web.url("/cam"))
    assert codec == "mjpeg"
    assert frames


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_plain_video_is_read(web: WebServer, video_file: VideoFile, suffix: str) -> None:
    web.give_parts("/film", video_file(f"film{suffix}", seconds=1, fps=25).read_bytes())
    codec, frames = read(web.url("/film"), 25)
    assert codec == "h264"
    assert [frame.point for frame in frames] == list(range(0, 500, 20))


def test_what_is_no_video_says_so(web: WebServer) -> None:
    web.give("/page", b"<html>" * 1000)
    web.give("/empty", b"")
    web.give("/concat", b"ffconcat version 1.0\nfile /etc/passwd\n")
    web.give("/audio", sound())
    for path in ("/page", "/empty", "/concat"):
        assert failure(web.url(path)) == "what answers at this address gives no video"
    assert failure(web.url("/audio")) == "holds no video stream"


def sound() -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_a_login_is_given_as_it_was_typed(web: WebServer, algorithm: str) -> None:
    web.answers["/cam"] = behind_digest(multipart(3), "guard", PASSWORD, algorithm)
    assert read(web.url("/cam", f"guard:{PASSWORD}@"))[1]
    for login in ("guard:wrong@", ""):
        reason = failure(web.url("/cam", login))
        assert "authentication refused" in reason
        assert "wrong" not in reason


def test_a_basic_login_is_given_when_asked_for_only(web: WebServer) -> None:
    def guarded(handler: Handler) -> None:
        if handler.headers.get("Authorization") == "Basic Z3VhcmQ6cEB3OnIvZD8xIzEwMCU=":
            multipart(3)(handler)
        else:
            handler.reply(401, WWW_Authenticate='Basic realm="yard"')

    web.answers["/cam"] = guarded
    assert read(web.url("/cam", f"guard:{PASSWORD}@"))[1]
    assert "Authorization" not in web.asked[0][1]


def test_redirects_are_followed_without_the_login(web: WebServer) -> None:
    with web_server() as other:
        other.answers["/cam"] = behind_digest(multipart(3), "guard", "sesame")
        for number in range(5):
            to = web.url(f"/{number + 1}") if number < 4 else other.url("/cam")
            web.answers[f"/{number}"] = redirect(to)
        web.answers["/round"] = redirect("/round")
        assert "authentication refused" in failure(web.url("/0", "guard:sesame@"))
        assert "Authorization" not in other.asked[-1][1]
        other.answers["/cam"] = multipart(3)
        assert read(web.url("/0"))[1]
        assert failure(web.url("/round")) == "redirected more than 5 times"


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ("file:///etc/passwd", "neither http:// nor https://"),
        ("rtsp://127.0.0.1/", "neither http:// nor https://"),
        ("http://169.254.169.254/latest/meta-data/", "169.254.169.254 is refused"),
        ("http://[::ffff:169.254.169.254]/", "169.254.169.254 is refused"),
        ("http://0.0.0.0/", "0.0.0.0 is refused"),
        ("http://[/", "redirected to what is no address"),
        ("http://user@/", "neither http:// nor https://"),
    ],
)
def test_redirects_lead_nowhere_else(web: WebServer, to: str, reason: str) -> None:
    web.answers["/cam"] = redirect(to)
    assert reason in failure(web.url("/cam"))


def redirect(to: str) -> Answer:
    return lambda handler: handler.reply(302, Location=to)


def test_this_systems_redis_is_not_reached(web: WebServer) -> None:
    port = web.server_port
    web.answers["/cam"] = redirect(f"http://127.7.7.7:{port}/other")
    web.give("/other", b"secret")
    forbidden = (f"localhost:{port}",)
    for host in ("127.0.0.1", "localhost", "127.1", "2130706433", "[::ffff:127.0.0.1]", socket.gethostname()):
        assert "Redis" in failure(f"http://{host}:{port}/cam", forbidden=forbidden)
    assert web.asked == []


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (404, "not found"),
        (403, "authentication refused"),
        (500, "an error of its own (HTTP status 500)"),
        (400, "refuses the request (HTTP status 400)"),
    ],
)
def test_statuses_in_words(web: WebServer, status: int, reason: str) -> None:
    web.answers["/cam"] = lambda handler: handler.reply(status)
    assert reason in failure(web.url("/cam"))


def test_silence_in_words(web: WebServer) -> None:
    over = threading.Event()

    def stall(handler: Handler) -> None:
        multipart(3)(handler)
        handler.wfile.flush()
        over.wait()

    def drip(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not over.wait(0.2):
            handler.wfile.write(b"\xff")

    def mute(handler: Handler) -> None:
        over.wait()

    web.answers.update({"/stall": stall, "/mute": mute, "/drip": drip})
    try:
        assert failure(web.url("/stall"), 50, stall_seconds=0.5) == "no data for 0.5 s"
        assert failure(web.url("/mute"), stall_seconds=0.5) == "no data for 0.5 s"
        assert failure(web.url("/drip"), stall_seconds=0.5) == "no data for 0.5 s"
    finally:
        over.set()


def test_a_server_that_is_not_there_says_why() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = unused.getsockname()[1]
        assert "connection refused" in failure(f"http://127.0.0.1:{closed}/")
    assert failure("http://u:secret@camera.invalid/") == "host not found"
    with socket.socket() as full:  # nobody accepts, so what connects next waits
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()):
            address = f"http://127.0.0.1:{full.getsockname()[1]}/"
            assert failure(address, stall_seconds=0.5) == "timed out: the camera does not answer"


def test_what_does_not_speak_http_says_so() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def speak() -> None:
            with server.accept()[0] as caller:
                caller.recv(1000)
                caller.sendall(b"+OK hello\r\n\r\n")

        thread = threading.Thread(target=speak)
        thread.start()
        assert "does not speak HTTP" in failure(f"http://127.0.0.1:{server.getsockname()[1]}/")
        thread.join()


def test_https_with_a_certificate_of_its_own(web: WebServer, certificate: Path) -> None:
    plain = web.url("/cam").replace("http:", "https:")
    assert "TLS failed" in failure(plain)
    web.speak_tls(certificate)
    web.answers["/cam"] = multipart(3)
    assert read(web.url("/cam"))[1]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate that signs itself, with its key, in one file."""
    return self_signed(tmp_path)


def test_a_missing_device_says_so() -> None:
    with (
        pytest.raises(SourceFailed, match="no such device: /dev/video63"),
        open_video(Source("/dev/video63", "device")),
    ):
        pass
