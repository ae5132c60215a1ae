import random
import string
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from secret_forms import MISTYPED, SOURCES, reference_forms

from shared.errors import SourceRefused
from shared.sources import parse_source
from shared.words.plain_words import is_plain
from shared.words.redaction import redact, shown_source

SECRETS = ("s3cret-pass", "hunter2", "Zq9xW3vK", "xkcdpassphrase")

# fmt: off
SEEN = (
    "/Streaming/Channels/101", "/ISAPI/Streaming/channels/102/httpPreview", "/cam/realmonitor", "/h264Preview_01_main",
    "/11", "/s", "/axis-media/media.amp", "/axis-cgi/mjpg/video.cgi", "/live/ch00_0", "/live/main", "/onvif1",
    "/ch01.264", "/video.mjpg", "/img/snapshot.cgi", "/nphMotionJpeg", "/GetData.cgi", "/MediaInput/h264/stream_1",
    "/PSIA/Streaming/channels/1", "/LowResolutionVideo", "/videostream.asf", "/HighResolutionVideo", "/av0_0",
    "/profile2/media.smp", "/rtpvideo1.sdp", "/defaultPrimary", "/StreamingSetting", "/VideoInput/1/mpeg4/1",
    "/live.sdp", "/unicast/c1/s0/live", "/bcs/channel0_main.bcs", "/h264/ch1/main/av_stream", "/front-door",
    "/hls/front_door/index.m3u8", "/api/front_door/latest.jpg", "/ONVIF/MediaInput", "/tmpfs/auto.jpg",
    "/parking-lot-east-2", "/underpass-north", "/guest-entrance", "/turkey-barn",
    "/recordings/2024-01-02/20240102T101112Z", "/Büro/Eingang%20Nord",
)
# fmt: on


def hidden_everywhere(form: str, secret: str) -> bool:
    """Whether neither a view, nor a sentence with the form in it, shows the secret."""
    text = form.replace("{}", secret)
    sentence = redact(f"probe of {text}: failed, said ops@example.com; camera-events@0123abcd goes on")
    return secret not in shown_source(text) + redact(text) + redact(f"(see '{text}')") + sentence


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("form", SOURCES)
def test_a_source_is_shown_without_its_secret(form: str, secret: str) -> None:
    text = form.replace("{}", secret)
    parse_source(text, Path("/media"))
    assert hidden_everywhere(form, secret)
    assert shown_source(shown_source(text)) == redact(shown_source(text)) == shown_source(text)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("form", MISTYPED)
def test_a_mistyped_source_is_not_repeated(form: str, secret: str) -> None:
    with pytest.raises(SourceRefused) as refusal:
        parse_source(form.replace("{}", secret), Path("/media"))
    assert secret not in str(refusal.value) + shown_source(form.replace("{}", secret))
    assert "user" not in str(refusal.value).replace("user name", "")


def test_what_others_found_is_hidden_too() -> None:
    forms = reference_forms("sources")
    assert [form for form in forms if not hidden_everywhere(form, "s3cret-pass")] == []
    for form in reference_forms("mistyped"):
        with pytest.raises(SourceRefused) as refusal:
            parse_source(form.replace("{}", "s3cret-pass"), Path("/media"))
        assert "s3cret" not in str(refusal.value)


@given(st.text(max_size=12), st.text(max_size=12), st.sampled_from(["10.0.0.5", "10.0.0.5:8554/x", "[fd00::5]/?a=b"]))
@example("a ", "", "10.0.0.5")
@example('a"', "'<>", "10.0.0.5/x")
def test_no_password_is_shown_whatever_stands_around_it(before: str, after: str, host: str) -> None:
    text = f"rtsp://user:{before}s3cret{after}@{host}"
    assert "s3cret" not in shown_source(text)
    if "://" not in before + after:
        assert "s3cret" not in redact(f"lost {text}: no answer")


@given(st.text(max_size=80), st.sampled_from(["", "rtsp://", "http://10.0.0.5/", "http://u:p@host/a?", "file://"]))
def test_what_is_shown_stays_as_it_is(text: str, start: str) -> None:
    shown = shown_source(start + text)
    assert shown_source(shown) == shown


@pytest.mark.parametrize("path", SEEN)
def test_the_paths_of_cameras_are_shown(path: str) -> None:
    for address in ("rtsp://10.0.0.5:554", "http://cam.example"):
        assert shown_source(address + path) == redact(address + path) == address + path


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://user:a@b:c@host:554/live/main?a=1&b=&c#d", "rtsp://***@host:554/live/main?a=***&b=***&***#***"),
        ("rtsp://h/user=admin_password=x_channel=1_stream=0.sdp", "rtsp://h/***"),
        ("rtsp://h/password=x/1", "rtsp://h/***/1"),
        ("http://h/redir/http%3A%2F%2Fu%3Ap%40i%2Fx", "http://h/redir/***"),
        ("rtsps://h:7441/FXs0Plqx1vFDhGkt?enableSrtp", "rtsps://h:7441/***?***"),
        ("rtsp://h:554/FXs0Plqx1vFDhGkt", "rtsp://h:554/***"),
        ("http://h/3f2c1a90-5d3e-4c1b-9a6f-0123456789ab/live", "http://h/***/live"),
        ("rtsp://cam/live@2x", "rtsp://***"),
        ("http://10.0.0.5:5000/api/x@v1.2", "http://10.0.0.5:5000/api/***"),
        ("device:0", "device:0"),
        ("clips/2024-01-02T10:11:12 Tom & Ann (1).mp4", "clips/2024-01-02T10:11:12 Tom & Ann (1).mp4"),
        ("/media/0123456789abcdef0123456789abcdef.mp4", "/media/0123456789abcdef0123456789abcdef.mp4"),
        ("/media/password=x/cam@home.mp4", "/media/***/***"),
        ("file:///media/a%20b.mp4", "file:///media/a%20b.mp4"),
    ],
)
def test_scheme_host_port_and_path_are_shown(text: str, shown: str) -> None:
    assert shown_source(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis+cluster://u:p@a:1,b:2/0", "redis+cluster://***@a:1,b:2/0"),
        ("redis+cluster://u:p,w/x@a:1", "redis+cluster://***@a:1"),
        ("unix:///tmp/aX9-kq3zZ0pLmW8v/redis.sock?db=1", "unix:///tmp/aX9-kq3zZ0pLmW8v/redis.sock?db=***"),
        ("unix://u:p/w@/tmp/redis.sock", "unix://***@/tmp/redis.sock"),
        ("see http://127.0.0.1:8000/docs.", "see http://127.0.0.1:8000/docs."),
        ("AFTERIMAGE_REDIS_PASSWORD=x is set", "AFTERIMAGE_REDIS_PASSWORD=*** is set"),
        ("127.0.0.1/video?a=x&b", "127.0.0.1/video?a=***&***"),
        ("video?a=x", "video?***"),
        ("rtsp%3A%2F%2Fu%3Ap%40h is no a%20b", "*** is no a%20b"),
        ('lost http://h/v?q={"password":"x y","n":"x&z"}!', "lost http://h/v?q=***&***}!"),
        ("{'pin': 1, 'password': 'x y'}", "{'pin': 1, 'password': ***}"),
        ("-user x -pass x rtsp://h/s", "-user *** -pass *** rtsp://h/s"),
        ("no rtsp:/h/admin x: wrong", "no ***"),
        ("password: x rtsp://h/s", "password: *** rtsp://h/s"),
        ("fps=8, frames 3 of 4 @ 2x", "fps=8, frames 3 of 4 @ 2x"),
    ],
)
def test_a_text_keeps_what_is_no_secret(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_keys_are_hidden_in_a_path() -> None:
    """Those of UniFi's ports always; anywhere else nearly all, as some read like words."""
    drawn = random.Random(7)
    keys = ["".join(drawn.choices(string.ascii_letters + string.digits, k=16)) for _ in range(2000)]
    assert not [key for key in keys if key in shown_source(f"rtsp://10.0.0.5:7447/{key}")]
    assert sum(map(is_plain, keys)) <= 4


def test_long_texts_take_no_long_time() -> None:
    """Each of these would take minutes if anything in it were looked at twice as often as it is long."""
    for text in ("a", "a:", "@a:", "a@", "rtsp://", "rtsp://a b@", "pass=", "?a=", "%25"):
        redact(text * (200_000 // len(text)))


@pytest.mark.parametrize("name", ["cam@home.mp4", "a@b/clip.mp4", "10:30.mp4", "cam=1.mp4", "192.168.1.20/clip.mp4"])
def test_odd_names_of_files_are_allowed(name: str, tmp_path: Path) -> None:
    assert parse_source(name, tmp_path).location == str(tmp_path / name)
