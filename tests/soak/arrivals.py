"""Takes frames out of the queue as they come, as inference would, and notes how old they are."""

from array import array
from collections.abc import Callable, Sequence
from typing import Any

import redis
from default_layout import keys_of

from shared.clock import now_ms
from shared.entries import Frame
from shared.streams import Progress, StreamSpec

BLOCK_MS = 50
SQUEEZED_MS = 10


class Arrivals:
    """Reads all streams of one Redis with one blocking XREAD, so that a frame is seen within a millisecond or so.

    Whose clock was set back says so: `set_back_ms`.
    """

    def __init__(self, client: redis.Redis, specs: Sequence[StreamSpec], is_quiet: Callable[[str], bool]) -> None:
        self.num_frames = 0
        self.set_back_ms = 0
        self.num_squeezed, self.num_dated = [0, 0], [0, 0]
        """frames dated right after the one before, and frames, before the clock was set back and since"""
        self.since_capture_ms, self.since_decoding_ms = array("q"), array("q")
        """how old each frame was on arrival: since its picture was taken by the camera's clock as ingest maps it, and
        since it left the decoder"""
        self.since_capture_quiet_ms = array("q")
        """the former, of streams whose camera had no trouble lately"""
        self.last_at_ms: dict[str, int] = {}
        self._captured_at_ms: dict[str, int] = {}
        self._client = client
        self._is_quiet = is_quiet
        self._specs = {keys_of(spec.id).frames(spec.id).encode(): spec for spec in specs}
        self._cursors: dict[Any, Any] = dict.fromkeys(self._specs, "0-0")
        self._passed: dict[bytes, Frame] = {}

    def step(self) -> None:
        """Waits for frames, at most for a twentieth of a second, and takes what is there."""
        reply: Any = self._client.xread(self._cursors, count=64, block=BLOCK_MS)
        arrived_ms = now_ms() - self.set_back_ms
        for key, entries in reply.items() if isinstance(reply, dict) else reply or []:
            stream_id = self._specs[key].id
            is_quiet = self._is_quiet(stream_id)
            for entry_id, fields in entries:
                frame = Frame.parse(entry_id, fields)
                self._cursors[key], self._passed[key] = frame.entry_id, frame
                self._note(stream_id, frame, arrived_ms, is_quiet=is_quiet)

    def _note(self, stream_id: str, frame: Frame, arrived_ms: int, *, is_quiet: bool) -> None:
        self.num_frames += 1
        self.last_at_ms[stream_id] = arrived_ms
        distance_ms = frame.captured_at_ms - self._captured_at_ms.get(stream_id, 0)
        self._captured_at_ms[stream_id] = frame.captured_at_ms
        self.num_dated[bool(self.set_back_ms)] += 1
        self.num_squeezed[bool(self.set_back_ms)] += distance_ms <= SQUEEZED_MS
        if self.set_back_ms:  # times of capture are ahead of the clock now
            return
        self.since_decoding_ms.append(arrived_ms - frame.due_at_ms)
        self.since_capture_ms.append(arrived_ms - frame.captured_at_ms)
        if is_quiet:
            self.since_capture_quiet_ms.append(arrived_ms - frame.captured_at_ms)

    def commit(self) -> None:
        """Says how far it came and drops what was taken."""
        pipeline = self._client.pipeline(transaction=False)
        for key, frame in self._passed.items():
            spec = self._specs[key]
            progress = Progress(spec.generation, frame.entry_id, frame.sequence, frame.sequence)
            pipeline.hset(keys_of(spec.id).progress, spec.id, str(progress))
            pipeline.xtrim(key, maxlen=1, approximate=False)
        self._passed.clear()
        pipeline.execute()
