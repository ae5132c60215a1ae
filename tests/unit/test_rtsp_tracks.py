"""What a camera describes, and what of it FFmpeg is given."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.sources.rtsp.tracks import SdpTrack, base_of, tracks_of
from shared.errors import SourceFailed

BASE = "rtsp://camera/live/"
H264 = "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 packetization-mode=1\na=control:track1\n"
SMALL = "m=video 0 RTP/AVP 97\na=rtpmap:97 H265/90000\na=x-dimensions:640,360\na=control:small\n"
LARGE = "m=video 0 RTP/AVP 98\na=rtpmap:98 H264/90000\na=framesize:98 1920-1080\na=control:large\n"
UNKNOWN = "m=video 0 RTP/AVP 99\na=rtpmap:99 VND.ONVIF.METADATA/90000\na=control:meta\n"
AUDIO = "m=audio 0 RTP/AVP 0\na=control:sound\n"


def found(*sections: str, base: str = BASE) -> list[SdpTrack]:
    return tracks_of("v=0\ns=x\na=control:*\n" + "".join(sections), base)[1]


def controls(*sections: str, base: str = BASE) -> list[str]:
    return [track.control for track in found(*sections, base=base)]


def test_unknown_tracks_and_sound_are_passed_over() -> None:
    assert controls(AUDIO, UNKNOWN, H264) == [BASE + "track1"]
    with pytest.raises(SourceFailed, match="its codec is not supported"):
        found(UNKNOWN)
    with pytest.raises(SourceFailed, match="holds no video stream"):
        found(AUDIO)


def test_larger_pictures_come_first_where_all_say_their_size() -> None:
    assert controls(SMALL, LARGE) == [BASE + "large", BASE + "small"]
    assert controls(H264, LARGE) == [BASE + "track1", BASE + "large"]


@pytest.mark.parametrize(
    ("base", "control", "url"),
    [
        ("rtsp://camera/live", "track1", "rtsp://camera/live/track1"),
        ("rtsp://camera/live/", "track1", "rtsp://camera/live/track1"),
        ("rtsp://camera/live", "/track1", "rtsp://camera/live/track1"),
        ("rtsp://camera/live?a=1", "trackID=2", "rtsp://camera/live?a=1/trackID=2"),
        ("rtsp://camera/live", "RTSP://camera/other", "RTSP://camera/other"),
        ("rtsp://camera/live", "*", "rtsp://camera/live"),
    ],
)
def test_controls_are_urls(base: str, control: str, url: str) -> None:
    assert controls(H264.replace("track1", control), base=base) == [url]


def test_the_whole_has_a_url_of_its_own() -> None:
    assert tracks_of(f"a=control:rtsp://camera/all\n{H264}", BASE)[0] == "rtsp://camera/all"
    assert tracks_of(H264, BASE)[0] == BASE
    assert base_of("rtsp://camera/x", "") == base_of("rtsp://camera/x", "live/") == "rtsp://camera/x"
    assert base_of("rtsp://camera/x", "rtsp://camera/y/") == "rtsp://camera/y/"


def test_ffmpeg_sees_one_track_and_no_address() -> None:
    harmful = (
        "c=IN IP4 239.1.1.1/9\na=range:npt=0-\na=IsRealDataType:integer;1\na=source-filter: incl IN IP4 * 10.0.0.1\n"
    )
    (track,) = found(AUDIO, H264 + harmful + "a=rtpmap:97 H265/90000\n", UNKNOWN)
    assert track.sdp.splitlines()[4:] == [
        "m=video 0 RTP/AVP 96",
        "a=rtpmap:96 H264/90000",
        "a=fmtp:96 packetization-mode=1",
    ]


def test_kinds_are_told_by_name_or_number() -> None:
    (hevc,) = found("m=video 0 RTP/AVP 35 96\na=rtpmap:35 NOVEL/1\na=rtpmap:96 HEVC/48000\n")
    assert (hevc.payload_type, hevc.codec, hevc.clock_rate) == (96, "HEVC", 48_000)
    assert "a=rtpmap:96 H265/48000" in hevc.sdp
    (jpeg,) = found("m=video 0 RTP/SAVPF 26\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\n")
    assert (jpeg.codec, jpeg.clock_rate, jpeg.profile) == ("JPEG", 90_000, "RTP/SAVP")
    assert "a=crypto:1" in jpeg.sdp


@given(st.text(alphabet="mva=:0 1\n/RTPvideoH264x-", max_size=300))
def test_nonsense_is_refused_in_words(text: str) -> None:
    with suppress(SourceFailed):
        tracks_of(text, BASE)
