"""Which containers are read from a file: everything that the wheel can, but for what the groups here say."""

import io
import os
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from films import VideoFile
from patience import unavailable

from services.ingest.sources.containers import FILE_FORMATS, RECORDINGS
from services.ingest.sources.options import ReadOptions
from services.ingest.sources.video import SampledFrame, open_video
from shared.errors import SourceFailed
from shared.sources import VIDEO_SUFFIXES, parse_source

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"

LEADS_ELSEWHERE = (
    "alsa concat fbdev hls image2 kmsgrab lavfi mlv oss rtp rtsp sap sdp video4linux2 vobsub webm_dash_manifest x11grab"
)
"""To other files (lists, patterns, parts, indices), devices or hosts."""
SCRIPTS_AND_TEXT = (
    "adf aqtitle ass bin dvbsub dvbtxt ffmetadata idf jacosub lrc mcc microdvd mpl2 mpsub pjs rcwt realtext sami sbg "
    "scc srt stl subviewer subviewer1 sup svg_pipe tedcaptions tty vplayer webvtt xbin"
)
"""Scripts, subtitles, drawings and text that would be painted: no film."""
NO_MARKS = "bitpacked data image2pipe rawvideo v210 v210x"
"""Bare samples: neither their size nor their kind stands in the file."""
SOUND = (
    "aa aac aax ac3 ac4 ace acm act adp ads adx aea afc aiff aix alaw alp amr amrnb amrwb apac apc ape apm aptx "
    "aptx_hd argo_asf argo_cvg ast au avr bfstm binka bit boa bonk brstm caf codec2 codec2raw daud derf dfpwm dsf "
    "dss dts dtshd eac3 epaf f32be f32le f64be f64le flac fsb fwse g722 g723_1 g726 g726le g728 g729 genh gsm hca "
    "hcom iamf ilbc ircam kvag laf lc3 loas mca mlp mmf mp3 mpc mpc8 msf mtaf mulaw musx nistsphere nsp oma osq "
    "pp_bnk pvf qcp qoa redspark rka rsd rso s16be s16le s24be s24le s32be s32le s337m s8 sbc scd sdns sdr2 sds sdx "
    "shn sln sol sox spdif svag svs tak truehd tta u16be u16le u24be u24le u32be u32le u8 vag vidc voc vpk vqf w64 "
    "wady wav wavarc wsaud wsd wv wve xa xmd xvag xwma"
)
ALIASES = {"3g2", "3gp", "mp4", "webm"}
"""Further names of mov and matroska."""
TEXTS = {
    "ffconcat version 1.0\nfile {film}\n": "concat (Virtual concatenation script)",
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5000 RTP/AVP 96\n": "sdp (SDP)",
    "1\n00:00:01,000 --> 00:00:02,000\nhello\n": "srt (SubRip subtitle)",
    "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\n{film}\n#EXT-X-ENDLIST\n": "hls (Apple HTTP Live Streaming)",
    '<?xml version="1.0"?><MPD type="static"><BaseURL>{film}</BaseURL></MPD>': "",
    "This is not a film. " * 100: "",
}
"""By what a file holds: the container that its reason names, if it has a name."""


def names_of(group: str) -> set[str]:
    return set(group.replace(",", " ").split())


def read(path: Path, fps: float = 8.0) -> tuple[str, list[SampledFrame]]:
    with open_video(parse_source(path.name, path.parent), ReadOptions()) as video:
        return video.info.codec, list(video.frames(fps, threading.Event()))


def failure(path: Path) -> str:
    with pytest.raises(SourceFailed) as caught:
        read(path)
    return str(caught.value)


def test_every_demuxer_of_the_wheel_is_read_or_left_out_for_a_reason() -> None:
    found = set()
    for name in av.formats_available:
        with suppress(ValueError):  # what is only written
            found.add(av.ContainerFormat(name, "r").name.partition(",")[0])
    found -= ALIASES
    groups = [names_of(group) for group in (FILE_FORMATS, LEADS_ELSEWHERE, SCRIPTS_AND_TEXT, NO_MARKS, SOUND)]
    assert set().union(*groups) == found
    assert sum(map(len, groups)) == len(found), "one stands in two groups"


def test_over_http_pictures_are_no_recording() -> None:
    assert names_of(RECORDINGS) < names_of(FILE_FORMATS)
    assert "jpeg_pipe" not in names_of(RECORDINGS)


@contextmanager
def usual_scheduling() -> Iterator[None]:
    """SVT-AV1 makes the thread that opens it a real-time one, where that is root's."""
    policy, param = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, param)


def written(path: Path, container: str, codec: str, pix_fmt: str = "yuv420p") -> Path:
    """Ten pictures that get brighter, of a size and at a rate that all of them take."""
    with usual_scheduling(), av.open(str(path), "w", format=container) as film:
        stream = film.add_stream(codec, rate=25)
        assert isinstance(stream, VideoStream)
        stream.pix_fmt = pix_fmt
        stream.width, stream.height = (720, 576) if container == "dv" else (352, 288)
        for index in range(10):
            picture = np.full((stream.height, stream.width, 3), 60 + 10 * index, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("container", "codec", "pix_fmt"),
    [
        ("apng", "apng", "rgb24"),
        ("dv", "dvvideo", "yuv420p"),
        ("flv", "flv", "yuv420p"),
        ("gif", "gif", "rgb8"),
        ("h263", "h263", "yuv420p"),
        ("ivf", "libvpx", "yuv420p"),
        ("mjpeg", "mjpeg", "yuvj420p"),
        ("mpjpeg", "mjpeg", "yuvj420p"),
        ("mxf", "mpeg2video", "yuv420p"),
        ("nut", "mpeg4", "yuv420p"),
        ("obu", "libsvtav1", "yuv420p"),
        ("rm", "rv10", "yuv420p"),
        ("wtv", "mpeg2video", "yuv420p"),
        ("yuv4mpegpipe", "rawvideo", "yuv420p"),
    ],
)
def test_a_file_of_this_container_is_read(container: str, codec: str, pix_fmt: str, tmp_path: Path) -> None:
    """Whatever it is called: what is in it tells."""
    _, frames = read(written(tmp_path / "export", container, codec, pix_fmt), fps=100)
    assert len(frames) == 10
    brightness = [int(frame.image.mean()) for frame in frames]
    assert brightness == sorted(brightness)
    assert 50 <= brightness[0] < 80
    assert 140 < brightness[-1] < 160


@pytest.mark.parametrize("name", ["list", "list.mp4", "list.m3u8", "list.ffconcat"])
@pytest.mark.parametrize(("text", "container"), TEXTS.items(), ids=range(len(TEXTS)))
def test_what_is_no_film_reaches_no_other_file(
    text: str, container: str, name: str, video_file: VideoFile, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text.format(film=video_file("film.mp4").name))
    reason = f"a file of the container {container}, which is not read here" if container else "not a video file that"
    assert failure(tmp_path / name).startswith(reason)


def test_sound_is_called_by_its_container(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "sound.mp4"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(8000))
    assert failure(tmp_path / "sound.mp4").startswith("a file of the container wav (WAV")


def test_the_log_speaks_as_loud_as_before(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("ffconcat version 1.0\n")
    before = av.logging.get_level()
    failure(tmp_path / "text.mp4")
    assert av.logging.get_level() == before


def test_pictures_beside_a_pattern_are_not_read(tmp_path: Path) -> None:
    """`image2` would take the name for that of all its numbers."""
    picture = io.BytesIO()
    with av.open(picture, "w", format="image2pipe") as still:
        stream = still.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        still.mux(stream.encode(av.VideoFrame(64, 48, "yuvj420p")))
        still.mux(stream.encode(None))
    for name in ("shot%d.jpg", "shot1.jpg", "shot2.jpg"):
        (tmp_path / name).write_bytes(picture.getvalue())
    assert len(read(tmp_path / "shot%d.jpg")[1]) == 1


def test_an_export_of_a_dahua_recorder_is_read() -> None:
    if not CASES.is_dir():
        unavailable("the cases (../shared/cases)")
    codec, frames = read(CASES / "dahua.dav", fps=10)
    assert (codec, len(frames)) == ("h264", 20)


def test_names_of_films_are_lower_case_suffixes() -> None:
    assert {".mp4", ".dav", ".y4m", ".m2ts"} <= VIDEO_SUFFIXES
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in VIDEO_SUFFIXES)
    assert not {".jpg", ".png", ".txt", ".m3u8", ".wav"} & VIDEO_SUFFIXES
