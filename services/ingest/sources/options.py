"""How a source is read."""

from dataclasses import dataclass
from typing import Final, Literal

from services.ingest.sources.decoding.transport import SHORT_SIDE
from shared.streams import RtspTransport

Hwaccel = Literal["none", "auto", "cuda", "vaapi"]
Skip = Literal["none", "auto", "keyframes"]

MAX_FILE_THREADS: Final = 4
STALL_SECONDS: Final = 10.0
STALL_STEPS: Final = 3
"""How many pictures of the sampling grid may be missing: who asks for few may have a camera that gives few."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a reader may choose; the defaults decode every picture on one thread."""

    num_threads: int = 1
    """of the decoder; more than one delays a live picture"""
    short_side: int = SHORT_SIDE
    """pixels of the sampled pictures' shorter side; never enlarged"""
    stall_seconds: float = STALL_SECONDS
    """how long a source may take to open, or give no picture, before it has failed"""
    rtsp_transport: RtspTransport = "tcp"
    skip: Skip = "none"
    """which pictures the decoder may leave out: auto, those that no other refers to, where sampling bears it"""
    hwaccel: Hwaccel = "none"
    measures: bool = False
    """whether sampled pictures are measured at their own size, for models that are given figures"""
    poll_fps: float = 1.0
    """how often a second a still picture is asked for"""
    forbidden: tuple[str, ...] = ()
    """`host:port` that no source may reach: the system's own Redis"""


def stall_seconds_at(fps: float, shortest_seconds: float) -> float:
    """How long a source may give no picture where so many are asked for a second."""
    return max(shortest_seconds, STALL_STEPS / fps)
