"""Joins the packets of a second session onto those of a first, for a reader that takes them for one (RFC 3550)."""

import struct
from typing import Final

HEAD: Final = struct.Struct("!BBHII")
RTCP_TYPES: Final = range(64, 96)
"""Payload types, without the marker, that stand for RTCP where both come by one way (RFC 5761)."""


def is_rtp(packet: bytes) -> bool:
    """Whether it is media, and no report."""
    return len(packet) >= HEAD.size and packet[1] & 0x7F not in RTCP_TYPES


class Splice:
    """Numbers go on by one, timestamps by the time that has passed; reports of the second session are left out.

    `last` is the first session's last packet, empty where it had none.
    """

    def __init__(self, last: bytes, last_at: float, payload_type: int, clock_rate: int) -> None:
        _, _, number, ticks, self._sender = HEAD.unpack_from(last or bytes(HEAD.size))
        self._last_at = last_at
        self._payload_type = payload_type
        self._clock_rate = clock_rate
        self._next = number + 1, ticks
        self._shift: tuple[int, int] | None = None

    def joined(self, packet: bytes, now: float) -> bytes | None:
        """The packet as one of the first session's; None where it says nothing in it."""
        if not is_rtp(packet):
            return None
        flags, marker, number, ticks, _ = HEAD.unpack_from(packet)
        if self._shift is None:
            passed = round((now - self._last_at) * self._clock_rate)
            self._shift = self._next[0] - number, self._next[1] + passed - ticks
        number, ticks = (number + self._shift[0]) & 0xFFFF, (ticks + self._shift[1]) & 0xFFFF_FFFF
        head = HEAD.pack(flags, marker & 0x80 | self._payload_type, number, ticks, self._sender)
        return head + packet[HEAD.size :]
