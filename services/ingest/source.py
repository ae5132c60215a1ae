"""A file or camera as a series of small sampled pictures, decoded by PyAV.

Only the sampled frames are converted, and straight to their transport size (swscale does both in one pass).
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from services.ingest.failures import source_failed
from services.ingest.opening import MAX_PIXELS, MAX_SIDE, open_container
from services.ingest.options import ReadOptions
from services.ingest.sampler import Sampler
from services.ingest.tally import Tally
from services.ingest.transport import transport_size
from shared.clock import now_ms
from shared.errors import SourceFailed
from shared.sources import Source

DEFAULT_RATE: Final = 25.0
MAX_RATE: Final = 500.0


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a source says of itself: codec, size in pixels before rotation, rate and, for a file, duration."""

    codec: str
    width: int
    height: int
    fps: float | None
    duration_seconds: float | None


@dataclass(frozen=True, slots=True)
class SampledFrame:
    """A frame on the sampling grid."""

    point: int
    """k: the frame stands for the time k / fps after the source's first frame"""
    media_seconds: float
    """the source's own time since its first frame, which never runs backwards"""
    decoded_at_ms: int
    """wall clock when it left the decoder"""
    image: NDArray[np.uint8]
    """[H, W, 3] BGR at transport size, upright"""


def _unheard() -> None:
    """Where nobody listens."""


@contextmanager
def open_video(source: Source, options: ReadOptions | None = None) -> Iterator["Video"]:
    """An allowed source (`shared.sources`), open as long as the block runs.

    Raises SourceFailed with the reason in plain words.
    """
    options = options or ReadOptions()
    with open_container(source, options) as container:
        video = Video(container, source, options)
        video.prepare()
        yield video


class Video:
    """An open source; `open_video` makes it."""

    def __init__(self, container: InputContainer, source: Source, options: ReadOptions) -> None:
        self._container = container
        self._source = source
        self._options = options
        self._stream = _video_stream(container)
        self._reformatter = VideoReformatter()
        self.tally = Tally()
        self.size = self._stream.width, self._stream.height
        """of the last picture, in pixels before rotation: a camera may change it at any time"""

    @property
    def info(self) -> VideoInfo:
        """What the source says of itself."""
        duration = self._container.duration if self._source.is_file else None
        seconds = duration / av.time_base if duration else None
        stream = self._stream
        return VideoInfo(stream.codec_context.name, *self.size, _rate(stream), seconds)

    def prepare(self) -> None:
        """Sets the decoder up before its first packet; raises SourceFailed where the picture is too large."""
        _check_size(self._stream.width, self._stream.height)
        decoder, num_threads = self._stream.codec_context, self._options.num_threads
        decoder.options = {"max_pixels": str(MAX_PIXELS)}
        decoder.thread_type = "AUTO" if num_threads > 1 else "NONE"
        decoder.thread_count = num_threads

    def frames(
        self, fps: float, stop: threading.Event, first_point: int = 0, heard: Callable[[], None] = _unheard
    ) -> Iterator[SampledFrame]:
        """The frames on the grid of `fps` from `first_point` on, until the end or until `stop` is set.

        A packet that does not decode is left out. `heard` is called after every decoded picture that is not sampled.
        Raises SourceFailed where reading fails or nothing decodes.
        """
        sampler = Sampler(fps, 1 / (_rate(self._stream) or DEFAULT_RATE))
        nothing = True
        for frame in self._decoded(stop):
            nothing = False
            point, decoded_at_ms = sampler.point(frame.time), now_ms()
            self.size = frame.width, frame.height
            if point is not None and point >= first_point:
                image = self._small(frame)
                self.tally.decoded += 1
                yield SampledFrame(point, sampler.seconds, decoded_at_ms, image)
            else:
                self.tally.decoded += 1
                self.tally.skipped += 1
                heard()
        if nothing and not stop.is_set():
            raise SourceFailed("no picture could be decoded")

    def _decoded(self, stop: threading.Event) -> Iterator[VideoFrame]:
        """Every picture in presentation order."""
        last_picture = time.monotonic()
        for packet in self._packets():
            if stop.is_set():
                return
            began = time.monotonic()
            try:
                frames = packet.decode()
            except (av.FFmpegError, ValueError):
                self.tally.refused += 1
                frames = []
            now = time.monotonic()
            self.tally.decode_seconds += now - began
            if frames:
                last_picture = now
            elif now - last_picture >= self._options.stall_seconds:
                raise SourceFailed(f"no picture could be decoded for {self._options.stall_seconds:g} s")
            for frame in frames:
                yield frame
                last_picture = time.monotonic()

    def _packets(self) -> Iterator["av.Packet[VideoStream]"]:
        packets = self._container.demux(self._stream)
        while True:
            began = time.monotonic()
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as err:
                timed_out = not self._source.is_file and time.monotonic() - began >= self._options.stall_seconds
                location = self._source.location
                raise source_failed(err, location, is_file=self._source.is_file, timed_out=timed_out) from err
            self.tally.read_seconds += time.monotonic() - began
            if packet is None:
                return
            yield packet

    def _small(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """The frame as [H, W, 3] BGR at transport size, turned upright."""
        began = time.monotonic()
        _check_size(frame.width, frame.height)
        width, height = transport_size(frame.width, frame.height, self._options.short_side)
        small = self._reformatter.reformat(
            frame, width=width, height=height, format="bgr24", interpolation=Interpolation.AREA, threads=1
        )
        image: NDArray[Any] = small.to_ndarray()
        self.tally.convert_seconds += time.monotonic() - began
        return np.rot90(image, round(frame.rotation / 90)) if frame.rotation else image


def _video_stream(container: InputContainer) -> VideoStream:
    for stream in container.streams.video:
        if not stream.codec_context:
            raise SourceFailed("its codec is not supported")
        if not stream.disposition & Disposition.attached_pic:
            return stream
    raise SourceFailed("holds no video stream")


def _check_size(width: int, height: int) -> None:
    if not (width and height):
        raise SourceFailed("its video stream states no picture size")
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= MAX_PIXELS):
        raise SourceFailed(
            f"picture of {width}x{height} pixels; allowed are 1 to {MAX_SIDE} a side and {MAX_PIXELS} in all"
        )


def _rate(stream: VideoStream) -> float | None:
    """Nominal frames per second, where the source states something believable."""
    for rate in (stream.guessed_rate, stream.average_rate):
        if rate and 0.01 <= rate <= MAX_RATE:
            return float(rate)
    return None
