"""The times of a source's packets, put right before anybody sees them, and when each of them came."""

from collections import deque
from collections.abc import Callable
from fractions import Fraction
from typing import Final

import av
from av.video.stream import VideoStream

from services.ingest.sources.decoding.timeline import ArrivalClock, Splices
from shared.clock import steady_ms

MAX_HELD: Final = 64
"""Packets that a decoder may hold back before their pictures come."""

Arrival = tuple[int | None, int]
"""A packet's own timestamp, in its unit of time, and when it came, in ms on the steady clock."""
ArrivalOf = Callable[["av.Packet[VideoStream]"], Arrival | None]


class Stamps:
    """Corrects the packets of one track after another.

    `arrival_of` knows more of a live source's packets than FFmpeg does, which holds some of them back.
    """

    def __init__(self, arrival_of: ArrivalOf | None, *, is_live: bool) -> None:
        self._arrival_of = arrival_of
        self._is_live = is_live
        self._clock = ArrivalClock()
        self._held: list[int] = []
        self._came_at_ms: deque[int] = deque()
        """as many times, in their order"""

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

    def arrived_at_ms(self, pts: int | None) -> int | None:
        """When as many packets had come as there are pictures up to the next, which bears this time, if that is known.

        Where pictures are sent in another order than they are shown, one comes long before it is due, and the others
        late: the first to come is taken for the first to be shown.
        """
        num_before = len(self._held)
        self._held = [held for held in self._held if pts is None or held > pts]
        at_ms = None
        for _ in range(num_before - len(self._held)):
            at_ms = self._came_at_ms.popleft()
        return at_ms

    def _correct(self, packet: "av.Packet[VideoStream]") -> None:
        pts, at_ms = (self._arrival_of and self._arrival_of(packet)) or (packet.pts, steady_ms())
        stamp = self.seconds_of(pts)
        seconds = self._clock.seconds(stamp, at_ms / 1000)
        if seconds is not None and seconds != stamp:
            pts = round(seconds / self._tick)
        if pts != packet.pts:
            packet.pts, packet.dts = pts, None
        if pts is not None:
            self._held.append(pts)
            self._came_at_ms.append(at_ms)
            if len(self._held) > MAX_HELD:
                self._held.remove(min(self._held))
                self._came_at_ms.popleft()

    def _splice(self, packet: "av.Packet[VideoStream]") -> None:
        """The same, where times begin anew in what is not live."""
        if shift := round(self._splices.shift_seconds(self.seconds_of(packet.dts)) / self._tick):
            packet.pts, packet.dts = ((None if time is None else time + shift) for time in (packet.pts, packet.dts))
