"""Where a JPEG ends, by its own markers: a thumbnail within it is no end, and a picture that was cut off has none."""

import re
from typing import Final

JPEG_MARK: Final = b"\xff\xd8\xff"
NO_PICTURE: Final = b"\xff\xd8\xff\xd9"
"""A JPEG without anything in it."""

SOI, EOI, SOS = 0xD8, 0xD9, 0xDA
SEGMENTS: Final = frozenset({*range(0xC0, 0xC8), *range(0xC9, 0xD0), *range(SOS, 0xF0), 0xFE})
"""Markers that a length follows."""
SCAN_LENGTHS: Final = frozenset({8, 10, 12, 14})
"""of a scan's header, with 1 to 4 components"""

_OTHERS: Final = re.compile(
    rb"(?P<PNG>\x89PNG)|(?P<GIF>GIF8)|(?P<BMP>BM)|(?P<TIFF>II\*\0|MM\0\*)|(?P<WebP>RIFF.{4}WEBP)"
    rb"|.{4}ftyp(?:(?P<AVIF>avi[fs])|(?P<HEIF>hei[cfmsx]|hev[cx]|mif1|msf1))",
    re.DOTALL,
)
_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""What is within a scan no data: data has 0 after each 0xff, and restart markers."""


def other_kind(head: bytes) -> str | None:
    """What a picture that begins so is called, where it is no JPEG."""
    found = _OTHERS.match(head)
    return found.lastgroup if found else None


class JpegWalk:
    """Walks through the picture at the start of a buffer that grows, from marker to marker.

    Where a marker should be and is none (damage), the next one is looked for.
    """

    def __init__(self) -> None:
        self._at = 2
        self.scan_at: int | None = None
        """where the first scan's data begin: without any there is nothing to be seen"""

    def end(self, buffer: bytearray) -> int | None:
        """The offset behind the picture; None where it is not all there.

        A picture that was cut off ends where the next one begins.
        """
        while (found := _MARKER.search(buffer, self._at)) is not None:
            self._at = found.start()
            marker = buffer[self._at + 1]
            if marker == EOI:
                return self._at + 2
            if marker == SOI:
                return self._at
            behind = self._behind(marker, buffer)
            if behind is None:
                return None
            self._at = behind
            if marker == SOS and self.scan_at is None:
                self.scan_at = behind
        self._at = max(self._at, len(buffer) - 1)
        return None

    def _behind(self, marker: int, buffer: bytearray) -> int | None:
        """The offset behind the marker and what belongs to it; None where that is not yet there."""
        if marker not in SEGMENTS:
            return self._at + 2
        if len(buffer) < self._at + 4:
            return None
        length = int.from_bytes(buffer[self._at + 2 : self._at + 4], "big")
        behind = self._at + 2 + length
        if length < 2 or (marker == SOS and length not in SCAN_LENGTHS):
            return self._at + 2
        if marker != SOS and self.scan_at is not None:  # between scans, or a damaged one's data that looks like it
            if len(buffer) <= behind:
                return None
            return behind if buffer[behind] == 0xFF else self._at + 2
        return behind
