"""A file or camera as a series of small sampled pictures, decoded by PyAV.

Only the sampled frames are converted, and straight to their transport size (swscale does both in one pass).
"""

import os
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
from services.ingest.sampler import Sampler
from services.ingest.transport import SHORT_SIDE, transport_size
from shared.clock import now_ms
from shared.errors import SourceFailed

MAX_SIDE: Final = 16_384
MAX_PIXELS: Final = 8192 * 4608
MAX_FILE_THREADS: Final = 4
DEFAULT_RATE: Final = 25.0
MAX_RATE: Final = 500.0
TIMEOUT_SECONDS: Final = 5.0
"""How long a camera may be silent while it is opened or read."""

FILE_FORMATS: Final = "avi,matroska,mov,mpeg,mpegts,mpegvideo,m4v,h264,hevc,flv,asf,ogg"
"""Demuxers that a file may need; not among them are playlists, whose entries could lie outside the media root."""

FILE_OPTIONS: Final = {"protocol_whitelist": "file", "format_whitelist": FILE_FORMATS, "max_pixels": str(MAX_PIXELS)}
RTSP_OPTIONS: Final = {
    "protocol_whitelist": "rtsp,rtsps,tcp,tls,rtp,srtp,udp,crypto",
    "format_whitelist": "rtsp,rtp,sdp,mpegts",
    "rtsp_transport": "tcp",
    "allowed_media_types": "video",
    "fpsprobesize": "0",
    "max_pixels": str(MAX_PIXELS),
}
"""Without measuring the rate at first (`fpsprobesize`): what is read for that comes as one late burst."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a source says of itself: its size in pixels before rotation, rate and, for a file, duration."""

    width: int
    height: int
    fps: float | None
    duration_seconds: float | None


@dataclass(frozen=True, slots=True)
class SampledFrame:
    """A frame on the sampling grid."""

    point: int
    """k: the frame stands for the time k / fps after the source's first frame"""
    decoded_at_ms: int
    """wall clock when it left the decoder"""
    image: NDArray[np.uint8]
    """[H, W, 3] BGR at transport size, upright"""
    num_undecodable: int
    """packets that the decoder refused since the sampled frame before"""


def _unobserved(_stage: str, _seconds: float) -> None:
    """Where nobody measures."""


@contextmanager
def open_video(
    location: str,
    *,
    is_file: bool,
    fast: bool = False,
    short_side: int = SHORT_SIDE,
    observe: Callable[[str, float], None] = _unobserved,
) -> Iterator["Video"]:
    """A file or RTSP camera, open as long as the block runs; raises SourceFailed with the reason in plain words.

    `location` is an absolute path or a URL, checked before (`shared.sources`). A file read `fast` decodes on several
    threads, everything else on one. `observe(stage, seconds)` hears how long each `read` and `decode` took.
    """
    began = time.monotonic()
    try:
        container = av.open(
            location,
            options=FILE_OPTIONS if is_file else RTSP_OPTIONS,
            timeout=None if is_file else TIMEOUT_SECONDS,
            metadata_errors="replace",
        )
    except (av.FFmpegError, ValueError, OSError) as err:
        raise source_failed(err, location, is_file=is_file, timed_out=_timed_out(began, is_file=is_file)) from err
    with container:
        video = Video(container, location, is_file=is_file, short_side=short_side, observe=observe)
        video.prepare(min(MAX_FILE_THREADS, os.cpu_count() or 1) if is_file and fast else 1)
        yield video


class Video:
    """An open source; `open_video` makes it."""

    def __init__(
        self,
        container: InputContainer,
        location: str,
        *,
        is_file: bool,
        short_side: int,
        observe: Callable[[str, float], None],
    ) -> None:
        self._container = container
        self._location = location
        self._is_file = is_file
        self._short_side = short_side
        self._observe = observe
        self._stream = _video_stream(container)
        self._reformatter = VideoReformatter()
        self._num_undecodable = 0

    @property
    def info(self) -> VideoInfo:
        """What the source says of itself."""
        duration = self._container.duration if self._is_file else None
        seconds = duration / av.time_base if duration else None
        return VideoInfo(self._stream.width, self._stream.height, _rate(self._stream), seconds)

    def prepare(self, num_threads: int) -> None:
        """Sets the decoder up before its first packet; raises SourceFailed where the picture is too large."""
        _check_size(self._stream.width, self._stream.height)
        decoder = self._stream.codec_context
        decoder.options = {"max_pixels": str(MAX_PIXELS)}
        decoder.thread_type = "AUTO" if num_threads > 1 else "NONE"
        decoder.thread_count = num_threads

    def frames(self, fps: float, stop: threading.Event, first_point: int = 0) -> Iterator[SampledFrame]:
        """The frames on the grid of `fps` from `first_point` on, until the end or until `stop` is set.

        A packet that does not decode is left out. Raises SourceFailed where reading fails or nothing decodes.
        """
        sampler = Sampler(fps, 1 / (_rate(self._stream) or DEFAULT_RATE))
        nothing = True
        for frame in self._decoded():
            nothing = False
            if stop.is_set():
                return
            point = sampler.point(frame.time)
            if point is not None and point >= first_point:
                num_undecodable, self._num_undecodable = self._num_undecodable, 0
                yield SampledFrame(point, now_ms(), self._small(frame), num_undecodable)
        if nothing and not stop.is_set():
            raise SourceFailed(f"no picture could be decoded ({self._num_undecodable} packets refused)")

    def _decoded(self) -> Iterator[VideoFrame]:
        """Every picture in presentation order."""
        packets = self._container.demux(self._stream)
        while True:
            began = time.monotonic()
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as err:
                timed_out = _timed_out(began, is_file=self._is_file)
                raise source_failed(err, self._location, is_file=self._is_file, timed_out=timed_out) from err
            if packet is None:
                return
            read = time.monotonic()
            self._observe("read", read - began)
            try:
                frames = packet.decode()
            except (av.FFmpegError, ValueError):
                self._num_undecodable += 1
                continue
            self._observe("decode", time.monotonic() - read)
            yield from frames

    def _small(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """The frame as [H, W, 3] BGR at transport size, turned upright."""
        _check_size(frame.width, frame.height)
        width, height = transport_size(frame.width, frame.height, self._short_side)
        small = self._reformatter.reformat(
            frame, width=width, height=height, format="bgr24", interpolation=Interpolation.AREA, threads=1
        )
        image: NDArray[Any] = small.to_ndarray()
        return np.rot90(image, round(frame.rotation / 90)) if frame.rotation else image


def _timed_out(began: float, *, is_file: bool) -> bool:
    """Whether a camera was given up on: an interrupted read looks like any other failure, so the time decides."""
    return not is_file and time.monotonic() - began >= TIMEOUT_SECONDS


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
