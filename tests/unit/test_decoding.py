"""What is left undecoded, and by what, changes no sampled frame."""

import threading
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from films import VideoFile, render

from services.ingest.sources.decoding.hardware import SOFTWARE, accelerator
from services.ingest.sources.decoding.tally import Tally
from services.ingest.sources.figures import UNKNOWN
from services.ingest.sources.options import Hwaccel, ReadOptions, Skip
from services.ingest.sources.video import SampledFrame, open_video
from shared.sources import Source


@dataclass(frozen=True)
class Decoded:
    frames: list[SampledFrame]
    tally: Tally
    decoder: str

    @property
    def points(self) -> list[int]:
        return [frame.point for frame in self.frames]


def decode(path: Path, skip: Skip = "none", *, fps: float = 8.0, num_threads: int = 1, first_point: int = 0) -> Decoded:
    with open_video(Source(str(path)), ReadOptions(num_threads=num_threads, skip=skip, measures=True)) as video:
        frames = list(video.frames(fps, threading.Event(), first_point))
        return Decoded(frames, video.tally, video.decoder)


def assert_same(one: Decoded, other: Decoded) -> None:
    assert one.points == other.points
    assert [frame.media_seconds for frame in one.frames] == [frame.media_seconds for frame in other.frames]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(one.frames, other.frames, strict=True))
    assert [frame.figures for frame in one.frames] == [frame.figures for frame in other.frames]


STEADY = [40 * index for index in range(150)]
WANDERING = [40 * index + (index * index) % 23 + 700 * (index // 50) for index in range(150)]
X264 = {"bf": "3", "b_strategy": "0"}


def film(path: Path, codec: str, options: dict[str, str], times: list[int]) -> Path:
    """Random texture that moves, at the given times in ms."""
    texture = np.random.default_rng(0).integers(0, 255, (96, 400), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 25 if times == STEADY else 1000)
        for index, milliseconds in enumerate(times):
            frame = av.VideoFrame.from_ndarray(texture[:, index : index + 128], format="yuv420p")
            frame.pts, frame.time_base = milliseconds, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.ts"])
@pytest.mark.parametrize("times", [STEADY, WANDERING], ids=["steady", "wandering"])
@pytest.mark.parametrize("num_threads", [1, 4])
def test_skipping_changes_no_frame(name: str, times: list[int], num_threads: int, tmp_path: Path) -> None:
    path = film(tmp_path / name, "libx264", X264, times)
    for fps in (8.0, 3.0):
        full, thin = decode(path, fps=fps), decode(path, "auto", fps=fps, num_threads=num_threads)
        assert_same(full, thin)
        assert full.tally.decoded == len(times)
        assert thin.tally.decoded < 0.8 * len(times)
        assert thin.tally.decoded - thin.tally.skipped == len(thin.frames)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("film.mp4", "libx265", {"x265-params": "bframes=3:b-adapt=0:log-level=none"}),
        ("film.mp4", "mpeg4", {"bf": "2"}),
        ("film.ts", "mpeg2video", {"bf": "2"}),
    ],
)
def test_skipping_with_other_codecs(name: str, codec: str, options: dict[str, str], tmp_path: Path) -> None:
    path = film(tmp_path / name, codec, options, STEADY)
    full, thin = decode(path), decode(path, "auto")
    assert_same(full, thin)
    assert thin.tally.decoded < 0.8 * full.tally.decoded


def test_without_b_frames_or_times_nothing_is_skipped(tmp_path: Path) -> None:
    plain = film(tmp_path / "plain.mp4", "libx264", {"bf": "0"}, STEADY)
    stamped = film(tmp_path / "stamped.avi", "mpeg4", {"bf": "2"}, STEADY)
    for path in (plain, stamped):
        full, thin = decode(path), decode(path, "auto")
        assert_same(full, thin)
        assert thin.tally.decoded == full.tally.decoded


@pytest.mark.parametrize(("codec", "options"), [("libx264", {"bf": "3"}), ("mpeg4", {"bf": "2"})])
def test_a_container_that_knows_no_order_loses_no_picture(codec: str, options: dict[str, str], tmp_path: Path) -> None:
    path = film(tmp_path / "film.avi", codec, options, STEADY)
    assert decode(path, fps=25.0).points == list(range(len(STEADY)))


def test_a_file_read_from_the_middle_skips_what_was_published(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", "libx264", X264, STEADY)
    full = decode(path, "auto")
    for first_point in (29, 30, 31, 32):
        rest = decode(path, "auto", first_point=first_point)
        assert_same(Decoded(full.frames[first_point:], full.tally, full.decoder), rest)
        assert rest.frames[0].figures is not None
        assert rest.frames[0].figures[5] != UNKNOWN
        assert rest.tally.skipped == full.tally.skipped + first_point


def test_only_keyframes(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", "libx264", {**X264, "g": "25", "sc_threshold": "0"}, STEADY)
    keyframes = decode(path, "keyframes")
    assert keyframes.points == [0, 8, 16, 24, 32, 40]
    assert keyframes.tally.decoded == 6


def test_a_packet_without_a_keyframe_is_a_sign_of_life(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", "libx264", X264, STEADY)
    heard = []
    with open_video(Source(str(path)), ReadOptions(skip="keyframes")) as video:
        assert len(list(video.frames(8.0, threading.Event(), heard=lambda: heard.append(1)))) == 1
    assert len(heard) >= len(STEADY) - 1


@pytest.mark.parametrize("name", ["bottle-detection.mp4", "car-detection.mp4"])
def test_skipping_in_real_footage(reference_data: Path, name: str) -> None:
    path = reference_data / "video" / name
    full, thin = decode(path), decode(path, "auto")
    assert_same(full, thin)
    has_b_frames = name == "bottle-detection.mp4"
    assert (thin.tally.decoded < 0.7 * full.tally.decoded) == has_b_frames


@pytest.mark.parametrize("hwaccel", ["auto", "cuda", "vaapi"])
def test_without_hardware_software_decodes(hwaccel: Hwaccel, video_file: VideoFile) -> None:
    if accelerator(hwaccel):
        pytest.skip(f"this machine has hardware for {hwaccel}")
    with open_video(Source(str(video_file("clip.mp4"))), ReadOptions(hwaccel=hwaccel)) as video:
        assert video.info.decoder == SOFTWARE
        assert [frame.point for frame in video.frames(8.0, threading.Event())] == list(range(16))
        assert video.decoder == SOFTWARE


def test_a_picture_may_change_its_size_on_the_way(tmp_path: Path) -> None:
    parts = []
    for index, size in enumerate([(64, 48), (320, 240), (64, 48)]):
        part = tmp_path / f"{index}.ts"
        render(part, seconds=2, fps=10, size=size, rotation=0)
        parts.append(part.read_bytes())
    (tmp_path / "film.ts").write_bytes(b"".join(parts))
    full, thin = decode(tmp_path / "film.ts"), decode(tmp_path / "film.ts", "auto")
    assert_same(full, thin)
    shapes = [frame.image.shape for frame in full.frames]
    assert sorted(set(shapes)) == [(48, 64, 3), (192, 256, 3)]
    assert shapes[0] == shapes[-1] == (48, 64, 3)
    assert full.points == list(range(len(full.points)))
    assert 46 <= len(full.points) <= 48


def test_a_live_decoder_without_b_frames_holds_nothing_back(tmp_path: Path) -> None:
    """So no low-delay flag is set: it would gain nothing on one thread."""
    for options, most in (({"bf": "0"}, 0), (X264, 2)):
        path = film(tmp_path / "film.mp4", "libx264", options, STEADY[:50])
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_type, stream.codec_context.thread_count = "NONE", 1
            num_held = 0
            for packet in container.demux(stream):
                num_held += bool(packet.size) - len(packet.decode())
                assert num_held <= most
        assert num_held == 0
