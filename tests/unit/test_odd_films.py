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
