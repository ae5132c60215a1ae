"""Pictures of the frame queue as a film that browsers play, each at its time of capture."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorRange, VideoReformatter

MILLISECONDS: Final = Fraction(1, 1000)
CODEC: Final = "libx264"
ENCODING: Final = {"preset": "veryfast", "crf": "23", "bf": "0", "profile": "high"}
CONTAINER: Final = {"movflags": "+faststart", "video_track_timescale": "1000"}
"""The index first, so that a browser plays before all has arrived; times as they are, in ms."""
KEYFRAME_EVERY: Final = 32


@dataclass(slots=True)
class EncodedClip:
    """What a clip came to hold."""

    captured_at_ms: list[int] = field(default_factory=list)
    """of each of its frames, in order: frame i is shown that much after the first"""
    width: int = 0
    height: int = 0
    num_undecodable: int = 0


def encode_clip(path: Path, pictures: Iterable[tuple[int, bytes]], fps: float) -> EncodedClip:
    """Writes (time of capture in ms, JPEG) pairs, times rising, as H.264 in MP4; nothing where no picture decodes.

    Frame i's presentation time is its capture time minus the first's, to the millisecond. All have the first one's
    size, at even sides. `fps` is only a hint to the encoder. One thread; memory for a few pictures. Raises OSError.
    """
    film = EncodedClip()
    writer: _Writer | None = None
    try:
        try:
            for at_ms, jpeg in pictures:
                picture = decoded(jpeg)
                if picture is None:
                    film.num_undecodable += 1
                    continue
                if writer is None:
                    writer = _Writer(path, picture, fps)
                    film.width, film.height = writer.size
                film.captured_at_ms.append(at_ms)
                writer.add(picture, at_ms - film.captured_at_ms[0])
        finally:
            if writer is not None:
                writer.close()
    except av.FFmpegError as err:
        raise OSError(err.errno, err.strerror, path.name) from err
    return film


def decoded(jpeg: bytes) -> VideoFrame | None:
    """The picture, or None where it does not decode."""
    decoder = av.CodecContext.create("mjpeg", "r")
    try:
        frames = decoder.decode(av.Packet(jpeg))
    except (av.FFmpegError, ValueError):
        return None
    return frames[0] if frames and frames[0].width > 1 and frames[0].height > 1 else None


class _Writer:
    def __init__(self, path: Path, first: VideoFrame, fps: float) -> None:
        self.size = first.width // 2 * 2, first.height // 2 * 2
        self._container = av.open(str(path), "w", format="mp4", options=dict(CONTAINER))
        rate = Fraction(fps).limit_denominator(1000)
        self._stream = self._container.add_stream(CODEC, rate=rate, options=dict(ENCODING))
        self._stream.width, self._stream.height = self.size
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        context.time_base, context.gop_size = MILLISECONDS, KEYFRAME_EVERY
        context.thread_count = 1
        self._usual_ms = max(1, round(1000 / fps))
        self._reformatter = VideoReformatter()

    def add(self, picture: VideoFrame, at_ms: int) -> None:
        width, height = self.size
        frame = self._reformatter.reformat(
            picture,
            width=width,
            height=height,
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )
        frame.pts, frame.time_base = at_ms, MILLISECONDS
        frame.pict_type = PictureType.NONE  # a JPEG's would make each a keyframe
        self._mux(frame)

    def close(self) -> None:
        try:
            self._mux(None)
        finally:
            self._container.close()

    def _mux(self, frame: VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            packet.duration = self._usual_ms
            self._container.mux(packet)
