"""Films whose bytes were changed, as bad disks, cables and networks do."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream

FPS = 25
NUM_PICTURES = 75
NUM_FLIPPED = 60
PACKET_BYTES = 188
"""of a transport stream"""


def noise_film(path: Path, codec: str) -> Path:
    """Three seconds of drifting noise, a keyframe each second: there is something in every packet."""
    noise = np.random.default_rng(1).integers(0, 255, (120 + NUM_PICTURES, 160 + NUM_PICTURES, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS, options={"x265-params": "log-level=none"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 160, 120, "yuv420p", FPS
        for index in range(NUM_PICTURES):
            picture = np.ascontiguousarray(noise[index : index + 120, index : index + 160])
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def flipped(content: bytearray) -> None:
    """Bytes that are wrong, here and there in the middle: on a bad disk, in a bad cable."""
    first, end = len(content) * 2 // 5, len(content) * 3 // 5
    for at in range(first, end, (end - first) // NUM_FLIPPED):
        content[at] ^= 0xFF


def lost(content: bytearray) -> None:
    """Packets that never came, in the middle of a second."""
    first = len(content) // 2 // PACKET_BYTES * PACKET_BYTES
    del content[first : first + 8 * PACKET_BYTES]


def joined_late(content: bytearray) -> None:
    """A stream that is joined just after a keyframe."""
    del content[: len(content) // 10 // PACKET_BYTES * PACKET_BYTES]


def harmed(path: Path, harm: Callable[[bytearray], None]) -> Path:
    """The file, changed."""
    content = bytearray(path.read_bytes())
    harm(content)
    path.write_bytes(content)
    return path
