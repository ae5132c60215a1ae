"""Watches a camera: connects, publishes what it sees, and connects again whenever that fails."""

import threading

from services.ingest.outlet import Outlet
from shared.errors import SourceFailed
from shared.streams import StreamSpec, StreamState
from shared.waiting import Backoff, Stopped, pause


def watch(spec: StreamSpec, outlet: Outlet, stop: threading.Event) -> None:
    """Publishes the camera's frames until `stop` is set, then raises Stopped.

    A frame's time is the wall clock when it left the decoder, moved on by a millisecond where the clock has not.
    """
    backoff = Backoff()
    while True:
        try:
            with outlet.opened() as video:
                for frame in video.frames(spec.fps, stop):
                    captured_at_ms = max(frame.decoded_at_ms, outlet.last_ms + 1)
                    outlet.send(frame, captured_at_ms, frame.decoded_at_ms, frame.point / spec.fps)
                    backoff.reset()
            reason = "the camera ended the stream"
        except SourceFailed as err:
            reason = str(err)
        if stop.is_set():
            raise Stopped
        outlet.status.change(StreamState.WAITING, reason)
        pause(stop, backoff.next_seconds())
