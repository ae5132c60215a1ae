"""The film that the cameras play."""

import math
from pathlib import Path

import av
from films import render

ONCE_SECONDS = 20.0
FPS, SIZE = 15, (160, 120)


def long_film(folder: Path, source: Path | None, seconds: float) -> Path:
    """A film of at least so many seconds: an H.264 file's pictures, or rendered ones, again and again."""
    if source is None:
        source = folder / "once.mp4"
        render(source, seconds=ONCE_SECONDS, fps=FPS, size=SIZE, rotation=0)
    path = folder / "film.mp4"
    with av.open(str(path), "w") as repeated:
        with av.open(str(source)) as once:
            video = once.streams.video[0]
            stream = repeated.add_stream_from_template(video)
            assert video.duration
            assert video.time_base
            duration, num_rounds = video.duration, math.ceil(seconds / (video.duration * video.time_base))
        for number in range(num_rounds):
            with av.open(str(source)) as once:
                for packet in once.demux(video=0):
                    if packet.pts is None or packet.dts is None:
                        continue
                    shift = number * duration
                    packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                    repeated.mux(packet)
    return path
