"""Turns packets of one track into frames."""

from fractions import Fraction

import av
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from services.ingest.sources.decoding.hardware import IN_TURN, SOFTWARE
from services.ingest.sources.decoding.pictures import MAX_PIXELS
from services.ingest.sources.decoding.tally import Tally
from services.ingest.sources.options import ReadOptions


class Decoder:
    """Decodes one track's packets; those that it refuses are counted."""

    def __init__(self, stream: VideoStream, options: ReadOptions, tally: Tally) -> None:
        self._context = stream.codec_context
        self._options = options
        self._tally = tally
        stated, coded = stream.sample_aspect_ratio, self._context.sample_aspect_ratio
        self._stated_aspect = stated if stated and stated != coded else None

    def prepare(self) -> None:
        """Sets the decoder up before its first packet."""
        context, num_threads = self._context, self._options.num_threads
        context.options = {"max_pixels": str(MAX_PIXELS)}
        context.thread_type = "AUTO" if num_threads > 1 else "NONE"
        context.thread_count = num_threads
        if self._options.skip == "keyframes":
            context.skip_frame = "NONKEY"

    @property
    def codec(self) -> str:
        """The codec, as FFmpeg names it."""
        return self._context.name

    @property
    def name(self) -> str:
        """What decodes: hardware that has been promised may turn out, with the first picture, not to know its kind."""
        context = self._context
        return context.pix_fmt if context.is_hwaccel and context.pix_fmt in IN_TURN else SOFTWARE

    @property
    def pixel_aspect(self) -> Fraction | None:
        """Width by height of the last frame's pixels, where it is told; what the container says goes before."""
        return self._stated_aspect or self._context.sample_aspect_ratio

    def leave_out(self, *, unreferenced: bool) -> None:
        """Whether pictures that no other refers to are left out from now on."""
        self._context.skip_frame = "NONREF" if unreferenced else "DEFAULT"

    def decode(self, packet: "av.Packet[VideoStream]") -> list[VideoFrame] | None:
        """The frames that a packet brings out, in presentation order; None where it is refused."""
        try:
            return self._context.decode(packet)
        except (av.FFmpegError, ValueError):
            self._tally.refused += 1
            return None
