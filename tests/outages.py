"""How streams come back after their server was away: used by the suite for a few, by the soak for many."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from cameras import CameraServer
from ingest_runner import Passing

from shared.clock import now_ms
from shared.records import StreamRecord
from shared.store.registry import Registry
from shared.streams import StreamState

LIVE, WAITING = StreamState.LIVE, StreamState.WAITING
PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Streams:
    """Streams that are watched from outside."""

    registry: Registry
    passing: Passing
    ids: Sequence[str]

    def records(self) -> list[StreamRecord]:
        """What is known of each, its frames passed."""
        self.passing.step()
        return self.registry.records(self.ids)

    def until_all(self, *states: StreamState, epoch: int = 0) -> float:
        """Waits until all are in one of the states, in this epoch at least; returns how many seconds that took."""
        began = time.monotonic()
        while True:
            records = self.records()
            if all(each.status.state in states and each.status.epoch >= epoch for each in records):
                return time.monotonic() - began
            seen = [(each.spec.id, each.status.state, each.status.epoch, each.status.reason) for each in records]
            assert time.monotonic() - began < PATIENCE_SECONDS, seen
            time.sleep(POLL_SECONDS)


def lateness_after_restart(server: CameraServer, streams: Streams, epoch: int) -> dict[str, float]:
    """Stops the server until all streams wait, and starts it: by stream, how many seconds it was live after the
    server's return, or after the last attempt that it had stated by then, whichever was later."""
    server.stop()
    streams.until_all(WAITING)
    server.start()
    returned_ms = now_ms()
    stated = dict.fromkeys(streams.ids, returned_ms)
    lateness: dict[str, float] = {}
    while len(lateness) < len(streams.ids):
        for record in streams.records():
            status, stream_id = record.status, record.spec.id
            if status.state is WAITING and status.next_attempt_at_ms:
                stated[stream_id] = max(returned_ms, status.next_attempt_at_ms)
            elif status.state is LIVE and status.epoch >= epoch:
                lateness.setdefault(stream_id, (now_ms() - stated[stream_id]) / 1000)
        assert now_ms() - returned_ms < 1000 * PATIENCE_SECONDS, lateness
        time.sleep(POLL_SECONDS)
    return lateness
