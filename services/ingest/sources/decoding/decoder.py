"""Turns packets of one track into frames, also where another codec goes on within it."""

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Final, cast

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from services.ingest.sources.decoding.damage import DamageMarks
from services.ingest.sources.decoding.hardware import IN_TURN, SOFTWARE, accelerator
from services.ingest.sources.decoding.pictures import MAX_PIXELS
from services.ingest.sources.decoding.tally import Tally
from services.ingest.sources.options import ReadOptions

START: Final = b"\0\0\1"
"""What parts of a packet begin with, in transport streams and RTSP."""
HEADERS: Final = {
    "hevc": (re.compile(rb"\x40\x01"), re.compile(rb"\x42\x01")),
    "h264": (
        re.compile(rb"[\x27\x47\x67][\x2c\x42\x4d\x53\x56\x58\x64\x6e\x76\x7a\x80\x8a\xf4]"),
        re.compile(rb"[\x28\x48\x68]"),
    ),
    "mpeg2video": (re.compile(rb"\xb3"), re.compile(rb"\x00")),
    "mpeg4": (re.compile(rb"[\x20-\x2f]"), re.compile(rb"\xb6")),
}
"""By codec, the beginnings of two parts that come in this order wherever a decoder can begin."""
MAX_PARTS: Final = 256
DELIMITER_BYTES: Final = 16
"""An access unit may have so much before its headers."""
MANY_REFUSED: Final = 8
"""Refused packets in a row after which the same codec begins anew."""


def beginnings(data: bytes) -> list[tuple[str, int]]:
    """The codecs whose headers, by their looks, are in the packet: a decoder could begin there; and where that is."""
    parts = [-1]
    while len(parts) <= MAX_PARTS and (start := data.find(START, parts[-1] + 1)) >= 0:
        parts.append(start)
    found = []
    for codec, (first, second) in HEADERS.items():
        begins = next((start for start in parts[1:] if first.match(data, start + len(START))), None)
        if begins is not None and any(second.match(data, start + len(START)) for start in parts if start > begins):
            found.append((codec, begins))
    return found


class Decoder:
    """Decodes one track's packets; those that it refuses are counted.

    A receiver may go on with another codec on the same track, of which FFmpeg's decoder only refuses the packets, or
    says nothing. So where headers of another codec come in, its decoder is tried, and kept if it takes them.
    """

    def __init__(self, stream: VideoStream, options: ReadOptions, tally: Tally) -> None:
        self._options = options
        self._tally = tally
        self.num_packets = 0
        self.num_refused = 0
        self._begin(stream)

    def _begin(self, stream: VideoStream) -> None:
        self._index = stream.index
        self._context = context = stream.codec_context
        _set_up(context, self._options)
        self._damage = DamageMarks(context)
        self._damage.prepare()
        stated, coded = stream.sample_aspect_ratio, context.sample_aspect_ratio
        self._stated_aspect = stated if stated and stated != coded else None
        self._may_change = context.name in HEADERS and (context.extradata or b"")[:1] != b"\1"
        self._last: av.Packet[VideoStream] | None = None
        self._num_in_a_row = 0

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
        held = []
        if packet.stream.index != self._index:
            held = self._held(packet)
            self._begin(packet.stream)
        self._damage.decodes(packet)
        frames = _decoded(self._context, [packet])
        self._num_in_a_row = self._num_in_a_row + 1 if frames is None else 0
        self.num_packets += bool(packet.size)
        if self._may_change and packet.size:
            if frames is None or packet.is_keyframe:
                frames = self._changed(packet, frames)
            self._last = packet
        if frames is None:
            self._tally.refused += 1
            self.num_refused += 1
        return [*held, *(frames or [])] if held else frames

    def is_damaged(self, frame: VideoFrame) -> bool:
        """Whether a frame that came is damaged, as `DamageMarks` says; to be asked of each in turn."""
        return self._damage.is_damaged(frame)

    def _changed(self, packet: "av.Packet[VideoStream]", frames: list[VideoFrame] | None) -> list[VideoFrame] | None:
        """The frames and those of another decoder, where one begins with this packet or, unseen, with the last.

        FFmpeg may hand over the first packet of the new codec as the tail of the last one of the old.
        """
        begun = [packet] if frames is not None or self._last is None else [self._last, packet]
        for number, first in enumerate(begun):
            data = bytes(first)
            for codec, offset in beginnings(data):
                if codec == self.codec and self._num_in_a_row < MANY_REFUSED:
                    continue
                rest = [_tail(first, data, offset), *begun[number + 1 :]]
                context = _another(codec, self._options)
                damage = DamageMarks(context)
                damage.prepare()
                if (new := _decoded(context, rest)) is not None:
                    old = self._held(packet)
                    self._context, self._damage, self._stated_aspect, self._num_in_a_row = context, damage, None, 0
                    return [*(frames or []), *old, *new]
        return frames

    def _held(self, packet: "av.Packet[VideoStream]") -> list[VideoFrame]:
        """What the decoder has held back, brought out by an empty packet: frames take their unit of time from it."""
        flush = cast("av.Packet[VideoStream]", av.Packet())
        flush.time_base = packet.time_base
        return _decoded(self._context, [flush]) or []


def _set_up(context: VideoCodecContext, options: ReadOptions) -> None:
    context.options = {"max_pixels": str(MAX_PIXELS)}
    context.thread_type = "AUTO" if options.num_threads > 1 else "NONE"
    context.thread_count = options.num_threads
    if options.skip == "keyframes":
        context.skip_frame = "NONKEY"


def _another(codec: str, options: ReadOptions) -> VideoCodecContext:
    context = cast("VideoCodecContext", av.CodecContext.create(codec, "r", accelerator(options.hwaccel)))
    _set_up(context, options)
    return context


def _decoded(context: VideoCodecContext, packets: Sequence["av.Packet[VideoStream]"]) -> list[VideoFrame] | None:
    """What the packets bring out; None where one of them is refused."""
    try:
        return [frame for packet in packets for frame in context.decode(packet)]
    except (av.FFmpegError, ValueError):
        return None


def _tail(packet: "av.Packet[VideoStream]", data: bytes, offset: int) -> "av.Packet[VideoStream]":
    """What of a packet begins at the offset; its time is that of what lies before, if a picture does."""
    tail = cast("av.Packet[VideoStream]", av.Packet(data[offset:]))
    tail.time_base, tail.opaque = packet.time_base, packet.opaque
    if offset <= DELIMITER_BYTES:
        tail.pts, tail.dts = packet.pts, packet.dts
    return tail
