"""The first stage: knows which streams there are, reads what waits in their queues, forms batches."""

import time
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Executor

import redis

from services.inference.metrics import InferenceMetrics
from services.inference.models.catalog import Catalog
from services.inference.models.choices import Choices
from services.inference.models.images import begin_decoding
from services.inference.models.runner import Runner
from services.inference.pipeline.admission import DamagedStreams, admit
from services.inference.pipeline.batcher import Batcher
from services.inference.pipeline.messages import Answer, Batch, Change, Closing, Item, Refused, Stream, ToCompute
from services.inference.pipeline.places import Arrivals, Lane, Place
from services.inference.settings import LIVE_SHARE, InferenceSettings
from shared.entries import EntryId, Frame
from shared.service.tenancy import Tenancy
from shared.store.frame_queue import read_frames
from shared.store.layout.known import layout_of
from shared.store.leases import Lease
from shared.store.registry import Registry, RegistryListing
from shared.streams import InferenceStatus, StreamSpec

REFRESH_SECONDS = 0.5
MAX_FRAMES_READ = 1024
LATER_FRAMES = "its frames cannot be read by this version: they are of a later one"


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
        self._listing = RegistryListing(client)
        self._arrivals = Arrivals(client)
        self._choices = Choices(catalog)
        self._decoders = decoders
        self._metrics = metrics
        self._settings = settings
        self._batch_size = batch_size
        self._lanes: dict[Runner, Lane] = {}
        self._open: dict[str, Place] = {}
        self._closing: dict[str, Stream] = {}
        self._unsettled: set[str] = set()
        """Streams that are not all that the user wants, or may not be."""
        self._unread: set[str] = set()
        """Open streams in whose queues something may lie that was not read."""
        self._counted, self._resting = set[str](), set[str]()
        """Streams that are counted, and those that were until they were over."""
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
        version = self._tenancy.version
        if time.monotonic() >= self._refresh_at or version != self._version:
            self._held = self._tenancy.held()
            self._refresh(moved=version != self._version)
            self._refresh_at, self._version = time.monotonic() + REFRESH_SECONDS, version
        self._hand_back()
        if self._open:
            self._unread |= self._arrivals.look(self._held)
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
        found = self._found(runner, lane) if batcher.room else {}
        jpegs = [frame.jpeg for frames in found.values() for frame in frames if frame.jpeg is not None]
        size, num_threads = runner.manifest.input, self._settings.num_decode_threads()
        pictures = iter(begin_decoding(self._decoders, num_threads, jpegs, size.height, size.width))
        now = time.monotonic()
        for stream_id, frames in found.items():
            place = self._open[stream_id]
            place.position = frames[-1].entry_id
            if stream_id not in self._counted:
                self._count(place)
            begins_known = place.is_replay(frames[0].entry)
            items = [
                Item(
                    place.stream,
                    frame,
                    None if frame.jpeg is None else next(pictures),
                    begins_known and place.is_replay(frame.entry),
                )
                for frame in frames
            ]
            batcher.put(place.stream, items, now)
        empty = (
            place
            for stream_id, place in self._open.items()
            if not place.is_away and place.stream.runner is runner
            if stream_id not in self._unread and not batcher.is_waiting(place.stream)
        )
        self._news += lane.silences([self._open[stream_id] for stream_id in found], empty, now)
        return sum(map(len, found.values()))

    def _found(self, runner: Runner, lane: Lane) -> dict[str, list[Frame]]:
        """What lies in queues of the model's streams that may have anything, and of which nothing waits already."""
        ready = {
            stream_id: place.position
            for stream_id in self._unread
            if (place := self._open[stream_id]).stream.runner is runner and not lane.batcher.is_waiting(place.stream)
        }
        if not ready:
            return {}
        num_active = len(ready) if lane.active is None else max(1, len(ready.keys() & lane.active))
        share = max(1, min(lane.batcher.room // num_active, MAX_FRAMES_READ // len(ready)))
        found = read_frames(self._client, ready, max_per_stream=share)
        for stream_id in [stream_id for stream_id, frames in found.items() if not frames]:
            del found[stream_id]
            self._close(self._open[stream_id].stream)
            self._damaged.note(stream_id, LATER_FRAMES)
        self._unread -= {stream_id for stream_id in ready if len(found.get(stream_id, ())) < share}
        lane.active = set(found) or None
        return found

    def _refresh(self, *, moved: bool) -> None:
        self._unsettled |= self._listing.look(self._held)
        if moved:
            self._let_go()
        specs = self._listing.specs
        for stream_id in self._unsettled & self._open.keys():
            self._update(self._open[stream_id], specs.get(stream_id))
        wanted = [specs[stream_id] for stream_id in self._unsettled & specs.keys()]
        self._admit([spec for spec in wanted if spec.id not in self._open and spec.id not in self._closing])
        if self._unsettled:
            self._choices.keep_only(specs)
            self._set_lanes()
            self._tell(wanted, self._unsettled - specs.keys())
        self._unsettled = {spec.id for spec in wanted if not self._is_settled(spec)}
        self._forget({each for each in self._counted | self._resting if each not in specs} - self._closing.keys())
        self._rest()
        self._metrics.streams_damaged.set(self._damaged.keep_only(specs.keys()))
        self._metrics.streams.set(len(self._open) + len(self._closing))

    def _update(self, place: Place, spec: StreamSpec | None) -> None:
        """Follows a changed spec; a stream that is gone, or is to run on another model or to forget, is closed."""
        stream = place.stream
        if (
            spec is None
            or (spec.generation, spec.forgets) != (stream.spec.generation, stream.spec.forgets)
            or self._choices.runner_for(spec) is not stream.runner
        ):
            self._close(stream)
        elif spec is not place.spec:
            place.spec, place.is_away = spec, False
            if stream.id in self._counted or not place.is_over:
                self._count(place)
            self._news.append(Change(stream, spec))

    def _is_settled(self, spec: StreamSpec) -> bool:
        return spec.id in self._open and self._choices.is_met(spec)

    def _close(self, stream: Stream) -> None:
        """Reads no more of it; what was read and not yet given to a batch is read again by whoever opens it next."""
        self._lanes[stream.runner].batcher.discard([stream])
        del self._open[stream.id]
        self._arrivals.drop(stream)
        self._closing[stream.id] = stream
        self._unsettled.add(stream.id)
        self._unread.discard(stream.id)
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
        self._resting.difference_update(stream_ids)

    def _count(self, place: Place) -> None:
        """Begins the stream's own series, or follows its groups."""
        stream = place.stream
        self._metrics.add_stream(stream.id, stream.runner.manifest.labels, place.spec.groups)
        self._counted.add(stream.id)
        self._resting.discard(stream.id)

    def _rest(self) -> None:
        """Lets the series go of streams that are over."""
        places = [place for each in self._counted if (place := self._open.get(each))]
        over = {place.stream.id for place in places if place.is_away and place.is_over}
        self._metrics.rest(over)
        self._counted -= over
        self._resting = (self._resting | over) - set(self._metrics.sweep())

    def _hand_back(self) -> None:
        """Frees the partitions that fall to other workers, once what was read of them is committed."""
        if leaving := self._tenancy.leaving():
            busy = {stream.lease for stream in self._closing.values()}
            busy |= {place.stream.lease for place in self._open.values()}
            self._tenancy.give_back([lease for lease in leaving.values() if lease not in busy])

    def _admit(self, specs: list[StreamSpec]) -> None:
        layout = layout_of(self._client)
        wanted = [
            Stream(spec, self._held[layout.of(spec.id)], runner)
            for spec in specs
            if not self._damaged.rests(spec.id) and (runner := self._choices.runner_for(spec))
        ]
        if wanted:
            for opened in admit(self._client, wanted, self._damaged, self._metrics):
                stream = opened.stream
                known = EntryId.parse(opened.progress.cursor)
                place = self._open[stream.id] = Place(stream, stream.spec, opened.position, known)
                self._arrivals.put(place)
                if not place.is_over:
                    self._count(place)
                self._unread.add(stream.id)
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

    def _tell(self, specs: Iterable[StreamSpec], gone: Collection[str]) -> None:
        """Stores which model each stream runs on, and why not on the one it asks for, whenever that changes."""
        for stream_id in gone:
            self._told.pop(stream_id, None)
        said, layout = [], layout_of(self._client)
        for spec in specs:
            place = self._open.get(spec.id)
            model = place.stream.runner.manifest.reference if place else None
            reason = self._damaged.damage(spec.id) or self._choices.problem(spec.id)
            status = InferenceStatus(model=model, reason=reason)
            if status != InferenceStatus() and self._told.get(spec.id) != (spec.generation, status):
                said.append((spec, status, self._held[layout.of(spec.id)]))
        unsaid = self._registry.set_inference(said)
        self._told |= {spec.id: (spec.generation, status) for spec, status, _ in said if spec.id not in unsaid}
        for stream_id, damage in unsaid.items():
            if damage and (place := self._open.get(stream_id)):
                self._close(place.stream)
                self._damaged.note(stream_id, damage.what)
