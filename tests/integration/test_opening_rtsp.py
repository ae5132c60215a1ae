"""RTSP sources: codecs, transports, TLS and logins against a real server; what a hostile one says against a script."""

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from cameras import camera_server
from certificates import self_signed

from services.ingest.sources.options import ReadOptions
from services.ingest.sources.video import open_video
from shared.errors import SourceFailed
from shared.sources import parse_source
from shared.streams import RtspTransport

ENCODERS = {"h264": ("libx264", "yuv420p"), "hevc": ("libx265", "yuv420p"), "mjpeg": ("mjpeg", "yuvj420p")}
USER, PASSWORD = "gu@rd", "p@w:r/d?1#100%"


def film(path: Path, codec: str) -> Path:
    encoder, pix_fmt = ENCODERS[codec]
    options = {"x265-params": "log-level=none"} if codec == "hevc" else {}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, rate=10, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pix_fmt
        for index in range(200):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), index, np.uint8), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read(
    url: str,
    num_frames: int = 3,
    transport: RtspTransport = "tcp",
    forbidden: tuple[str, ...] = (),
    stall_seconds: float = 10,
) -> str:
    options = ReadOptions(stall_seconds=stall_seconds, rtsp_transport=transport, forbidden=forbidden)
    with open_video(parse_source(url, Path("/")), options) as video:
        frames = video.frames(60.0, threading.Event())
        for _ in range(num_frames):
            next(frames)
        return video.info.codec


def failure(url: str, stall_seconds: float = 10, forbidden: tuple[str, ...] = ()) -> str:
    with pytest.raises(SourceFailed) as caught:
        read(url, forbidden=forbidden, stall_seconds=stall_seconds)
    return str(caught.value)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize(("codec", "name"), [("h264", "h264"), ("hevc", "h265"), ("mjpeg", "mjpeg")])
def test_codecs_and_transports(codec: str, name: str, transport: RtspTransport, tmp_path: Path) -> None:
    with camera_server(film(tmp_path / "film.mp4", codec), "--codec", name) as camera:
        assert read(camera.url(), transport=transport) == codec


def test_what_is_wrong_is_said_in_words(tmp_path: Path) -> None:
    with camera_server(film(tmp_path / "film.mp4", "h264")) as camera:
        assert "not found" in failure(camera.url() + "/nothing")
        assert "TLS failed" in failure(camera.url().replace("rtsp:", "rtsps:"))
        for alias in ("127.0.0.1", "localhost", "127.0.0.2"):
            forbidden = (f"localhost:{camera.port}",)
            assert "Redis" in failure(f"rtsp://{alias}:{camera.port}/camera", forbidden=forbidden)


def test_rtsps_with_a_certificate_of_its_own_and_a_difficult_password(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    with camera_server(film(tmp_path / "film.mp4", "h264"), USER, PASSWORD, "--tls", str(certificate)) as camera:
        right = camera.url(f"{USER}:{PASSWORD}@").replace("rtsp:", "rtsps:")
        assert read(right) == "h264"
        assert "authentication refused" in failure(right.replace("100%", "99%"))


class Scripted(socketserver.ThreadingTCPServer):
    """Answers RTSP requests by method: status line, headers and body; then it is silent."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, answers: dict[str, tuple[str, str]]) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.answers = answers
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.server_address[1]}/live"


class Conversation(socketserver.StreamRequestHandler):
    server: Scripted

    def handle(self) -> None:
        with suppress(ConnectionError):
            self._converse()

    def _converse(self) -> None:
        while request := self.rfile.readline().decode():
            number = "0"
            while (line := self.rfile.readline().decode().strip()) != "":
                number = line.partition(":")[2].strip() if line.lower().startswith("cseq") else number
            self.server.asked.append(request)
            status, rest = self.server.answers.get(request.split()[0], ("200 OK", "\r\n"))
            self.wfile.write(f"RTSP/1.0 {status}\r\nCSeq: {number}\r\nSession: 1\r\n{rest}".encode())


@contextmanager
def scripted(**answers: tuple[str, str]) -> Iterator[Scripted]:
    with Scripted(answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def described(media: str) -> tuple[str, str]:
    sdp = f"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n{media}"
    return "200 OK", f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n\r\n{sdp}"


def redirected(to: str) -> tuple[str, str]:
    return "302 Found", f"Location: {to}\r\n\r\n"


H264 = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:t\r\n"


def test_a_redirect_is_followed_but_to_no_forbidden_place(tmp_path: Path) -> None:
    with camera_server(film(tmp_path / "film.mp4", "h264")) as camera, scripted(DESCRIBE=redirected("")) as server:
        server.answers["DESCRIBE"] = redirected(camera.url())
        assert read(server.url) == "h264"
        assert "Redis" in failure(server.url, forbidden=(f"127.0.0.1:{camera.port}",))
        assert re.match(r"OPTIONS rtsp://127", server.asked[0])


@pytest.mark.parametrize("to", ["http://127.0.0.1/", "file:///etc/passwd", "rtsp://169.254.169.254:9/", "", "nowhere"])
def test_a_redirect_elsewhere_fails(to: str) -> None:
    with scripted(DESCRIBE=redirected(to)) as server:
        assert failure(server.url, stall_seconds=1)


TCP = "200 OK", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "answer", "reason"),
    [
        ("DESCRIBE", described("m=audio 0 RTP/AVP 0\r\na=control:t\r\n"), "holds no video stream"),
        ("DESCRIBE", described(H264.replace("H264", "NOVEL")), "its codec is not supported"),
        ("DESCRIBE", described(H264), "no data for 1 s"),
        ("DESCRIBE", ("453 Not Enough Bandwidth", "\r\n"), "the camera refuses the request"),
        ("SETUP", ("461 Unsupported Transport", "\r\n"), "does not offer this rtsp_transport"),
        ("SETUP", ("500 Out of order", "\r\n"), "the camera answers with an error of its own"),
        ("OPTIONS", ("nonsense", "\r\n"), "what answers at this address gives no RTSP video"),
    ],
)
def test_why_there_is_no_video(method: str, answer: tuple[str, str], reason: str) -> None:
    with scripted(**{"DESCRIBE": described(H264), "SETUP": TCP, method: answer}) as server:
        assert reason in failure(server.url, stall_seconds=1)
