"""Watches a camera: connects, publishes what it sees, and connects again whenever that fails."""

import threading
import time

from services.ingest.attempts import Attempts
from services.ingest.media_clock import MediaClock
from services.ingest.outlet import Outlet
from shared.errors import SourceFailed
from shared.waiting import pause


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
