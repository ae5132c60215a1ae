"""The ingest service inside a test: its supervisor on a thread, and the part of inference that it must see."""

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import redis
from default_layout import keys_of
from leasing import tenancy
from patience import eventually

from services.ingest.captures.inlet import Workplace
from services.ingest.captures.supervisor import Supervisor
from services.ingest.frame_traces import FrameTraces
from services.ingest.metrics import IngestMetrics
from services.ingest.own_redis import OwnRedis
from services.ingest.settings import IngestSettings
from shared.entries import Frame
from shared.records import StreamRecord
from shared.store.frame_queue import read_frames
from shared.store.leases import LEASE_SECONDS
from shared.store.registry import Registry
from shared.streams import FIRST_CURSOR, Progress, StreamSpec, StreamState
from shared.words.sealing import Vault

BASE_MS = 1_700_000_000_000
OVER = (StreamState.ENDED, StreamState.FAILED)


def grid(num_points: int, fps: float = 8.0) -> list[int]:
    """Times of a file's frames."""
    return [BASE_MS + round(point * 1000 / fps) for point in range(num_points)]


def stream_spec(stream_id: str, source: str | Path, **changes: Any) -> StreamSpec:
    """A stream that plays a file fast, unless told otherwise."""
    fields = {"name": stream_id, "pace": "fast", "base_ms": BASE_MS, "generation": time.time_ns(), "created_at_ms": 1}
    return StreamSpec.model_validate({"id": stream_id, "source": str(source), **fields, **changes})


@dataclass
class IngestRunner:
    """Starts and stops ingest as often as a test likes; a context manager that leaves nothing running."""

    client: redis.Redis
    media_root: Path
    metrics: IngestMetrics = field(default_factory=IngestMetrics)
    lease_seconds: float = LEASE_SECONDS
    vault: Vault = field(default_factory=Vault)
    traces: FrameTraces | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    supervisor: Supervisor = field(init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def registry(self) -> Registry:
        return Registry(self.client, self.vault)

    def start(self) -> None:
        """A fresh ingest process, as it were."""
        self.metrics = IngestMetrics()
        self._stop = threading.Event()
        leases = tenancy(self.client, "ingest", self.metrics.leases, self.lease_seconds)
        self.supervisor = Supervisor(self.place(), leases, self._stop)
        self._thread = threading.Thread(target=self.supervisor.run, daemon=True)
        self._thread.start()

    def place(self) -> Workplace:
        """What its captures share."""
        settings = IngestSettings(media_root=self.media_root, measures=True)
        own_redis = OwnRedis(self.client, settings.forbidden)
        parts = self.client, self.registry, self.metrics, settings, own_redis, self.vault
        return Workplace(*parts, traces=self.traces)

    def stop(self) -> None:
        """Stops it in order."""
        if self._thread:
            self._stop.set()
            self._thread.join(timeout=60)
            assert not self._thread.is_alive()
            self._thread = None

    def add(self, stream_id: str, source: str | Path, **changes: Any) -> StreamSpec:
        """Registers a stream."""
        spec = stream_spec(stream_id, source, **changes)
        self.registry.add(spec)
        return spec

    def entries(self, stream_id: str) -> list[tuple[str, Mapping[bytes, bytes]]]:
        """Everything in a stream's queue."""
        found: Any = self.client.xrange(keys_of(stream_id).frames(stream_id))
        return [(entry_id.decode(), fields) for entry_id, fields in found]

    def frames(self, stream_id: str) -> list[Frame]:
        """The frames in a stream's queue, without the end marker."""
        parsed = [Frame.parse(name.encode(), fields) for name, fields in self.entries(stream_id)]
        return [frame for frame in parsed if frame.jpeg]

    def pass_frames(self, stream_id: str) -> None:
        """What inference does: passes everything that waits."""
        newest: Any = self.client.xrevrange(keys_of(stream_id).frames(stream_id), count=1)
        for name, fields in newest:
            sequence = int(fields[b"n"])
            progress = Progress(self.registry.get(stream_id).spec.generation, name.decode(), sequence, sequence)
            self.client.hset(keys_of(stream_id).progress, stream_id, str(progress))

    def until(self, stream_id: str, *states: StreamState, passing: bool = True) -> StreamRecord:
        """The stream once it is in one of the states; frames are passed meanwhile unless told otherwise."""

        def reached() -> StreamRecord | None:
            if passing:
                self.pass_frames(stream_id)
            record = self.registry.get(stream_id)
            return record if record.status.state in states else None

        found = eventually(reached, f"stream {stream_id} {' or '.join(states)}")
        assert found
        return found

    def value(self, name: str, **labels: str) -> float | None:
        """A metric's value."""
        return self.metrics.registry.get_sample_value(name, labels)


class Passing:
    """What inference does, for many streams at once: passes everything that waits, and forgets it."""

    def __init__(self, client: redis.Redis, specs: Iterable[StreamSpec]) -> None:
        self._client = client
        self._specs = {spec.id: spec for spec in specs}
        self._cursors = dict.fromkeys(self._specs, FIRST_CURSOR)

    def step(self) -> dict[str, list[Frame]]:
        """Passes what waits now, in two round trips, and returns it by stream, end markers included."""
        found = read_frames(self._client, self._cursors, 512)
        pipeline = self._client.pipeline(transaction=False)
        for stream_id, frames in found.items():
            keys, newest = keys_of(stream_id), frames[-1]
            sequence = newest.sequence
            progress = Progress(self._specs[stream_id].generation, newest.entry_id, sequence, sequence)
            pipeline.hset(keys.progress, stream_id, str(progress))
            pipeline.xtrim(keys.frames(stream_id), maxlen=1, approximate=False)
            self._cursors[stream_id] = newest.entry_id
        pipeline.execute()
        return found
