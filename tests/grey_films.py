"""Renders short films that are all grey, a shade for each half second, in pieces as HLS has them."""

import io
import re
from fractions import Fraction

import av
import numpy as np
from av.video.stream import VideoStream

FPS, NUM_FRAMES, STEP = 10, 5, 10
"""Pictures a second, pictures of a shade, and by how much brighter the next shade is."""
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


def film(*shades: int, kind: str = "mpegts", codec: str = "libx264", size: tuple[int, int] = (64, 48)) -> bytes:
    """Half a second of grey for each shade, which begin with a keyframe; the time of a shade is that of its number."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=kind, options=FRAGMENTS if kind == "mp4" else {}) as container:
        stream = container.add_stream(codec, rate=FPS)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = *size, "yuv420p", NUM_FRAMES
        stream.options = {"x264-params": "bframes=0:scenecut=0", "x265-params": "bframes=0:scenecut=0:log-level=none"}
        for shade in shades:
            for index in range(NUM_FRAMES):
                picture = np.full((size[1], size[0], 3), shade * STEP, np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
                frame.pts, frame.time_base = shade * NUM_FRAMES + index, Fraction(1, FPS)
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def fragments(*shades: int, size: tuple[int, int] = (64, 48)) -> tuple[bytes, list[bytes]]:
    """What comes before fragments of MP4, and one for each shade."""
    content = film(*shades, kind="mp4", size=size)
    places = [found.start() - 4 for found in re.finditer(b"moof", content)]
    ends = [*places[1:], content.index(b"mfra") - 4]
    return content[: places[0]], [content[start:end] for start, end in zip(places, ends, strict=True)]
