"""Writes films as strange as cameras and recorders do: several tracks, long pauses, oblong pixels."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream


@dataclass(frozen=True)
class Film:
    """One track: moving texture at the given times in ms; none at all is a track without packets."""

    times: Sequence[int]
    codec: str = "libx264"
    size: tuple[int, int] = (64, 48)
    options: dict[str, str] = field(default_factory=dict)
    aspect: Fraction | None = None
    rate: int = 10
    number: int | None = None
    """its packet id in a transport stream"""


def every(milliseconds: int, num_frames: int, start: int = 0) -> list[int]:
    """Times in ms, evenly apart."""
    return [start + milliseconds * index for index in range(num_frames)]


def write(path: Path, *films: Film) -> Path:
    """A file of the container that its suffix says, with the films as its tracks, in this order."""
    texture = np.random.default_rng(0).integers(0, 255, (1024, 2048), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        streams = [_stream(container, film) for film in films]
        container.start_encoding()
        due = sorted((time, number) for number, film in enumerate(films) for time in film.times)
        for count, (milliseconds, number) in enumerate(due):
            width, height = films[number].size
            shift = count % 512
            grey = texture[: height * 3 // 2, shift : shift + width]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(grey), format="yuv420p")
            frame = frame.reformat(format=streams[number].pix_fmt)
            frame.pts, frame.time_base = milliseconds, Fraction(1, 1000)
            container.mux(streams[number].encode(frame))
        for number, film in enumerate(films):
            if film.times:
                container.mux(streams[number].encode(None))
    return path


def _stream(container: av.container.OutputContainer, film: Film) -> VideoStream:
    stream = container.add_stream(film.codec, rate=film.rate, options=film.options)
    assert isinstance(stream, VideoStream)
    stream.width, stream.height = film.size
    stream.pix_fmt = "yuvj420p" if film.codec == "mjpeg" else "yuv420p"
    stream.codec_context.time_base = Fraction(1, film.rate if film.codec == "mpeg2video" else 1000)
    if film.aspect is not None:
        stream.codec_context.sample_aspect_ratio = film.aspect
    if film.number is not None:
        stream.id = film.number
    return stream


def joined(folder: Path, *films: Film) -> Path:
    """A transport stream in which one film follows the other, on the same programme id and one clock."""
    parts, start = [], 0
    for number, film in enumerate(films):
        part = write(folder / f"part{number}.ts", replace(film, times=[start + time for time in film.times]))
        start += film.times[-1] + film.times[1] - film.times[0]
        parts.append(part.read_bytes())
    path = folder / "joined.ts"
    path.write_bytes(b"".join(parts))
    return path
