"""The first stage: knows which streams there are, reads what waits in their queues, forms batches."""

import logging
import time
from collections import defaultdict
from concurrent.futures import Executor

import redis

from services.inference.admission import admit
from services.inference.batch import Batch, Item
from services.inference.batcher import Batcher
from services.inference.catalog import Catalog
from services.inference.images import decode_image
from services.inference.metrics import InferenceMetrics
from services.inference.runner import Runner
from services.inference.session import Session
from shared.errors import ModelUnusable
from shared.frame_queue import QueuedFrame, read_frames
from shared.registry import Registry
from shared.streams import StreamSpec

REFRESH_SECONDS = 0.5
MAX_FRAMES_READ = 1024
LIVE_SHARE = 16

log = logging.getLogger(__name__)


class Intake:
    """Sessions by stream id, and one batcher per model. Used by one thread."""

    def __init__(
        self,
        client: redis.Redis,
        catalog: Catalog,
        decoders: Executor,
        metrics: InferenceMetrics,
        batch_size: int,
        deadline_seconds: float,
    ) -> None:
        self._client = client
        self._registry = Registry(client)
        self._catalog = catalog
        self._decoders = decoders
        self._metrics = metrics
        self._batch_size = batch_size
        self._deadline_seconds = deadline_seconds
        self._batchers: dict[Runner, Batcher[Session, Item]] = {}
        self._retired: dict[Runner, list[Session]] = defaultdict(list)
        self._active: set[str] | None = None
        self._sessions: dict[str, Session] = {}
        self._troubled: set[str] = set()
        self._refresh_at = 0.0

    def poll(self) -> int:
        """Looks for new streams now and then, and reads what waits; returns the number of frames read.

        Raises StoreUnavailable; nothing is lost then, the next call goes on.
        """
        if time.monotonic() >= self._refresh_at:
            self._refresh()
            self._refresh_at = time.monotonic() + REFRESH_SECONDS
        return sum(self._read(runner, batcher) for runner, batcher in self._batchers.items())

    def next_batch(self) -> Batch | None:
        """The batch that is due, if one is."""
        now = time.monotonic()
        for runner, batcher in self._batchers.items():
            if batcher.is_due(now):
                return Batch(runner, batcher.take(now), self._retired.pop(runner, ()))
        return None

    def _read(self, runner: Runner, batcher: Batcher[Session, Item]) -> int:
        ready = {
            session.stream_id: session
            for session in self._sessions.values()
            if session.runner is runner and not session.is_closed and not batcher.is_waiting(session)
        }
        if not ready or not batcher.room:
            return 0
        cursors = {stream_id: session.position for stream_id, session in ready.items()}
        num_active = len(ready) if self._active is None else max(1, len(self._active & ready.keys()))
        share = min(batcher.room // num_active, MAX_FRAMES_READ // len(ready))
        frames = read_frames(self._client, cursors, max_per_stream=max(1, share))
        self._active = {frame.stream_id for frame in frames} or None
        now = time.monotonic()
        for frame in frames:
            session = ready[frame.stream_id]
            session.position = frame.entry_id
            session.num_read += 1
            batcher.put(session, self._item(session, frame), now)
        return len(frames)

    def _item(self, session: Session, frame: QueuedFrame) -> Item:
        if frame.jpeg is None:
            return Item(session, frame, None)
        size = session.runner.manifest.input
        return Item(session, frame, self._decoders.submit(decode_image, frame.jpeg, size.height, size.width))

    def _refresh(self) -> None:
        specs = self._registry.specs()
        for stream_id, session in list(self._sessions.items()):
            self._update(session, specs.get(stream_id))
        self._admit([spec for spec in specs.values() if spec.id not in self._sessions])
        self._size_batches()
        self._troubled &= specs.keys()
        self._metrics.streams.set(len(self._sessions))

    def _size_batches(self) -> None:
        """Keeps batches small where somebody waits for a live stream, behind whatever recordings are worked off."""
        live = {session.runner for session in self._sessions.values() if session.spec.pace == "live"}
        for runner, batcher in self._batchers.items():
            batcher.max_size = max(1, self._batch_size // LIVE_SHARE) if runner in live else self._batch_size

    def _update(self, session: Session, spec: StreamSpec | None) -> None:
        """Follows a changed spec; a stream that is gone, lost or has another model is closed, then let go."""
        if spec is None or spec.generation != session.spec.generation:
            self._batchers[session.runner].discard([session])
            session.is_closed = session.is_lost = True
            self._release(session)
            self._metrics.forget_stream(session.stream_id)
        elif session.is_lost or spec.model != session.spec.model:
            session.is_closed = True
            if session.is_lost or session.is_drained:
                self._batchers[session.runner].discard([session])
                self._release(session)
        else:
            session.spec = spec

    def _release(self, session: Session) -> None:
        del self._sessions[session.stream_id]
        self._retired[session.runner].append(session)

    def _admit(self, specs: list[StreamSpec]) -> None:
        wanted = [(spec, runner) for spec in specs if (runner := self._runner(spec))]
        if not wanted:
            return
        for session in admit(self._client, wanted, self._metrics):
            self._sessions[session.stream_id] = session
            if session.runner not in self._batchers:
                self._batchers[session.runner] = Batcher(self._batch_size, self._deadline_seconds)

    def _runner(self, spec: StreamSpec) -> Runner | None:
        try:
            runner = self._catalog.runner(spec.model)
        except ModelUnusable as err:
            if spec.id not in self._troubled and self._registry.set_trouble(spec, str(err)):
                self._troubled.add(spec.id)
            return None
        if spec.id in self._troubled:
            self._registry.clear_trouble(spec.id)
            self._troubled.discard(spec.id)
        return runner
