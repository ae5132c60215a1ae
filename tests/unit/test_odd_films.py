"""Sources that cameras and recorders really give, read to their end."""

import struct
import threading
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from odd_films import Film, every, joined, write

from services.ingest.sources.decoding.decoder import beginnings
from services.ingest.sources.decoding.tally import Tally
from services.ingest.sources.options import ReadOptions, Skip
from services.ingest.sources.video import SampledFrame, VideoInfo, open_video
from shared.errors import SourceFailed
from shared.sources import Source


@dataclass(frozen=True)
class Seen:
    info: VideoInfo
    frames: list[SampledFrame]
    tally: Tally
    codec: str
    """at the end"""

    @property
    def seconds(self) -> list[float]:
        return [frame.media_seconds for frame in self.frames]


def seen(path: Path, fps: float = 8.0, skip: Skip = "auto", num_threads: int = 1) -> Seen:
    with open_video(Source(str(path)), ReadOptions(skip=skip, num_threads=num_threads)) as video:
        info = video.info
        frames = list(video.frames(fps, threading.Event()))
        return Seen(info, frames, video.tally, video.info.codec)


MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(("name", "longest"), [("film.mkv", 3 * DAY), ("film.mp4", 20 * HOUR)])
def test_a_recording_may_pause_for_hours_or_days(name: str, longest: int, tmp_path: Path) -> None:
    times = [0, 125, 20 * MINUTE, 20 * MINUTE + 125, 5 * HOUR, longest, longest + 125]
    film = seen(write(tmp_path / name, Film(times, options={"bf": "0"})))
    assert [round(seconds * 1000) for seconds in film.seconds] == times
    assert [frame.point for frame in film.frames] == [time * 8 // 1000 for time in times]


def stray(path: Path, number: int, milliseconds: int) -> Path:
    """Moves one picture of a Matroska film to another time."""
    film = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.pos is not None]
    at = film.index(b"\x81", places[number], places[number] + 16) + 1  # the track's number goes before
    film[at : at + 2] = struct.pack(">h", struct.unpack(">h", film[at : at + 2])[0] + milliseconds)
    path.write_bytes(film)
    return path


@pytest.mark.parametrize("milliseconds", [30_000, -25_000])
def test_one_picture_of_an_impossible_time_does_not_move_the_others(milliseconds: int, tmp_path: Path) -> None:
    path = write(tmp_path / "film.mkv", Film(every(125, 40), options={"bf": "0"}))
    film = seen(stray(path, 20, milliseconds))
    assert film.seconds == pytest.approx([index / 8 for index in range(40)], abs=0.126)
    assert [frame.point for frame in film.frames if frame.point != 20] == [index for index in range(40) if index != 20]


def test_a_pause_between_pictures_that_refer_to_each_other(tmp_path: Path) -> None:
    times = [*every(40, 42), *every(40, 40, start=HOUR)]
    film = seen(write(tmp_path / "film.mkv", Film(times, options={"bf": "3", "b_strategy": "0"}, rate=25)), 25)
    assert [round(seconds * 1000) for seconds in film.seconds] == times


@pytest.mark.parametrize("fps", [0.01, 1.0, 8.0])
def test_a_time_lapse_gives_every_picture(fps: float, tmp_path: Path) -> None:
    film = seen(write(tmp_path / "film.mp4", Film(every(15 * MINUTE, 10))), fps)
    assert film.seconds == [900.0 * index for index in range(10)]
    assert [frame.point for frame in film.frames] == [round(900 * fps * index) for index in range(10)]


def test_the_trial_s_time_lapse(reference_cases: Path) -> None:
    assert seen(reference_cases / "timelapse900.mp4").seconds == [900.0 * index for index in range(10)]


PREVIEW = Film([0], codec="mjpeg", size=(32, 24))
LARGE_PREVIEW = Film([0], codec="mjpeg", size=(128, 96))
WITHOUT_PACKETS = Film([], codec="mjpeg", size=(128, 96))
FILM = Film(every(100, 30), options={"g": "10"})


@pytest.mark.parametrize(
    ("name", "films"),
    [
        ("film.mp4", [PREVIEW, FILM]),
        ("film.mkv", [PREVIEW, FILM]),
        ("film.mp4", [LARGE_PREVIEW, FILM]),
        ("film.mkv", [WITHOUT_PACKETS, FILM]),
        ("film.mkv", [WITHOUT_PACKETS, PREVIEW, FILM, PREVIEW]),
        ("film.mkv", [FILM, PREVIEW]),
        ("film.ts", [Film(FILM.times, size=(32, 24)), FILM]),
    ],
)
def test_the_film_is_read_and_not_what_lies_before_it(name: str, films: list[Film], tmp_path: Path) -> None:
    film = seen(write(tmp_path / name, *films), 10)
    assert (film.info.codec, film.info.width, film.info.height) == ("h264", 64, 48)
    assert [frame.point for frame in film.frames] == list(range(30))


@pytest.mark.parametrize("name", ["mpts_first_off_air.ts", "preview_first.mp4"])
def test_the_trial_s_second_tracks(name: str, reference_cases: Path) -> None:
    film = seen(reference_cases / name, 10)
    assert [frame.point for frame in film.frames] == list(range(200))
    assert [int(film.frames[second * 10].image.mean()) // 11 for second in (0, 10, 19)] == [0, 10, 20]


@pytest.mark.parametrize(
    ("name", "aspect", "expected"),
    [
        ("film.mp4", Fraction(24, 11), (192, 256)),
        ("film.mkv", Fraction(24, 11), (192, 256)),
        ("film.ts", Fraction(24, 11), (192, 256)),
        ("film.ts", Fraction(1), (314, 192)),
        ("film.ts", None, (314, 192)),
        ("film.ts", Fraction(24, 1), (314, 192)),
    ],
)
def test_oblong_pixels_are_shown_square(
    name: str, aspect: Fraction | None, expected: tuple[int, int], tmp_path: Path
) -> None:
    film = seen(write(tmp_path / name, Film(every(100, 5), size=(352, 576), aspect=aspect)))
    assert (film.info.width, film.info.height) == (352, 576)
    assert {frame.image.shape for frame in film.frames} == {(*expected, 3)}


def test_what_the_container_says_of_the_pixels_goes_before(tmp_path: Path) -> None:
    path = write(tmp_path / "film.mp4", Film(every(100, 5), size=(352, 576), aspect=Fraction(24, 11)))
    film = path.read_bytes()
    stated = film.index(b"pasp") + 4
    path.write_bytes(film[:stated] + struct.pack(">II", 12, 11) + film[stated + 8 :])
    assert {frame.image.shape for frame in seen(path).frames} == {(288, 192, 3)}


def test_pixels_may_change_their_shape_on_the_way(tmp_path: Path) -> None:
    parts = [Film(every(100, 20), size=(352, 576), aspect=aspect) for aspect in (Fraction(24, 11), Fraction(1))]
    film = seen(joined(tmp_path, *parts))
    assert [frame.image.shape[:2] for frame in (film.frames[0], film.frames[-1])] == [(192, 256), (314, 192)]


def test_the_trial_s_oblong_pixels(reference_cases: Path) -> None:
    assert {frame.image.shape for frame in seen(reference_cases / "halfd1.mp4").frames} == {(192, 256, 3)}


X265 = {"x265-params": "bframes=3:b-adapt=0:log-level=none"}
PARTS = {
    "h264": Film(every(40, 50), options={"bf": "3", "b_strategy": "0"}),
    "plain h264": Film(every(40, 50), options={"bf": "0", "g": "10"}),
    "hevc": Film(every(40, 50), codec="libx265", options=X265),
    "mpeg2video": Film(every(40, 50), codec="mpeg2video", options={"bf": "2"}, rate=25),
    "larger mpeg2video": Film(every(40, 50), codec="mpeg2video", size=(320, 240), rate=25),
}


@pytest.mark.parametrize(("skip", "num_threads"), [("none", 1), ("auto", 1), ("auto", 4)])
@pytest.mark.parametrize(
    "names",
    [
        ("h264", "hevc"),
        ("hevc", "plain h264"),
        ("h264", "mpeg2video"),
        ("mpeg2video", "plain h264"),
        ("larger mpeg2video", "hevc"),
        ("plain h264", "larger mpeg2video", "h264", "hevc"),
    ],
)
def test_another_codec_goes_on_within_the_source(
    names: tuple[str, ...], skip: Skip, num_threads: int, tmp_path: Path
) -> None:
    film = seen(joined(tmp_path, *(PARTS[name] for name in names)), 25, skip, num_threads)
    assert film.codec == names[-1].split()[-1]
    assert film.tally.refused <= 2 * len(names)
    assert len(film.frames) >= 50 * len(names) - 8 * (len(names) - 1)
    assert film.seconds[-1] == pytest.approx(2 * len(names), abs=0.5)


@pytest.mark.parametrize("fps", [25.0, 8.0, 3.0])
def test_skipping_changes_no_frame_where_the_codec_changes(fps: float, tmp_path: Path) -> None:
    path = joined(tmp_path, PARTS["h264"], PARTS["hevc"], PARTS["mpeg2video"])
    full, thin = seen(path, fps, "none"), seen(path, fps, "auto")
    assert thin.tally.decoded < full.tally.decoded or fps == 25
    assert [frame.point for frame in full.frames] == [frame.point for frame in thin.frames]
    assert full.seconds == thin.seconds
    assert all(np.array_equal(one.image, other.image) for one, other in zip(full.frames, thin.frames, strict=True))


@pytest.mark.parametrize("name", ["h264", "plain h264", "hevc", "mpeg2video"])
def test_headers_of_another_codec_are_not_seen_where_there_are_none(name: str, tmp_path: Path) -> None:
    film = PARTS[name]
    with av.open(str(write(tmp_path / "film.ts", film))) as container:
        found = {codec for packet in container.demux(video=0) for codec, _ in beginnings(bytes(packet))}
    assert found == {name.rsplit(maxsplit=1)[-1]}


def test_where_much_could_not_be_read_the_end_is_a_failure(tmp_path: Path) -> None:
    path = write(tmp_path / "film.mkv", Film(every(40, 100), options={"g": "10", "bf": "0"}))
    film = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.pos is not None]
    for begin, size in places[50:]:
        header = film.index(b"\x81", begin, begin + 16) + 4  # of the block: track, time, flags
        film[header : header + size] = b"\xff" * size
    path.write_bytes(film)
    with open_video(Source(str(path))) as video:
        frames = video.frames(25.0, threading.Event())
        assert [frame.point for frame in islice(frames, 50)] == list(range(50))
        with pytest.raises(SourceFailed, match="50 of its 100 packets could not be decoded"):
            next(frames)


@pytest.mark.parametrize("num_threads", [1, 4])
def test_the_trial_s_change_of_codec(num_threads: int, reference_cases: Path) -> None:
    film = seen(reference_cases / "h264_then_hevc.ts", 10, num_threads=num_threads)
    assert film.codec == "hevc"
    assert (film.tally.decoded, film.tally.refused) == (200, 0)
    assert [frame.point for frame in film.frames] == list(range(198))
    assert film.frames[-1].image.mean() > 215


@pytest.mark.parametrize("seconds", [2, 8])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_film_may_go_on_in_another_track(codec: str, seconds: int, tmp_path: Path) -> None:
    first = Film(every(40, 100), options={"bf": "0"}, number=256)
    options = X265 if codec == "libx265" else {"bf": "0"}
    then = Film(every(40, 25 * seconds), codec=codec, options=options, number=300)
    film = seen(joined(tmp_path, first, then), 25)
    assert film.codec == {"libx264": "h264", "libx265": "hevc"}[codec]
    assert film.tally.refused == 0
    assert len(film.frames) >= 100 + 25 * seconds - 6
    assert film.seconds[-1] == pytest.approx(4 + seconds, abs=0.5)


@pytest.mark.parametrize("name", ["film.mkv", "film.mp4", "film.ts"])
@pytest.mark.parametrize("num_threads", [1, 4])
def test_a_track_that_ran_beside_goes_on_where_the_larger_one_ends(name: str, num_threads: int, tmp_path: Path) -> None:
    """From the middle of a group of its pictures, and none is shown twice."""
    larger = Film(every(100, 30), size=(128, 96), options={"bf": "2", "b_strategy": "0"})
    beside = Film(every(100, 120), options={"bf": "2", "b_strategy": "0", "g": "25"})
    film = seen(write(tmp_path / name, larger, beside), 10, num_threads=num_threads)
    assert [frame.point for frame in film.frames] == list(range(120))
    assert [frame.image.shape[1] for frame in film.frames] == [128] * 30 + [64] * 90


def test_a_track_that_ends_with_the_larger_one_is_left_out(tmp_path: Path) -> None:
    film = seen(write(tmp_path / "film.mkv", FILM, replace(FILM, size=(32, 24), times=every(100, 35))), 10)
    assert [frame.image.shape[1] for frame in film.frames] == [64] * 30


def test_a_track_that_begins_too_late_to_be_found_is_said(tmp_path: Path) -> None:
    first = write(tmp_path / "first.ts", Film(every(40, 500), options={"bf": "0"}, number=256))
    then, path = tmp_path / "then.ts", tmp_path / "film.ts"
    with av.open(str(first)) as film, av.open(str(then), "w", options={"mpegts_pmt_start_pid": "500"}) as other:
        stream = other.add_stream_from_template(film.streams.video[0])
        stream.id = 300
        for packet in film.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                other.mux(packet)
    path.write_bytes(first.read_bytes() + then.read_bytes())
    with open_video(Source(str(path))) as video:
        frames = video.frames(25.0, threading.Event())
        with pytest.raises(SourceFailed, match="its tracks change in mid-stream: what follows is not read"):
            list(frames)
