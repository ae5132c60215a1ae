"""When a track's packets came, which FFmpeg does not tell, and which of them came twice: pure policy."""

from collections import OrderedDict
from typing import Any, Final

from services.ingest.sources.rtsp.splice import HEAD
from services.ingest.sources.rtsp.tracks import SdpTrack

MAX_PACKETS: Final = 512
"""A packet that comes twice does so within as many..."""
MAX_STAMPS: Final = 512
"""...and so many pictures may be on their way through FFmpeg."""
LAST_OF_PICTURE: Final = 0x80
DELIMITERS: Final = {"H264": b"\x09\xf0", "H265": b"\x46\x01\x50", "HEVC": b"\x46\x01\x50"}
"""A unit that says that another picture begins, by kind of video."""
ENCRYPTED: Final = "SAVP"
OWN_TIMES: Final = frozenset({"MP2T"})
"""Kinds of video that bear times of their own beside those of RTP."""
STAMPS: Final = 1 << 32


class RtpArrivals:
    """Sees a track's RTP packets as they are handed to FFmpeg, and later their times again, as FFmpeg counts them."""

    def __init__(self, track: SdpTrack) -> None:
        self._payload_type = track.payload_type
        self._is_counted = track.codec not in OWN_TIMES
        self._delimiter = None if ENCRYPTED in track.profile else DELIMITERS.get(track.codec)
        self._packets: OrderedDict[int, None] = OrderedDict()
        self._came_at_ms: OrderedDict[int, int] = OrderedDict()
        """by RTP timestamp"""
        self._meant: OrderedDict[int, int] = OrderedDict()
        """timestamps of pictures that FFmpeg takes for others, by those"""
        self._first: int | None = None
        self._ends_with: tuple[int, int, int] | None = None
        self._delimited: int | None = None
        self._has_told = False

    def is_new(self, packet: bytes, at_ms: int) -> bool:
        """Whether an RTP packet that came has not come before; if so, it must be handed over."""
        number = hash(packet)
        if number in self._packets:
            return False
        _put(self._packets, number, None, MAX_PACKETS)
        _, kind, sequence, stamp, sender = HEAD.unpack_from(packet)
        if not self._first:  # FFmpeg counts from the first that is not 0
            self._first = stamp
        _put(self._came_at_ms, stamp, at_ms, MAX_STAMPS)
        if self._delimited is not None:
            _put(self._meant, self._delimited, stamp, MAX_STAMPS)
            self._delimited = None
        self._ends_with = (sequence, stamp, sender) if kind & LAST_OF_PICTURE else None
        return True

    def delimiter(self) -> bytes | None:
        """What shows FFmpeg that the last picture is whole, which else only the next one does; None where it knows.

        It takes the next picture for one of the time that this bears.
        """
        if self._ends_with is None or self._delimiter is None:
            return None
        sequence, stamp, sender = self._ends_with
        self._ends_with = None
        self._delimited = (stamp + 1) % STAMPS
        return HEAD.pack(0x80, self._payload_type, sequence, self._delimited, sender) + self._delimiter

    def of(self, pts: int | None) -> tuple[int, int] | None:
        """The time of a picture that FFmpeg counts so, which leaves out the first, in ticks since the first.

        And when it came, in ms on the steady clock; None where that is not known.
        """
        is_first, self._has_told = not self._has_told, True
        if self._first is None or not self._is_counted or (pts is None and not is_first):
            return None
        pts = pts or 0
        told = (self._first + pts) % STAMPS
        stamp = self._meant.get(told, told)
        at_ms = self._came_at_ms.get(stamp)
        return None if at_ms is None else (pts + (stamp - told + STAMPS // 2) % STAMPS - STAMPS // 2, at_ms)


def _put(held: OrderedDict[int, Any], key: int, value: Any, most: int) -> None:  # noqa: ANN401 (each its own)
    """Keeps what is newest."""
    held[key] = value
    held.move_to_end(key)
    if len(held) > most:
        held.popitem(last=False)
