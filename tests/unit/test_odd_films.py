"""Sources that cameras and recorders really give, read to their end."""

import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from odd_films import Film, every, write

from services.ingest.sources.decoding.tally import Tally
from services.ingest.sources.options import ReadOptions, Skip
from services.ingest.sources.video import SampledFrame, VideoInfo, open_video
from shared.sources import Source


@dataclass(frozen=True)
class Seen:
    info: VideoInfo
    frames: list[SampledFrame]
    tally: Tally

    @property
    def seconds(self) -> list[float]:
        return [frame.media_seconds for frame in self.frames]


def seen(path: Path, fps: float = 8.0, skip: Skip = "auto") -> Seen:
    with open_video(Source(str(path)), ReadOptions(skip=skip)) as video:
        info = video.info
        return Seen(info, list(video.frames(fps, threading.Event())), video.tally)


MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(("name", "longest"), [("film.mkv", 3 * DAY), ("film.mp4", 20 * HOUR)])
def test_a_recording_may_pause_for_hours_or_days(name: str, longest: int, tmp_path: Path) -> None:
    times = [0, 125, 20 * MINUTE, 20 * MINUTE + 125, 5 * HOUR, longest, longest + 125]
    film = seen(write(tmp_path / name, Film(times, options={"bf": "0"})))
    assert [round(seconds * 1000) for seconds in film.seconds] == times
    assert [frame.point for frame in film.frames] == [time * 8 // 1000 for time in times]


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
