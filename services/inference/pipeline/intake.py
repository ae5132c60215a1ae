"""The first stage: knows which streams there are, reads what waits in their queues, forms batches."""

import time
from collections.abc import Collection
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field

import redis

from services.inference.metrics import InferenceMetrics
from services.inference.models.catalog import Catalog
from services.inference.models.choices import Choices
from services.inference.models.images import decode_image
from services.inference.models.runner import Runner
from services.inference.pipeline.admission import admit
from services.inference.pipeline.batcher import Batcher
from services.inference.pipeline.messages import Batch, Item
from services.inference.pipeline.session import Session
from shared.errors import Fenced
from shared.service.tenancy import Tenancy
from shared.store.frame_queue import QueuedFrame, read_frames
from shared.store.keys import partition_of
from shared.store.leases import Lease
from shared.store.registry import Registry
from shared.streams import InferenceStatus, StreamSpec

REFRESH_SECONDS = 0.5
MAX_FRAMES_READ = 1024
LIVE_SHARE = 16


@dataclass(slots=True, eq=False)
class Lane:
    """One model's way into the pipeline: frames that wait, streams that have left it since its last batch, and those
    that had frames when it last read (None: nobody had)."""

    batcher: Batcher[Session, Item]
    retired: list[Session] = field(default_factory=list)
    active: Collection[str] | None = None


class Intake:
    """Sessions by stream id, and a lane per model. Used by one thread."""

    def __init__(
        self,
        client: redis.Redis,
        tenancy: Tenancy,
        catalog: Catalog,
        decoders: Executor,
        metrics: InferenceMetrics,
        batch_size: int,
        deadline_seconds: float,
    ) -> None:
        self._client = client
        self._tenancy = tenancy
        self._registry = Registry(client)
        self._choices = Choices(catalog)
        self._decoders = decoders
        self._metrics = metrics
        self._batch_size = batch_size
        self._deadline_seconds = deadline_seconds
        self._lanes: dict[Runner, Lane] = {}
        self._sessions: dict[str, Session] = {}
        self._told: dict[str, tuple[int, InferenceStatus]] = {}
        self._refresh_at = 0.0
        self._version = -1
        self._held: dict[int, Lease] = {}

    def poll(self) -> int:
        """Looks for new streams now and then, and reads what waits; returns the number of frames read.

        Raises StoreUnavailable; nothing is lost then, the next call goes on.
        """
        if time.monotonic() >= self._refresh_at or self._tenancy.version != self._version:
            version, self._held = self._tenancy.version, self._tenancy.held()
            self._refresh()
            self._refresh_at, self._version = time.monotonic() + REFRESH_SECONDS, version
        self._hand_back()
        return sum(self._read(runner, lane) for runner, lane in self._lanes.items())

    def next_batch(self) -> Batch | None:
        """The batch that is due, if one is."""
        now = time.monotonic()
        for runner, lane in self._lanes.items():
            if lane.batcher.is_due(now):
                retired, lane.retired = lane.retired, []
                return Batch(runner, lane.batcher.take(now), retired)
        return None

    def _read(self, runner: Runner, lane: Lane) -> int:
        batcher = lane.batcher
        ready = {
            session.stream_id: session
            for session in self._sessions.values()
            if session.runner is runner and not session.is_closed and not batcher.is_waiting(session)
        }
        if not ready or not batcher.room:
            return 0
        cursors = {stream_id: session.position for stream_id, session in ready.items()}
        num_active = len(ready) if lane.active is None else max(1, len(ready.keys() & lane.active))
        share = min(batcher.room // num_active, MAX_FRAMES_READ // len(ready))
        frames = read_frames(self._client, cursors, max_per_stream=max(1, share))
        lane.active = {frame.stream_id for frame in frames} or None
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
        specs = self._registry.specs(self._held)
        for stream_id, session in list(self._sessions.items()):
            if self._held.get(session.lease.partition) == session.lease:
                self._update(session, specs.get(stream_id))
        self._let_go()
        self._admit([spec for spec in specs.values() if spec.id not in self._sessions])
        self._choices.keep_only(specs)
        self._set_lanes()
        self._tell(specs)
        self._metrics.streams.set(len(self._sessions))

    def _update(self, session: Session, spec: StreamSpec | None) -> None:
        """Follows a changed spec; a stream that is gone, lost or to run on another model is closed, then let go."""
        if spec is None or spec.generation != session.spec.generation:
            session.is_closed = session.is_lost = True
            self._release(session)
            return
        session.is_closed = session.is_lost or self._choices.runner_for(spec) is not session.runner
        if not session.is_closed:
            session.spec = spec
        elif session.is_lost or session.is_drained:
            self._release(session)

    def _release(self, session: Session) -> None:
        lane = self._lanes[session.runner]
        lane.batcher.discard([session])
        lane.retired.append(session)
        del self._sessions[session.stream_id]
        if session.is_lost or self._held.get(session.lease.partition) != session.lease:
            self._metrics.forget_stream(session.stream_id)

    def _hand_back(self) -> None:
        """Frees the partitions that fall to other workers, once what was read of them is committed."""
        if leaving := self._tenancy.leaving():
            self._let_go()
            busy = {session.lease for session in self._sessions.values()}
            self._tenancy.give_back([lease for lease in leaving.values() if lease not in busy])

    def _let_go(self) -> None:
        """Reads no more of streams whose lease is no longer held; gives up what was read where it is lost."""
        leaving = self._tenancy.leaving()
        for session in list(self._sessions.values()):
            partition = session.lease.partition
            if self._held.get(partition) == session.lease:
                continue
            session.is_closed = True
            session.is_fenced = leaving.get(partition) != session.lease
            session.is_lost = session.is_lost or session.is_fenced
            if session.is_lost or session.is_drained:
                self._release(session)

    def _admit(self, specs: list[StreamSpec]) -> None:
        wanted = [
            (spec, self._held[partition_of(spec.id)], runner)
            for spec in specs
            if (runner := self._choices.runner_for(spec))
        ]
        if wanted:
            self._sessions |= {session.stream_id: session for session in admit(self._client, wanted, self._metrics)}

    def _set_lanes(self) -> None:
        """A lane for each model in use; one that is given up was the last to hold its model.

        Batches are small while anybody waits for a live stream, behind whatever recordings are worked off.
        """
        used = {session.runner for session in self._sessions.values()}
        is_live = any(session.spec.pace == "live" for session in self._sessions.values())
        for runner in self._lanes.keys() - used - self._choices.runners():
            del self._lanes[runner]
        for runner in used:
            lane = self._lanes.setdefault(runner, Lane(Batcher(self._batch_size, self._deadline_seconds)))
            lane.batcher.max_size = max(1, self._batch_size // LIVE_SHARE) if is_live else self._batch_size

    def _tell(self, specs: dict[str, StreamSpec]) -> None:
        """Stores which model each stream runs on, and why not on the one it asks for, whenever that changes."""
        for spec in specs.values():
            session = self._sessions.get(spec.id)
            model = session.runner.manifest.reference if session else None
            status = InferenceStatus(model=model, reason=self._choices.problem(spec.id))
            seen = spec.generation, status
            if status != InferenceStatus() and self._told.get(spec.id) != seen:
                with suppress(Fenced):
                    self._registry.set_inference(spec, status, self._held[partition_of(spec.id)])
                    self._told[spec.id] = seen
        self._told = {stream_id: seen for stream_id, seen in self._told.items() if stream_id in specs}
