"""Renders small test videos."""

import os
import time
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import numpy as np
from av.video.stream import VideoStream

CODECS = {".avi": "mpeg4", ".webm": "libvpx"}


class VideoFile(Protocol):
    """Renders a test video of the name into the test's own folder."""

    def __call__(
        self, name: str, *, seconds: float = 2.0, fps: int = 10, size: tuple[int, int] = (64, 48), rotation: int = 0
    ) -> Path: ...


def render(path: Path, *, seconds: float, fps: int, size: tuple[int, int], rotation: int) -> None:
    """A white square that crosses a grey picture, in the container that the path's suffix says."""
    width, height = size
    num_frames = round(seconds * fps)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(CODECS.get(path.suffix, "libx264"), rate=fps)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if rotation:
            stream.set_display_rotation(rotation)
        for index in range(num_frames):
            picture = np.full((height, width, 3), 60, np.uint8)
            left = index * (width - width // 4) // num_frames
            picture[: height // 4, left : left + width // 4] = 255
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    written_at = time.time() - 60
    os.utime(path, (written_at, written_at))  # ingest waits a little whether more comes


def index_first(path: Path) -> bytes:
    """An MP4 file rewritten with its index before its pictures."""
    rewritten = path.with_name("first.mp4")
    with av.open(str(path)) as source, av.open(str(rewritten), "w", options={"movflags": "faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return rewritten.read_bytes()
