"""Watches a camera: connects, publishes what it sees, and connects again whenever that fails."""

import threading
import time
from typing import Final

from services.ingest.captures.attempts import Attempts
from services.ingest.captures.outlet import Outlet
from shared.errors import SourceFailed
from shared.waiting import pause

FURTHEST_APART_MS: Final = 2_000.0


class MediaClock:
    """When a camera's pictures were taken, by its own clock, anchored to this machine's.

    No picture was taken after it arrived, so the anchor follows the quickest arrival; pictures that came late through
    the network keep their distance. Where both clocks part by more than 2 s (drift, a stall, a clock that was set), the
    camera's is anchored anew.
    """

    def __init__(self) -> None:
        self._anchor_ms: float | None = None
        self.num_anchored = 0

    def taken_at_ms(self, media_seconds: float, decoded_at_ms: int) -> int:
        """Wall-clock time in ms of the picture at `media_seconds` since the camera's first."""
        media_ms = media_seconds * 1000
        anchor_ms = decoded_at_ms - media_ms
        if self._anchor_ms is None or anchor_ms - self._anchor_ms > FURTHEST_APART_MS:
            self._anchor_ms = anchor_ms
            self.num_anchored += 1
        self._anchor_ms = min(self._anchor_ms, anchor_ms)
        return round(media_ms + self._anchor_ms)


def watch(outlet: Outlet, stop: threading.Event) -> None:
    """Publishes the camera's frames until `stop` is set, then raises Stopped.

    A frame's time is that of its picture by the camera's own clock, as `MediaClock` maps it, moved on by a millisecond
    where it would not be later than the frame before.
    """
    attempts = Attempts()
    while True:
        clock = MediaClock()
        try:
            with outlet.opened() as source:
                for picture in source.pictures():
                    attempts.live(time.monotonic())
                    taken_at_ms = clock.taken_at_ms(picture.media_seconds, picture.decoded_at_ms)
                    outlet.send(picture, max(taken_at_ms, outlet.last_ms + 1), picture.decoded_at_ms)
                raise SourceFailed("the camera ended the stream")
        except SourceFailed as err:
            retry = attempts.failed(err, time.monotonic())
            outlet.status.retries(retry.state, str(err), retry.seconds)
        pause(stop, retry.seconds)
