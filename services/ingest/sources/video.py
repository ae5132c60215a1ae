"""A file or camera as a series of small sampled pictures, decoded by PyAV.

Only the sampled frames are converted, and straight to their transport size (swscale does both in one pass).
"""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from services.ingest.sources.decoding.decoder import Decoder
from services.ingest.sources.decoding.hardware import SOFTWARE
from services.ingest.sources.decoding.pictures import Shrinker, check_size
from services.ingest.sources.decoding.sampler import Sampler
from services.ingest.sources.decoding.tally import Tally
from services.ingest.sources.decoding.thinning import STAMPED_AS_DECODED, Thinning, thins_exactly
from services.ingest.sources.decoding.timeline import (
    MAX_GAP_SECONDS,
    MAX_UNPROVEN_GAP_SECONDS,
    Reordering,
)
from services.ingest.sources.failures import check_packets, shortfall
from services.ingest.sources.figures import Measurer
from services.ingest.sources.mjpeg.picture_file import says_nothing_new
from services.ingest.sources.network.links import unheard
from services.ingest.sources.opening import OpenFootage, Played, open_footage
from services.ingest.sources.options import ReadOptions
from services.ingest.sources.packets import Packets, nominal_rate, without_strays
from services.ingest.sources.timing.anchor import Pace
from services.ingest.sources.timing.patience import Patience
from services.ingest.sources.timing.stamps import Stamps
from shared.clock import steady_ms
from shared.entries import Figures
from shared.errors import SourceFailed
from shared.sources import Source

DEFAULT_RATE: Final = 25.0
NUM_MEASURED: Final = 20
"""So many first pictures tell the rate of a live source that does not."""
NEAR_POINT: Final = 0.01
"""Of a step: by so much a time of the grid may be rounded down where it is noted."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a source says of itself: codec, size in pixels before rotation, rate and, for a file, duration.

    The size is that of the coded picture: one whose pixels are not square is shown wider or higher.
    `decoder` is what decodes it: software, or the kind of hardware.
    """

    codec: str
    width: int
    height: int
    fps: float | None
    duration_seconds: float | None
    decoder: str = SOFTWARE
    is_recording: bool = False
    """whether a source that is no file ends as one does"""


@dataclass(frozen=True, slots=True)
class SampledFrame:
    """A frame on the sampling grid."""

    point: int
    """k: the frame stands for the time k / fps after the source's first frame"""
    media_seconds: float
    """the source's own time since its first frame, which never runs backwards"""
    arrived_at_ms: int
    """when its packet came, or it left the decoder where that is not known, on the steady clock"""
    decoded_at_ms: int
    """when it left the decoder, on the steady clock (`shared.clock.steady_ms`)"""
    image: NDArray[np.uint8]
    """[H, W, 3] BGR at transport size, upright"""
    damaged: bool = False
    """as `DamageMarks` says"""
    figures: Figures | None = None
    """what `Measurer` found"""


@contextmanager
def open_video(
    source: Source,
    options: ReadOptions | None = None,
    after: str | None = None,
    heard: Callable[[], object] = unheard,
) -> Iterator["Video"]:
    """An allowed source (`shared.sources`), open as long as the block runs, `after` a mark that it gave before.

    `heard` is called whenever something comes of one whose opening takes long. Raises SourceFailed with the reason in
    plain words.
    """
    options = options or ReadOptions()
    with open_footage(source, options, after, heard) as footage:
        video = Video(footage, source, options)
        video.open()
        yield video


class Video:
    """An open source; `open_video` makes it."""

    def __init__(self, footage: OpenFootage, source: Source, options: ReadOptions) -> None:
        self._footage = footage
        self._container = container = footage.container
        self._source = source
        self._options = options
        self._shrinker = Shrinker(options.short_side)
        self._measurer = Measurer() if options.measures else None
        self._pace = None if footage.comes_as_filmed else Pace()
        self._is_live = footage.comes_as_filmed and not source.is_file
        is_stamped_so = container.format.name in STAMPED_AS_DECODED and options.skip != "keyframes"
        self._reordering = Reordering() if is_stamped_so else None
        self._stamps = Stamps(footage.arrival_of, is_live=self._is_live)
        self._is_catching_up = False
        self.remark: str | None = None
        """what is odd about its end, where that is no failure"""
        self.tally = Tally()
        self._num_seen = 0
        self._measured_rate: float | None = None
        self._packets = Packets(container, source, options, self.tally)

    def open(self) -> None:
        """Chooses a track and sets its decoder up; raises SourceFailed where none can be read."""
        self._stream = self._packets.open()
        self._stamps.begin(self._stream)
        self.size = self._stream.width, self._stream.height
        """of the last picture, in pixels before rotation: a camera may change it at any time; 0 before any told it"""
        if any(self.size):
            check_size(*self.size)
        self._decoder = Decoder(self._stream, self._options, self.tally)
        self._patience = Patience(self._options.stall_seconds, time.monotonic())

    @property
    def info(self) -> VideoInfo:
        """What the source says of itself."""
        is_recording = self._footage.is_recording
        has_duration = self._source.is_file or (is_recording and not self._footage.follower)
        duration = self._container.duration if has_duration else None
        seconds = duration / av.time_base if duration else None
        return VideoInfo(self.codec, *self.size, self.rate, seconds, self.decoder, is_recording)

    @property
    def codec(self) -> str:
        """The codec of the last packet, as FFmpeg names it: it may change, too."""
        return self._decoder.codec

    @property
    def rate(self) -> float | None:
        """Frames per second as the source states them, or as its first ones came, where a live one does not."""
        return nominal_rate(self._stream) or self._measured_rate

    @property
    def _frame_seconds(self) -> float:
        """The time of a picture."""
        return 1 / (self.rate or DEFAULT_RATE)

    @property
    def mark(self) -> str | None:
        """How far the source was read, for whoever opens it next; None where that does not matter."""
        return self._footage.mark

    @property
    def decoder(self) -> str:
        """What decodes: software, or the kind of hardware."""
        return self._decoder.name

    @property
    def waiting_for(self) -> str | None:
        """Why packets come and no pictures, where it has been so for longer than usual."""
        return self._patience.waiting_for(time.monotonic())

    def frames(
        self, fps: float, stop: threading.Event, first_point: int = 0, heard: Callable[[], object] = unheard
    ) -> Iterator[SampledFrame]:
        """The frames on the grid of `fps` from `first_point` on, until the end or until `stop` is set.

        A packet that does not decode is left out. `heard` is called after every decoded picture that is not sampled,
        and after every packet that brings out none. Raises SourceFailed where reading fails, or nothing or too little
        decodes, but not while packets come and no keyframe does: `waiting_for` says so.
        """
        is_proven = self._pace is None  # when a packet came tells how much time has passed
        sampler = Sampler(fps, self._frame_seconds, MAX_GAP_SECONDS if is_proven else MAX_UNPROVEN_GAP_SECONDS)
        played = self._footage.played
        if played and played.seconds is not None:
            first_point = max(first_point, math.floor(played.seconds * fps + NEAR_POINT) + 1)
            self._is_catching_up = True
        nothing, began = True, time.monotonic()
        is_thinned = self._options.skip == "auto" and thins_exactly(self._decoder.codec, self._container.format.name)
        for frame in self._decoded(stop, Thinning(sampler) if is_thinned else None, heard):
            nothing = False
            point = None if self._packets.was_shown(frame.time) else sampler.point(frame.time)
            decoded_at_ms = steady_ms()
            arrived_at_ms = self._stamps.arrived_at_ms(frame.pts) or decoded_at_ms
            if self._is_catching_up and Played.is_live(sampler.seconds, time.monotonic() - began):
                first_point, self._is_catching_up = 0, False
            self.size = frame.width, frame.height
            self._num_seen += 1
            if self._is_live and self._num_seen == NUM_MEASURED and self.rate is None and sampler.seconds > 0:
                self._measured_rate = round((NUM_MEASURED - 1) / sampler.seconds, 2)
                sampler.take_rate(self._frame_seconds)
            self.tally.damaged += (is_damaged := self._decoder.is_damaged(frame))
            if point is not None and point >= first_point:
                image, figures = self._looked_at(frame)
                self.tally.decoded += 1
                self._is_catching_up = False
                if played:
                    played.seconds = point / fps
                yield SampledFrame(point, sampler.seconds, arrived_at_ms, decoded_at_ms, image, is_damaged, figures)
            else:
                if point is not None and self._measurer:
                    self._measurer.pass_over(frame)
                self.tally.decoded += 1
                self.tally.skipped += 1
                heard()
        if not stop.is_set():
            self._judge_end(0.0 if nothing else sampler.seconds + self._frame_seconds)

    def _judge_end(self, seconds: float) -> None:
        """Raises SourceFailed where too little could be read; `seconds` are what came, 0 for nothing."""
        self._footage.check_end()
        if not seconds:
            check_size(*self.size)
            raise SourceFailed("no picture could be decoded")
        if not self._is_live:
            check_packets(self._decoder.num_refused, self._decoder.num_packets)
        if self._options.skip != "keyframes":
            self.remark = shortfall(seconds, self.info.duration_seconds)

    def _decoded(
        self, stop: threading.Event, thinning: Thinning | None, heard: Callable[[], object]
    ) -> Iterator[VideoFrame]:
        """Every picture that is not left out, in presentation order."""
        for packet in self._packets if self._is_live else without_strays(self._packets, self._stamps.seconds_of):
            if packet.stream is not self._stream:
                self._stream = packet.stream
                self._stamps.begin(packet.stream)
            if packet.size:
                self._stamps.put_right(packet)
            self._hold(packet, stop)
            if stop.is_set():
                return
            if says_nothing_new(packet):
                self._patience.saw_picture(time.monotonic())
                heard()
                continue
            began = time.monotonic()
            frames = self._decode(packet, thinning)
            self.tally.decode_seconds += time.monotonic() - began
            if not frames:
                heard()
                continue
            self._patience.saw_picture(time.monotonic())
            yield from frames
            self._patience.saw_picture(time.monotonic())  # the time that others took for them does not count

    def _decode(self, packet: "av.Packet[VideoStream]", thinning: Thinning | None) -> list[VideoFrame]:
        is_wanted = self._options.skip != "keyframes" or packet.is_keyframe
        if thinning:
            is_wanted = thinning.needs(self._stamps.seconds_of(packet.pts))
            self._decoder.leave_out(unreferenced=not is_wanted)
        frames = self._decoder.decode(packet)
        if frames is None and thinning:
            thinning.refused()
        if not frames and (is_wanted or frames is None) and packet.size:
            self._patience.saw_packet(time.monotonic(), is_keyframe=packet.is_keyframe)
        if self._reordering and frames is not None:
            self._reordering.decoded(packet.pts)
            for frame in frames:
                frame.pts = self._reordering.shown(frame.pts, is_keyframe=frame.key_frame)
        return frames or []

    def _hold(self, packet: "av.Packet[VideoStream]", stop: threading.Event) -> None:
        if not self._pace or self._is_catching_up:
            return
        seconds = self._stamps.seconds_of(packet.dts)
        if self._footage.is_recording:
            seconds = self._pace.of_bare(seconds, self._frame_seconds)
        if seconds is not None:
            stop.wait(self._pace.early_seconds(seconds, time.monotonic()))

    def _looked_at(self, frame: VideoFrame) -> tuple[NDArray[np.uint8], Figures | None]:
        began = time.monotonic()
        image = self._shrinker.small(frame, self._decoder.pixel_aspect)
        shrunk = time.monotonic()
        figures = self._measurer.measure(frame) if self._measurer else None
        self.tally.convert_seconds += shrunk - began
        self.tally.measure_seconds += time.monotonic() - shrunk
        return image, figures
