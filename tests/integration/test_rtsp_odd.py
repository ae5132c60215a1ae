"""RTSP cameras with odd manners: logins, tunnels, tracks, and what they say in the middle of it."""

import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from certificates import self_signed
from odd_manners import CLOCK, Manners
from odd_rtsp import odd_camera
from patience import eventually
from test_opening_rtsp import failure, read

from services.ingest.sources.options import ReadOptions
from services.ingest.sources.video import open_video
from shared.errors import SourceFailed
from shared.network import addresses
from shared.sources import parse_source
from shared.streams import RtspTransport

LOGIN = "guard:sesame@"


def seconds_of(url: str, num_frames: int, transport: RtspTransport = "tcp") -> list[float]:
    """The times of a camera's first pictures since the first."""
    options = ReadOptions(rtsp_transport=transport)
    with open_video(parse_source(url, Path("/")), options) as video:
        frames = video.frames(60.0, threading.Event())
        return [next(frames).media_seconds for _ in range(num_frames)]


@pytest.mark.parametrize(
    ("auth", "in_one_header", "way"),
    [
        (("SHA-256",), False, "SHA-256"),
        (("MD5", "SHA-256"), False, "SHA-256"),
        (("SHA-256", "MD5", "basic"), True, "SHA-256"),
        (("basic", "SHA-512-256", "SHA-256"), False, "SHA-512-256"),
        (("MD5-sess",), False, "MD5-sess"),
        (("WHIRLPOOL", "SHA-256-sess"), True, "SHA-256-sess"),
        (("MD5",), False, "MD5"),
        (("basic",), False, None),
    ],
)
def test_the_strongest_known_challenge_is_answered(auth: tuple[str, ...], in_one_header: bool, way: str | None) -> None:
    with odd_camera(Manners(auth=auth, in_one_header=in_one_header)) as camera:
        assert read(camera.url(LOGIN)) == "h264"
        said = camera.asked[-1].headers["authorization"]
        assert f"algorithm={way}," in said if way else said.startswith("Basic ")
        assert "guard" not in camera.asked[-1].url


def test_a_wrong_password_is_tried_once() -> None:
    with odd_camera(Manners(auth=("SHA-256", "MD5"))) as camera:
        assert "authentication refused" in failure(camera.url("guard:swordfish@"))
        assert len([asked for asked in camera.asked if "authorization" in asked.headers]) == 1
        assert "authentication refused" in failure(camera.url())


def test_a_login_outlives_its_nonce() -> None:
    with odd_camera(Manners(auth=("SHA-256",), new_nonce_after=2, timeout="1", rate=50)) as camera:
        reader = threading.Thread(target=read, args=(camera.url(LOGIN), 120))
        reader.start()
        eventually(lambda: camera.methods().count("GET_PARAMETER") >= 4, "signs of life")
        reader.join()
        lived = [asked for asked in camera.asked if asked.method == "GET_PARAMETER"]
        assert len({asked.headers["authorization"].split("nonce=")[1][:18] for asked in lived}) > 1


def test_a_camera_may_hang_up_when_it_refuses() -> None:
    with odd_camera(Manners(auth=("MD5",), hangs_up_when_refusing=True)) as camera:
        assert read(camera.url(LOGIN)) == "h264"


@pytest.mark.parametrize("auth", [(), ("MD5", "SHA-256"), ("basic",)])
def test_rtsp_through_http(auth: tuple[str, ...]) -> None:
    with odd_camera(Manners(tunnel=True, auth=auth)) as camera:
        assert read(camera.url(LOGIN), transport="http") == "h264"
        eventually(lambda: "TEARDOWN" in camera.methods(), "its leave")
        first, speaking = (next(asked for asked in camera.asked if asked.method == way) for way in ("GET", "POST"))
        assert first.url == speaking.url == "/live?channel=1"
        assert first.headers["accept"] == "application/x-rtsp-tunnelled"
        assert ("authorization" in speaking.headers) == bool(auth)


def test_rtsp_through_https_and_rtsps(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with odd_camera(Manners(tunnel=True, tls=context, auth=("SHA-256",))) as camera:
        assert read(camera.url(LOGIN), transport="https") == "h264"
        assert read(camera.url(LOGIN, "rtsps"), transport="http") == "h264"
    with odd_camera(Manners(tls=context, auth=("SHA-256",))) as camera:
        assert read(camera.url(LOGIN, "rtsps")) == "h264"


UNKNOWN = "m=video 0 RTP/AVP 98\r\na=rtpmap:98 VND.ONVIF.METADATA/90000\r\na=control:meta\r\n"
AUDIO = "m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=control:sound\r\n"
SILENT = "m=video 0 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\na=framesize:97 1920-1080\r\na=control:silent\r\n"


@pytest.mark.parametrize(
    ("before", "transport"),
    [(UNKNOWN, "tcp"), (AUDIO + UNKNOWN, "udp"), (SILENT, "tcp"), (UNKNOWN + SILENT, "udp")],
    ids=["unknown", "audio and unknown", "silent", "unknown and silent"],
)
def test_the_track_that_can_be_read_is_found(before: str, transport: RtspTransport) -> None:
    with odd_camera(Manners(tracks_before=before)) as camera:
        assert read(camera.url(), transport=transport) == "h264"
        assert not any(asked.url.endswith(("meta", "sound")) for asked in camera.asked)


def test_a_name_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[str] = []

    def resolved(host: str, _port: int, _seconds: float) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1"]

    monkeypatch.setattr(addresses, "resolve", resolved)
    with odd_camera() as camera:
        assert read(camera.url().replace("127.0.0.1", "camera.invalid")) == "h264"
    assert looked_up == ["camera.invalid"]


@pytest.mark.parametrize(
    "manners",
    [
        Manners(line_end="\n"),
        Manners(is_eager=True),
        Manners(cseq="0001"),
        Manners(hesitates=True),
        Manners(control="rtsp://10.0.0.5/live/track1"),
        Manners(control="/track1"),
        Manners(fmtp=False),
        Manners(answers={"OPTIONS": ("404 Not Found", "")}),
    ],
    ids=["line feeds", "eager", "own count", "hesitant", "absolute control", "rooted control", "no fmtp", "no options"],
)
def test_odd_manners_are_borne(manners: Manners) -> None:
    with odd_camera(manners) as camera:
        assert read(camera.url(), num_frames=20) == "h264"


def test_a_camera_may_ask_too() -> None:
    with odd_camera(Manners(asks_after=3)) as camera:
        assert read(camera.url(), num_frames=20) == "h264"
        assert eventually(lambda: camera.answered if len(camera.answered) == 2 else [], "answers") == ["200", "501 Not"]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_times_are_those_of_the_camera(transport: RtspTransport) -> None:
    with odd_camera(Manners(swaps=True, rate=50)) as camera:
        assert seconds_of(camera.url(), 30, transport) == pytest.approx([index / 10 for index in range(30)])


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_packets_that_come_twice_are_one(transport: RtspTransport) -> None:
    options = ReadOptions(rtsp_transport=transport)
    with (
        odd_camera(Manners(repeats=True, rate=50)) as camera,
        open_video(parse_source(camera.url(), Path("/")), options) as video,
    ):
        frames = video.frames(60.0, threading.Event())
        seconds = [next(frames).media_seconds for _ in range(20)]
        assert seconds == pytest.approx([index / 10 for index in range(20)])
        assert (video.tally.decoded, video.tally.damaged) == (20, 0)


def test_a_camera_is_open_with_its_first_picture() -> None:
    """However long the second takes; and then their times tell how long that was."""
    with (
        odd_camera(Manners(holds=(0, 2.0), rate=1, ticks=2 * CLOCK)) as camera,
        open_video(parse_source(camera.url(), Path("/")), ReadOptions()) as video,
    ):
        frames = video.frames(1.0, threading.Event())
        first, second = next(frames), next(frames)
        assert 0 <= first.decoded_at_ms - first.arrived_at_ms < second.arrived_at_ms - first.decoded_at_ms
        assert (second.point, second.media_seconds) == (2, 2.0)


def test_a_clock_of_a_wrong_rate_is_replaced_by_ours() -> None:
    """Whether it runs too slowly or too fast: both cameras are read at once."""
    with ThreadPoolExecutor(2) as pool:
        for taken in pool.map(taken_of, (400, CLOCK)):
            assert 5 <= sum(200 <= number < 300 for number in taken) <= 50


def taken_of(ticks: int) -> list[int]:
    """Of 300 pictures in 15 s, every tenth is wanted; while the rate is not known, few or all are taken."""
    stop, taken = threading.Event(), list[int]()
    with (
        odd_camera(Manners(rate=20, ticks=ticks)) as camera,
        open_video(parse_source(camera.url(), Path("/")), ReadOptions()) as video,
    ):

        def count() -> None:
            if video.tally.decoded >= 300:
                stop.set()

        for _ in video.frames(2.0, stop, heard=count):
            taken.append(video.tally.decoded)
            count()
    return taken


def test_sessions_are_kept_alive_and_ended() -> None:
    with odd_camera(Manners(timeout="1", rate=50)) as camera:
        read(camera.url(), num_frames=70)
        assert camera.methods().count("GET_PARAMETER") >= 2
        eventually(lambda: "TEARDOWN" in camera.methods(), "its leave")


def test_a_session_that_the_camera_has_ended() -> None:
    manners = Manners(timeout="1", rate=50, answers={"GET_PARAMETER": ("454 Session Not Found", "")})
    with odd_camera(manners) as camera, pytest.raises(SourceFailed, match="the camera has ended the session"):
        read(camera.url(), num_frames=500)


def test_a_camera_that_falls_silent() -> None:
    with odd_camera(Manners(stops_after=20)) as camera:
        options = ReadOptions(stall_seconds=1)
        with (
            pytest.raises(SourceFailed, match="no data for 1 s"),
            open_video(parse_source(camera.url(), Path("/")), options) as video,
        ):
            assert len(list(video.frames(60.0, threading.Event()))) == 20


def test_a_session_lives_on_while_nobody_reads() -> None:
    with odd_camera(Manners(timeout="1", rate=500)) as camera:
        with open_video(parse_source(camera.url(), Path("/"))) as video:
            frames = video.frames(60.0, threading.Event())
            next(frames)
            asked = camera.methods().count("GET_PARAMETER")
            eventually(lambda: camera.methods().count("GET_PARAMETER") >= asked + 2, "signs of life")
            next(frames)
        eventually(lambda: "TEARDOWN" in camera.methods(), "its leave")


@pytest.mark.parametrize("transport", ["tcp", "http"])
def test_a_camera_that_never_answers(transport: RtspTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(SourceFailed) as caught:
            read(f"rtsp://127.0.0.1:{silent.getsockname()[1]}/", transport=transport, stall_seconds=1)
        assert str(caught.value) == "timed out: the camera does not answer"


def test_what_answers_but_is_no_camera() -> None:
    with odd_camera(Manners(tunnel=True)) as camera:
        assert "no RTSP video" in failure(camera.url())
    with odd_camera() as camera, pytest.raises(SourceFailed, match="no RTSP"):
        read(camera.url(), transport="http")
