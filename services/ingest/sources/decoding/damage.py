"""Which pictures are damaged: what the decoder says of them, and what the demuxer said of the packets they came in.

A decoder of H.264, MPEG-2 or MPEG-4 conceals what it could not read, and says so; one of HEVC says it only of pictures
that refer to one that never came; one of JPEG never. Pictures that look wrong because those before them were are marked
by none.
"""

from typing import Final

import av
from av.codec.context import Flags
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from services.ingest.sources.decoding.pictures import MAX_PIXELS

CAME_INCOMPLETE: Final = "incomplete"
OUTPUT_CORRUPT: Final = int(Flags.output_corrupt)
JPEG_END: Final = b"\xff\xd9"
TAIL_BYTES: Final = 64
"""Some recorders fill up behind a JPEG's end."""


class DamageMarks:
    """Watches one decoder.

    Until its first picture it gives only whole ones: what is joined in the middle begins with a keyframe, and not with
    grey smears. From then on it gives the damaged ones as well, where it would keep them back without a word.
    """

    def __init__(self, decoder: VideoCodecContext) -> None:
        self._decoder = decoder
        self._has_begun = False

    def prepare(self) -> None:
        """Has a packet's mark come out with its picture, in whatever order that is."""
        self._decoder.copy_opaque = True

    def decodes(self, packet: "Packet[VideoStream]") -> None:
        """A packet is about to be decoded."""
        if packet.is_corrupt or (self._decoder.name == "mjpeg" and _is_cut_off(packet)):
            packet.opaque = CAME_INCOMPLETE

    def is_damaged(self, picture: VideoFrame) -> bool:
        """Whether a picture that has come is damaged or concealed, wholly or in part."""
        if not self._has_begun:
            self._has_begun = True
            self._decoder.flags |= OUTPUT_CORRUPT
        return picture.is_corrupt or picture.opaque is not None


def _is_cut_off(packet: "Packet[VideoStream]") -> bool:
    """Whether a JPEG ends before its picture does: only its end mark is missing from what some cameras send."""
    if not packet.size or JPEG_END in bytes(memoryview(packet)[-TAIL_BYTES:]):
        return False
    strict = av.CodecContext.create("mjpeg", "r")
    strict.options = {"err_detect": "explode", "max_pixels": str(MAX_PIXELS)}
    try:
        strict.decode(packet)
    except (av.FFmpegError, ValueError):
        return True
    return False
