"""A small film as RTP packets."""

import re
import struct
from fractions import Fraction
from functools import cache

import av
import numpy as np

PACKET_BYTES = 300
"""Small ones, so that pictures take several."""


@cache
def clip(num_pictures: int = 50) -> tuple[list[bytes], ...]:
    """Pictures that get brighter, as lists of H.264 units; the first and every tenth is a keyframe."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 64, 48, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 10), Fraction(10)
    encoder.options = {"tune": "zerolatency", "g": "10", "preset": "veryfast", "x264-params": "slices=1"}
    pictures = []
    for index in range(num_pictures):
        noise = np.random.default_rng(index).integers(0, 60, (48, 64, 3), np.uint8) + np.uint8(4 * index % 190)
        frame = av.VideoFrame.from_ndarray(noise, format="bgr24")
        frame.pts, frame.time_base = index, Fraction(1, 10)
        pictures += [bytes(packet) for packet in encoder.encode(frame)]
    pictures += [bytes(packet) for packet in encoder.encode(None)]
    return tuple([unit for unit in re.split(rb"\x00{2,3}\x01", picture) if unit] for picture in pictures)


def packets_of(units: list[bytes], number: int, ticks: int) -> list[bytes]:
    """A picture as RTP (RFC 6184), its units cut where they are too long."""
    pieces = []
    for unit in units:
        if len(unit) <= PACKET_BYTES:
            pieces.append(unit)
            continue
        parts = [unit[at : at + PACKET_BYTES] for at in range(1, len(unit), PACKET_BYTES)]
        for index, part in enumerate(parts):
            edge = (0x80 if index == 0 else 0) | (0x40 if index == len(parts) - 1 else 0)
            pieces.append(bytes([unit[0] & 0xE0 | 28, edge | unit[0] & 0x1F]) + part)
    last = len(pieces) - 1
    kinds = [96] * last + [96 | 0x80]
    return [
        struct.pack("!BBHII", 0x80, kind, (number + index) & 0xFFFF, ticks & 0xFFFF_FFFF, 7) + piece
        for index, (kind, piece) in enumerate(zip(kinds, pieces, strict=True))
    ]
