"""The way through a camera's video codec, whose traces (pulses, skipped blocks) a model must live with."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import av
import numpy as np
from numpy.random import Generator

from training.backgrounds import Picture

TICKS = 60_000
"""A second in the codec's clock; mpeg4 allows no finer one than 65535."""


@dataclass(frozen=True, slots=True)
class Codec:
    """An encoder's settings."""

    encoder: Literal["libx264", "mpeg4"] = "libx264"
    crf: int = 23
    """Constant rate factor of libx264; for mpeg4 the quantiser is a third of it."""
    key_every: int = 40
    """Frames from one key frame to the next."""

    @property
    def options(self) -> dict[str, str]:
        """FFmpeg's options for the encoder."""
        if self.encoder == "libx264":
            return {"preset": "veryfast", "tune": "zerolatency", "crf": str(self.crf), "threads": "1"}
        return {"qmin": str(self.crf // 3), "qmax": str(self.crf // 3), "threads": "1"}


def random_codec(rng: Generator, max_crf: int) -> Codec | None:
    """The codec of a random camera; None for one whose frames come as they are."""
    if rng.random() < 0.25:
        return None
    encoder: Literal["libx264", "mpeg4"] = "libx264" if rng.random() < 0.75 else "mpeg4"
    return Codec(encoder, int(rng.integers(17, max_crf + 1)), int(rng.integers(8, 80)))


def through_codec(pictures: Iterable[Picture], codec: Codec, fps: float, size: tuple[int, int]) -> Iterator[Picture]:
    """Each picture (of size (width, height), even; BGR uint8) as it looks after encoding and decoding."""
    encoder = av.CodecContext.create(codec.encoder, "w")
    decoder = av.CodecContext.create("h264" if codec.encoder == "libx264" else codec.encoder, "r")
    encoder.pix_fmt, encoder.time_base, encoder.framerate = "yuv420p", Fraction(1, TICKS), Fraction(fps)
    encoder.options, encoder.gop_size, encoder.max_b_frames = codec.options, codec.key_every, 0
    encoder.width, encoder.height = size
    decoder.thread_count = 1
    for index, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
        frame.pts, frame.time_base = round(index * TICKS / fps), Fraction(1, TICKS)
        for packet in encoder.encode(frame):
            for decoded in decoder.decode(packet):
                yield np.asarray(decoded.to_ndarray(format="bgr24"), np.uint8)
    for packet in encoder.encode(None):
        for decoded in decoder.decode(packet):
            yield np.asarray(decoded.to_ndarray(format="bgr24"), np.uint8)
    for decoded in decoder.decode(None):
        yield np.asarray(decoded.to_ndarray(format="bgr24"), np.uint8)
