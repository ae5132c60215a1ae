"""Pictures that the decoder marks, out of films whose bytes were changed."""

import threading
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
from damaged import FPS, NUM_PICTURES, flipped, harmed, joined_late, lost, noise_film
from films import VideoFile
from jpegs import part, pictures
from picture_cameras import frames_of, opened, stream
from web_server import Handler, web_server

from services.ingest.sources.decoding.tally import Tally
from services.ingest.sources.options import ReadOptions, Skip
from services.ingest.sources.video import SampledFrame, open_video
from shared.sources import Source


def read(path: Path, skip: Skip = "none", num_threads: int = 1, fps: float = FPS) -> tuple[list[SampledFrame], Tally]:
    with open_video(Source(str(path)), ReadOptions(skip=skip, num_threads=num_threads)) as video:
        return list(video.frames(fps, threading.Event())), video.tally


@pytest.mark.parametrize("num_threads", [1, 4])
@pytest.mark.parametrize(
    ("name", "codec", "harm"),
    [
        ("a.ts", "libx264", flipped),
        ("a.ts", "libx264", lost),
        ("a.264", "libx264", flipped),
        ("a.264", "libx264", lost),
        ("a.hevc", "libx265", lost),
        ("a.ts", "libx265", lost),
        ("a.mpg", "mpeg2video", flipped),
        ("a.avi", "mpeg4", flipped),
    ],
)
def test_damaged_pictures_come_and_are_marked(
    name: str, codec: str, harm: Callable[[bytearray], None], num_threads: int, tmp_path: Path
) -> None:
    path = noise_film(tmp_path / name, codec)
    frames, tally = read(path, num_threads=num_threads)
    assert (len(frames), [frame for frame in frames if frame.damaged], tally.damaged) == (NUM_PICTURES, [], 0)
    harmed(path, harm)
    frames, tally = read(path, num_threads=num_threads)
    damaged = [frame.point for frame in frames if frame.damaged]
    assert len(frames) > 0.9 * NUM_PICTURES
    assert len(damaged) == tally.damaged <= FPS
    assert tally.decoded == len(frames) + tally.skipped
    assert all(0 < point < 0.9 * NUM_PICTURES for point in damaged)
    if (
        num_threads == 1 or name != "a.264"
    ):  # FFmpeg's threads may give a picture before they know what is wrong with it
        assert damaged


@pytest.mark.parametrize(("name", "codec"), [("a.ts", "libx264"), ("a.ts", "libx265")])
def test_what_is_joined_late_begins_whole(name: str, codec: str, tmp_path: Path) -> None:
    frames, tally = read(harmed(noise_film(tmp_path / name, codec), joined_late))
    assert len(frames) == NUM_PICTURES - FPS
    assert tally.damaged == 0


@pytest.mark.parametrize("skip", ["auto", "keyframes"])
@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg2video"])
def test_what_is_left_out_on_purpose_is_no_damage(skip: Skip, codec: str, tmp_path: Path) -> None:
    frames, tally = read(noise_film(tmp_path / "a.ts", codec), skip, fps=5)
    assert len(frames) >= NUM_PICTURES // FPS
    assert tally.damaged == 0


def test_damage_that_is_not_sampled_counts_all_the_same(tmp_path: Path) -> None:
    frames, tally = read(harmed(noise_film(tmp_path / "a.ts", "libx264"), flipped), fps=1)
    assert len(frames) == 3
    assert tally.damaged > sum(frame.damaged for frame in frames)
    assert tally.decoded == NUM_PICTURES


def test_sound_footage_has_no_damage(reference_data: Path, video_file: VideoFile) -> None:
    for path in (reference_data / "video" / "vtest.avi", video_file("clip.mp4")):
        assert read(path, num_threads=4)[1].damaged == 0


CUT, MARKLESS = 2 / 3, 1.0
"""Which share of a picture comes; of one that is all there, the mark of its end may be missing."""


@pytest.mark.parametrize("manner", ["one by one", "in parts"])
def test_a_jpeg_that_is_cut_off_is_marked(manner: str) -> None:
    whole = pictures(6)
    sent = [whole[0], whole[1], cut_off(whole[2], CUT), whole[3], cut_off(whole[4], MARKLESS), whole[5]]
    left = iter(sent)

    def still(handler: Handler) -> None:
        handler.reply(200, next(left, whole[5]), Content_Type="image/jpeg")

    def in_parts(handler: Handler) -> None:
        handler.wfile.write(b"".join(map(part, sent)))

    with web_server() as web:
        web.answers["/cam"] = still if manner == "one by one" else stream(in_parts, "multipart/x-mixed-replace")
        with opened(web.url("/cam")) as video:
            damaged = [frame.damaged for frame in islice(frames_of(video), len(sent))]
            assert damaged == [False, False, True, False, False, False]
            assert video.tally.damaged == 1


def cut_off(picture: bytes, share: float) -> bytes:
    return picture[: round(share * len(picture)) - 2]
