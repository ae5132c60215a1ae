"""The times of a source's packets, put right before anybody sees them, and when each of them came."""

import time
from collections import OrderedDict
from collections.abc import Callable
from fractions import Fraction
from typing import Final

import av
from av.video.stream import VideoStream

from services.ingest.sources.decoding.timeline import ArrivalClock, Splices

MAX_HELD: Final = 64
"""Packets that a decoder may hold back before their pictures come."""

Arrival = tuple[int | None, float]
"""A packet's own timestamp, in its unit of time, and when it came, by the monotonic clock."""
ArrivalOf = Callable[["av.Packet[VideoStream]"], Arrival | None]


class Stamps:
    """Corrects the packets of one track after another.

    `arrival_of` knows more of a live source's packets than FFmpeg does, which holds some of them back.
    """

    def __init__(self, arrival_of: ArrivalOf | None, *, is_live: bool) -> None:
        self._arrival_of = arrival_of
        self._is_live = is_live
        self._clock = ArrivalClock()
        self._came_at: OrderedDict[int, float] = OrderedDict()
        self._shown_at = 0.0

    def begin(self, stream: VideoStream) -> None:
        """The packets of this track follow."""
        self._tick = stream.time_base or Fraction(1)
        self._splices = Splices()

    def seconds_of(self, pts: int | None) -> float | None:
        """A packet's time, computed as PyAV computes `frame.time`: no rounding may set them apart."""
        return None if pts is None else float(pts) * self._tick.numerator / self._tick.denominator

    def put_right(self, packet: "av.Packet[VideoStream]") -> None:
        """Corrects the times of the next packet, which is not empty."""
        (self._correct if self._is_live else self._splice)(packet)

    def age_seconds(self, pts: int | None) -> float:
        """How long ago the next picture and all that are shown before it had come, as far as that is known."""
        now = time.monotonic()
        at = now if pts is None else self._came_at.get(pts, now)
        self._shown_at = max(self._shown_at, at)
        return now - self._shown_at

    def _correct(self, packet: "av.Packet[VideoStream]") -> None:
        pts, at = (self._arrival_of and self._arrival_of(packet)) or (packet.pts, time.monotonic())
        stamp = self.seconds_of(pts)
        seconds = self._clock.seconds(stamp, at)
        if seconds is not None and seconds != stamp:
            pts = round(seconds / self._tick)
        if pts != packet.pts:
            packet.pts, packet.dts = pts, None
        if pts is not None:
            self._came_at[pts] = at
            if len(self._came_at) > MAX_HELD:
                self._came_at.popitem(last=False)

    def _splice(self, packet: "av.Packet[VideoStream]") -> None:
        """The same, where times begin anew in what is not live."""
        if shift := round(self._splices.shift_seconds(self.seconds_of(packet.dts)) / self._tick):
            packet.pts, packet.dts = ((None if time is None else time + shift) for time in (packet.pts, packet.dts))
