"""Streams that arrive damaged: what FFmpeg's bit stream filter changes and drops in real codecs' packets."""

from typing import Final

from training.bench.takes import Harm

HARMS: Final = (
    Harm("MPEG-2, bits", "mpeg2", amount="{rare}"),
    Harm("MPEG-2, bits, fresh", "mpeg2", amount="{rare}", baked=False),
    Harm("MPEG-4, bits", "mpeg4", amount="{rare}"),
    Harm("MPEG-4, bits, fresh", "mpeg4", amount="{rare}", baked=False),
    Harm("MPEG-4, lost stretches", "mpeg4", drop="lt(mod((pts-startpts)*tb,1.7),{share})"),
    Harm("H.264, bits", "h264", amount="{rare}"),
    Harm("H.264, bits, fresh", "h264", amount="{rare}", baked=False),
    Harm("H.264, lost packets", "h264", drop="not(key)*lt(random(1),{share})"),
    Harm("H.264, lost key frames", "h264", drop="key"),
    Harm("HEVC, bits", "hevc", amount="{rare}"),
    Harm("HEVC, lost packets", "hevc", drop="not(key)*lt(random(1),{share})"),
    Harm("MJPEG, bits", "mjpeg", amount="{rare}"),
)
