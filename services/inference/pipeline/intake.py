"""The first stage: knows which streams there are, reads what waits in their queues, forms batches."""

import logging
import time
from collections.abc import Collection, Iterator
from concurrent.futures import Executor
from contextlib import suppress

import redis

from services.inference.metrics import InferenceMetrics
from services.inference.models.catalog import Catalog
from services.inference.models.choices import Choices
from services.inference.models.images import decode_image
from services.inference.models.runner import Runner
from services.inference.pipeline.admission import admit
from services.inference.pipeline.batcher import Batcher
from services.inference.pipeline.messages import Answer, Batch, Change, Closing, Item, Refused, Stream, ToCompute
from services.inference.pipeline.places import Lane, Place
from services.inference.settings import InferenceSettings
from shared.entries import Frame
from shared.errors import Fenced
from shared.service.tenancy import Tenancy
from shared.store.frame_queue import read_frames
from shared.store.keys import partition_of
from shared.store.leases import Lease
from shared.store.registry import Registry
from shared.streams import InferenceStatus, StreamSpec

REFRESH_SECONDS = 0.5
DAMAGED_SECONDS = 30.0
"""So long a stream with damaged keys is left alone, and so long it goes well before it is called whole."""
MAX_FRAMES_READ = 1024
LIVE_SHARE = 16

log = logging.getLogger(__name__)


class DamagedStreams:
    """Streams whose keys do not bear a commit: each is named once in the log, and tried again now and then."""

    def __init__(self) -> None:
        self._damages: dict[str, tuple[str, float]] = {}

    def note(self, stream_id: str, damage: str) -> None:
        """Of the stream nothing can be stored."""
        if self.damage(stream_id) != damage:
            said = "stream %s: is not looked at: %s"
            log.error(said, stream_id, damage, extra={"stream_id": stream_id})
        self._damages[stream_id] = damage, time.monotonic()

    def damage(self, stream_id: str) -> str | None:
        """What is wrong with the stream, if anything."""
        return self._damages.get(stream_id, (None,))[0]

    def rests(self, stream_id: str) -> bool:
        """Whether it need not be tried again yet."""
        _, since = self._damages.get(stream_id, ("", -DAMAGED_SECONDS))
        return time.monotonic() < since + DAMAGED_SECONDS

    def forget(self, stream_ids: Collection[str]) -> int:
        """Leaves out streams that have been whole for long, and those that are not among these; how many are left."""
        now = time.monotonic()
        self._damages = {
            stream_id: (damage, since)
            for stream_id, (damage, since) in self._damages.items()
            if stream_id in stream_ids and now < since + 2 * DAMAGED_SECONDS
        }
        return len(self._damages)


class Intake:
    """The streams that are open or closing, and a lane per model. Used by one thread."""

    def __init__(
        self,
        client: redis.Redis,
        tenancy: Tenancy,
        catalog: Catalog,
        decoders: Executor,
        metrics: InferenceMetrics,
        settings: InferenceSettings,
        batch_size: int,
    ) -> None:
        self._client = client
        self._tenancy = tenancy
        self._registry = Registry(client)
        self._choices = Choices(catalog)
        self._decoders = decoders
        self._metrics = metrics
        self._settings = settings
        self._batch_size = batch_size
        self._lanes: dict[Runner, Lane] = {}
        self._open: dict[str, Place] = {}
        self._closing: dict[str, Stream] = {}
        self._counted: set[str] = set()
        self._damaged = DamagedStreams()
        self._news: list[ToCompute] = []
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

    def due(self) -> Iterator[list[ToCompute]]:
        """What is to be done now: news, and the batches that are due."""
        if self._news:
            news, self._news = self._news, []
            yield news
        now = time.monotonic()
        for runner, lane in self._lanes.items():
            while lane.batcher.is_due(now):
                batch = Batch(runner, lane.batcher.take(now))
                self._metrics.batch_size.observe(len(batch.items))
                yield [batch]

    def close(self) -> None:
        """Closes all streams, which stores their memories; nothing is read any more."""
        for place in list(self._open.values()):
            self._close(place.stream)

    def hear(self, answer: Answer) -> None:
        """What record has to say of a stream."""
        stream = answer.stream
        place = self._open.get(stream.id)
        if isinstance(answer, Refused):
            if place and place.stream is stream:
                self._close(stream)
            if answer.damage:
                self._damaged.note(stream.id, answer.damage)
            return
        del self._closing[stream.id]
        self._refresh_at = 0.0  # it may be opened anew

    def _read(self, runner: Runner, lane: Lane) -> int:
        batcher = lane.batcher
        ready = {
            place.stream.id: place
            for place in self._open.values()
            if place.stream.runner is runner and not batcher.is_waiting(place.stream)
        }
        if not ready or not batcher.room:
            return 0
        cursors = {stream_id: place.position for stream_id, place in ready.items()}
        num_active = len(ready) if lane.active is None else max(1, len(ready.keys() & lane.active))
        share = min(batcher.room // num_active, MAX_FRAMES_READ // len(ready))
        found = read_frames(self._client, cursors, max_per_stream=max(1, share))
        lane.active = set(found) or None
        now = time.monotonic()
        for stream_id, frames in found.items():
            place = ready[stream_id]
            place.position = frames[-1].entry_id
            for frame in frames:
                batcher.put(place.stream, self._item(place, frame), now)
        self._news += lane.silences(ready, now)
        return sum(map(len, found.values()))

    def _item(self, place: Place, frame: Frame) -> Item:
        stream, is_replay = place.stream, place.is_replay(frame.entry_id)
        if frame.jpeg is None:
            return Item(stream, frame, None, is_replay)
        size = stream.runner.manifest.input
        picture = self._decoders.submit(decode_image, frame.jpeg, size.height, size.width)
        return Item(stream, frame, picture, is_replay)

    def _refresh(self) -> None:
        specs = self._registry.specs(self._held)
        self._let_go()
        for place in list(self._open.values()):
            self._update(place, specs.get(place.stream.id))
        self._admit([spec for spec in specs.values() if spec.id not in self._open and spec.id not in self._closing])
        self._choices.keep_only(specs)
        self._set_lanes()
        self._tell(specs)
        self._forget(self._counted - specs.keys() - self._closing.keys())
        self._metrics.streams_damaged.set(self._damaged.forget(specs.keys()))
        self._metrics.streams.set(len(self._open) + len(self._closing))

    def _update(self, place: Place, spec: StreamSpec | None) -> None:
        """Follows a changed spec; a stream that is gone, or is to run on another model, is closed."""
        stream = place.stream
        if (
            spec is None
            or spec.generation != place.spec.generation
            or self._choices.runner_for(spec) is not stream.runner
        ):
            self._close(stream)
        elif spec is not place.spec:
            place.spec = spec
            self._news.append(Change(stream, spec))

    def _close(self, stream: Stream) -> None:
        """Reads no more of it; what was read and not yet given to a batch is read again by whoever opens it next."""
        self._lanes[stream.runner].batcher.discard([stream])
        del self._open[stream.id]
        self._closing[stream.id] = stream
        self._news.append(Closing(stream))

    def _let_go(self) -> None:
        """Closes the streams whose lease is no longer held."""
        for place in list(self._open.values()):
            if self._held.get(place.stream.lease.partition) != place.stream.lease:
                self._close(place.stream)

    def _forget(self, stream_ids: Collection[str]) -> None:
        """Removes the series of streams that are not this worker's any more, once nothing more is counted of them."""
        for stream_id in stream_ids:
            self._metrics.forget_stream(stream_id)
        self._counted.difference_update(stream_ids)

    def _hand_back(self) -> None:
        """Frees the partitions that fall to other workers, once what was read of them is committed."""
        if leaving := self._tenancy.leaving():
            busy = {stream.lease for stream in self._closing.values()}
            busy |= {place.stream.lease for place in self._open.values()}
            self._tenancy.give_back([lease for lease in leaving.values() if lease not in busy])

    def _admit(self, specs: list[StreamSpec]) -> None:
        wanted = [
            Stream(spec, self._held[partition_of(spec.id)], runner)
            for spec in specs
            if not self._damaged.rests(spec.id) and (runner := self._choices.runner_for(spec))
        ]
        if wanted:
            for opened in admit(self._client, wanted, self._metrics):
                stream = opened.stream
                self._open[stream.id] = Place(stream, stream.spec, opened.position, opened.progress.cursor)
                self._counted.add(stream.id)
                self._news.append(opened)

    def _set_lanes(self) -> None:
        """A lane for each model in use; one that is given up was the last to hold its model.

        Batches are small while anybody waits for a live stream, behind whatever recordings are worked off.
        """
        used = {place.stream.runner for place in self._open.values()}
        is_live = any(place.spec.pace == "live" for place in self._open.values())
        for runner in self._lanes.keys() - used - self._choices.runners():
            del self._lanes[runner]
        for runner in used:
            if (lane := self._lanes.get(runner)) is None:
                batcher = Batcher[Stream, Item](self._batch_size, self._settings.batch_deadline_seconds)
                lane = self._lanes[runner] = Lane(batcher, self._settings.checkpoint_seconds, time.monotonic())
            lane.batcher.max_size = max(1, self._batch_size // LIVE_SHARE) if is_live else self._batch_size

    def _tell(self, specs: dict[str, StreamSpec]) -> None:
        """Stores which model each stream runs on, and why not on the one it asks for, whenever that changes."""
        for spec in specs.values():
            place = self._open.get(spec.id)
            model = place.stream.runner.manifest.reference if place else None
            reason = self._damaged.damage(spec.id) or self._choices.problem(spec.id)
            status = InferenceStatus(model=model, reason=reason)
            seen = spec.generation, status
            if status != InferenceStatus() and self._told.get(spec.id) != seen:
                with suppress(Fenced):
                    self._registry.set_inference(spec, status, self._held[partition_of(spec.id)])
                    self._told[spec.id] = seen
        self._told = {stream_id: seen for stream_id, seen in self._told.items() if stream_id in specs}
