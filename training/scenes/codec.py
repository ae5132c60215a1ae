"""The way through a camera's video codec, whose traces (pulses, skipped blocks) a model must live with."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal, cast

import av
import cv2
import numpy as np
from av.video.frame import PictureType
from av.video.stream import VideoStream
from numpy.random import Generator

from services.ingest.sources.decoding.damage import DamageMarks
from training.scenes.backgrounds import Picture
from training.scenes.incidents import Incident
from training.scenes.seeds import log_uniform

TICKS = 60_000
"""A second in the codec's clock; mpeg4 allows no finer one than 65535."""
HEADER_BYTES = 24
"""At a packet's start, where damage would make the decoder refuse all of it."""


Encoder = Literal["libx264", "libx265", "mpeg4", "mpeg2video", "mjpeg"]
ENCODERS: Final[tuple[Encoder, ...]] = ("libx264", "libx265", "mpeg4", "mpeg2video", "mjpeg")
ENCODER_SHARES: Final = (0.55, 0.08, 0.17, 0.1, 0.1)
DECODERS: Final[dict[Encoder, Literal["h264", "hevc", "mpeg4", "mpeg2video", "mjpeg"]]] = {
    "libx264": "h264",
    "libx265": "hevc",
    "mpeg4": "mpeg4",
    "mpeg2video": "mpeg2video",
    "mjpeg": "mjpeg",
}
PIXELS: Final = ("yuv420p", "yuvj420p")
SLICED, MOST_SLICES = 0.5, 18
"""So often a camera cuts its pictures into slices, as those do that encode with several cores."""
MPEG2_FPS: Final = 25
"""It knows a few rates alone; times play no part in what a picture looks like."""


@dataclass(frozen=True, slots=True)
class Codec:
    """An encoder's settings."""

    encoder: Encoder = "libx264"
    crf: int = 23
    """Constant rate factor of libx264 and libx265; for the others the quantiser is a third of it."""
    key_every: int = 40
    """Frames from one key frame to the next."""
    slices: int = 1
    """Of a picture, where it is libx264's: what damage reaches ends with its slice. MPEG-2 has one a row anyway."""

    @property
    def options(self) -> dict[str, str]:
        """FFmpeg's options for the encoder."""
        if self.encoder == "libx264":
            return {
                "preset": "veryfast",
                "tune": "zerolatency",
                "crf": str(self.crf),
                "threads": "1",
                "forced-idr": "1",
                "slices": str(self.slices),
            }
        if self.encoder == "libx265":
            params = f"crf={self.crf}:pools=none:frame-threads=1:log-level=none:bframes=0:rc-lookahead=0"
            return {"preset": "ultrafast", "tune": "zerolatency", "forced-idr": "1", "x265-params": params}
        at_once = {"flags": "+low_delay"} if self.encoder == "mpeg2video" else {}
        return {"qmin": str(self.crf // 3), "qmax": str(self.crf // 3), "threads": "1"} | at_once


@dataclass(frozen=True, slots=True)
class Damage:
    """A bad line: during an incident, packets of the encoded video lose bytes or do not arrive."""

    incident: Incident
    rng: Generator
    lost: float
    """The share of packets that do not arrive."""
    flipped: float
    """The share of packets with wrong bytes."""
    num_bytes: int
    key_every: int
    """Damaged key frames show most: this often there is one, in frames."""
    concealed: bool
    """Whether a recorder's decoder hides what it lost as well as it can; ingest's does."""

    @classmethod
    def draw(cls, incident: Incident, rng: Generator) -> "Damage":
        """A random line for an incident."""
        return cls(
            incident,
            rng,
            rng.uniform(0, 0.3) if rng.random() < 0.7 else 0.0,
            log_uniform(rng, 0.1, 1.0),
            round(log_uniform(rng, 2, 60)),
            round(log_uniform(rng, 2, 60)),
            bool(rng.random() < 0.5),
        )

    def frames(self, fps: float) -> tuple[int, int]:
        """The first frame that is damaged, and the first that no longer is."""
        return math.ceil(self.incident.start_seconds * fps), math.ceil(self.incident.end_seconds * fps)

    def applied(self, data: bytes, *, first: bool) -> bytes | None:
        """What arrives of a packet, None for nothing."""
        if self.rng.random() < self.lost and not first:
            return None
        if len(data) <= 2 * HEADER_BYTES or (self.rng.random() >= self.flipped and not first):
            return data
        damaged = bytearray(data)
        for _ in range(self.num_bytes):
            damaged[int(self.rng.integers(HEADER_BYTES, len(data)))] = int(self.rng.integers(0, 256))
        if self.rng.random() < 0.2:
            del damaged[int(self.rng.integers(HEADER_BYTES, len(data))) :]
        return bytes(damaged)


def random_codec(rng: Generator, max_crf: int) -> Codec | None:
    """The codec of a random camera; None for one whose frames come as they are."""
    if rng.random() < 0.25:
        return None
    encoder = ENCODERS[int(rng.choice(len(ENCODERS), p=ENCODER_SHARES))]
    crf, key_every = int(rng.integers(17, max_crf + 1)), int(rng.integers(8, 80))
    return Codec(encoder, crf, key_every, round(log_uniform(rng, 2, MOST_SLICES)) if rng.random() < SLICED else 1)


def through_codec(
    pictures: Iterable[Picture],
    codec: Codec,
    fps: float,
    size: tuple[int, int],
    damage: Damage | None = None,
    marks: list[bool] | None = None,
) -> Iterator[Picture]:
    """Each picture (of size (width, height), even; BGR uint8) as it looks after encoding and decoding.

    Where damage leaves nothing to decode the picture before stands, and its mark. A key frame opens the damage and
    another ends it. Where it is ingest that decodes, `marks` gets whether it marks each picture as damaged.
    """
    coder = _Coder(codec, fps, size, concealed=damage is None or damage.concealed or marks is not None)
    first, last = (-1, -1) if damage is None else damage.frames(fps)
    shown: Picture | None = None
    mark = False
    for index, picture in enumerate(pictures):
        damaged = damage is not None and first <= index < last
        key = index == last or (damage is not None and damaged and (index - first) % damage.key_every == 0)
        data: bytes | None = coder.encoded(picture, index, key=key)
        if damage is not None and data is not None and damaged:
            data = damage.applied(data, first=index == first)
        decoded = coder.decoded(data, index) if data is not None else None
        if decoded is not None:
            shown, mark = decoded
        elif shown is None:
            shown = picture
        if marks is not None:
            marks.append(mark)
        yield shown


class _Coder:
    """An encoder and its decoder, neither of which keeps a frame back."""

    def __init__(self, codec: Codec, fps: float, size: tuple[int, int], *, concealed: bool) -> None:
        self._fps = MPEG2_FPS if codec.encoder == "mpeg2video" else fps
        self._ticks = MPEG2_FPS if codec.encoder == "mpeg2video" else TICKS
        self._pixels = "yuvj420p" if codec.encoder == "mjpeg" else "yuv420p"
        self._encoder = av.CodecContext.create(codec.encoder, "w")
        self._encoder.pix_fmt, self._encoder.framerate = self._pixels, Fraction(self._fps)
        self._encoder.time_base = Fraction(1, self._ticks)
        self._encoder.options, self._encoder.gop_size, self._encoder.max_b_frames = codec.options, codec.key_every, 0
        self._encoder.width, self._encoder.height = size
        self._size = size
        self._decoder = av.CodecContext.create(DECODERS[codec.encoder], "r")
        self._decoder.thread_count = 1
        concealment = "guess_mvs+deblock" if concealed else "0"
        self._decoder.options = {"flags": "+low_delay+output_corrupt", "flags2": "+showall", "ec": concealment}
        self._damage = DamageMarks(self._decoder)
        self._damage.prepare()

    def encoded(self, picture: Picture, index: int, *, key: bool) -> bytes:
        planes = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), np.uint8)
        frame = av.VideoFrame.from_ndarray(planes, format=self._pixels)
        frame.pts, frame.time_base = round(index * self._ticks / self._fps), Fraction(1, self._ticks)
        if key:
            frame.pict_type = PictureType.I
        return b"".join(bytes(packet) for packet in self._encoder.encode(frame))

    def decoded(self, data: bytes, index: int) -> tuple[Picture, bool] | None:
        """The picture and whether it is marked as damaged; None for none."""
        # it has the zeros behind it that decoders read on into, which wrapped bytes lack
        packet = cast("av.Packet[VideoStream]", av.Packet(len(data)))
        packet.update(data)
        packet.pts = index
        self._damage.decodes(packet)
        try:
            frames = self._decoder.decode(packet)
        except av.FFmpegError:
            return None
        if not frames or (frames[-1].width, frames[-1].height) != self._size or frames[-1].format.name not in PIXELS:
            return None
        picture = np.asarray(cv2.cvtColor(frames[-1].to_ndarray(), cv2.COLOR_YUV2BGR_I420), np.uint8)
        return picture, self._damage.is_damaged(frames[-1])
