"""The registry: which streams there are and what is known of each. Every change is one script on one partition."""

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import redis

from shared.errors import Fenced, StreamExists, StreamUnknown
from shared.manifest import OFFLINE
from shared.records import StreamRecord, Unreadable, parsed_spec
from shared.sources import SEALED
from shared.store.client import replies_of, translated
from shared.store.errors import Damaged
from shared.store.keys import FIRST_COUNT, PartitionKeys
from shared.store.layout.known import layout_of
from shared.store.leases import OWNS, Lease
from shared.store.scripts import EVENTS, WRONG, Script, lua
from shared.streams import STREAM_ID_PATTERN, InferenceStatus, Progress, StreamSpec, StreamStatus

if TYPE_CHECKING:
    from shared.words.sealing import Vault

FENCED = 2
TURN_SECONDS = 0.25
NUM_PARTS: Final = 5
"""A record's, each in a hash of its own."""
ADD: Final = lua("stream_add")
REPLACE: Final = lua("replace")
REMOVE: Final = WRONG + EVENTS + lua("stream_remove")
SET_IF_CURRENT: Final = OWNS + WRONG + lua("stream_set_if_current")


class PartitionCounters:
    """A counter of each partition, by which one tells whether there is news in it. Used by one thread.

    What is written by hand or by an earlier version moves none, so one partition after another counts as moved anyway.
    """

    def __init__(self, client: redis.Redis, key: Callable[[PartitionKeys], str]) -> None:
        self._client = client
        self._key = key
        self._known: dict[int, bytes | None] = {}
        self._turn, self._turn_at = 0, 0.0

    def moved(self, partitions: Iterable[int]) -> set[int]:
        """Those whose counter has moved since they were last asked about, or that were not asked about then.

        One round trip; raises StoreUnavailable.
        """
        asked = sorted(partitions)
        if not asked:
            self._known = {}
            return set()
        layout = layout_of(self._client)
        with translated():
            values: Any = self._client.mget([self._key(layout.keys(partition)) for partition in asked])
        former, self._known = self._known, dict(zip(asked, values, strict=True))
        moved = {each for each in asked if each not in former or former[each] != self._known[each]}
        if (now := time.monotonic()) >= self._turn_at:
            self._turn, self._turn_at = self._turn + 1, now + TURN_SECONDS
            moved |= in_turn(asked, self._turn)
        return moved


def in_turn(partitions: Sequence[int], turn: int) -> set[int]:
    """The partition whose turn it is, or none: few take theirs no more often than all of 32 would."""
    place = turn % max(len(partitions), FIRST_COUNT)
    return set(partitions[place : place + 1])


class RegistryListing:
    """What is registered in some partitions, as of the last look. Used by one thread.

    `specs` by stream id: what has not changed is the same object. `unreadable`: what is wrong with those whose spec
    this version cannot read; they are looked at anew each time.
    """

    def __init__(self, client: redis.Redis, vault: "Vault | None" = None) -> None:
        self.specs: dict[str, StreamSpec] = {}
        self.unreadable: dict[str, str] = {}
        self._client = client
        self._vault = vault
        self._changes = PartitionCounters(client, lambda keys: keys.changes)
        self._parsed: dict[int, dict[tuple[bytes, bytes], StreamSpec | Unreadable]] = {}
        self._outdated: set[int] = set()

    def look(self, partitions: Iterable[int]) -> set[str]:
        """Reads the partitions where something has changed; the ids of streams that are new, changed or gone.

        Two round trips at most; raises StoreUnavailable, and nothing is lost then.
        """
        wanted = set(partitions)
        self._outdated = (self._outdated | self._changes.moved(wanted)) & wanted
        read = sorted(self._outdated)
        pipeline, layout = self._client.pipeline(transaction=False), layout_of(self._client)
        for partition in read:
            pipeline.hgetall(layout.keys(partition).streams)
        replies = replies_of(pipeline) if read else []
        left: list[tuple[int, Any]] = [(partition, {}) for partition in self._parsed.keys() - wanted]
        changed = {stream_id for found in (*left, *zip(read, replies, strict=True)) for stream_id in self._take(*found)}
        self._parsed = {partition: parsed for partition, parsed in self._parsed.items() if partition in wanted}
        return changed

    def _take(self, partition: int, stored: Any) -> set[str]:  # noqa: ANN401  (a hash, or why there is none)
        key, former = layout_of(self._client).keys(partition).streams, self._parsed.get(partition, {})
        is_hash = not isinstance(stored, Exception)
        entries = stored.items() if is_hash else ()
        parsed = {entry: former.get(entry) or parsed_spec(entry[0], entry[1], self._vault) for entry in entries}
        self._parsed[partition] = parsed
        gone, new = former.keys() - parsed.keys(), parsed.keys() - former.keys()
        for name, _ in gone:
            self.specs.pop(_id_of(name), None)
            self.unreadable.pop(_id_of(name), None)
        for entry in new:
            spec = parsed[entry]
            if isinstance(spec, StreamSpec):
                self.specs[spec.id] = spec
            else:
                self.unreadable[spec.stream_id] = spec.what
        self.unreadable.pop(key, None)
        if not is_hash:
            self.unreadable[key] = "is no hash"
        if is_hash and all(isinstance(each, StreamSpec) for each in parsed.values()):
            self._outdated.discard(partition)
        return {_id_of(name) for name, _ in gone | new}


class Registry:
    """Streams by id. Every method raises StoreUnavailable when Redis does not answer.

    Without a vault, specs are stored as they are, and those that were sealed are without their source.
    """

    def __init__(self, client: redis.Redis, vault: "Vault | None" = None) -> None:
        self._client = client
        self._vault = vault

    def add(self, spec: StreamSpec) -> None:
        """Registers a stream; raises StreamExists where the id is used."""
        keys = layout_of(self._client).keys_of(spec.id)
        arguments = [spec.id, self._text_of(spec), str(Progress(spec.generation))]
        with translated():
            added = Script(self._client, ADD)([keys.streams, keys.progress, keys.changes], arguments)
        if not added:
            raise StreamExists(f"stream id {spec.id!r} is used already")

    def replace(self, seen: StreamSpec, wanted: StreamSpec) -> bool:
        """Stores `wanted`, as the next revision, if the stored spec still equals `seen`; whether it did, now or before.

        Equal is what says the same: an earlier version may have written it in other words.
        """
        keys = layout_of(self._client).keys_of(seen.id)
        wanted = wanted.model_copy(update={"revision": seen.revision + 1})
        with translated():
            stored: Any = self._client.hget(keys.streams, seen.id)
        present = parsed_spec(seen.id, stored, self._vault) if stored else None
        if present != seen:
            return present == wanted
        with translated():
            arguments = [seen.id, stored, self._text_of(wanted)]
            return bool(Script(self._client, REPLACE)([keys.streams, keys.changes], arguments))

    def partition_of(self, stream_id: str) -> int:
        """The partition that a stream belongs to."""
        return layout_of(self._client).of(stream_id)

    def counts(self) -> list[int]:
        """How many streams there are, by partition."""
        pipeline = self._client.pipeline(transaction=False)
        for keys in layout_of(self._client).all:
            pipeline.hlen(keys.streams)
        return [reply if isinstance(reply, int) else 0 for reply in replies_of(pipeline)]

    def remove(self, stream_id: str, check: Callable[[StreamSpec], object] | None = None) -> StreamSpec:
        """Removes a stream and all its keys, and returns what was asked of it; the feed tells that its open events
        closed. Raises StreamUnknown.

        `check` is given the very spec that goes, and raises where that must stay.
        """
        layout = layout_of(self._client)
        keys = layout.keys_of(stream_id)
        hashes = [keys.open, keys.progress, keys.status, keys.inference, keys.published, keys.state, keys.memory]
        named = [keys.streams, keys.changes, keys.feed, keys.kept, *hashes, *keys.own(stream_id)]
        while found := self._parts([stream_id]):
            _, parts = found[0]
            spec = StreamRecord.parse(stream_id, parts, self._vault).spec
            if check:
                check(spec)
            stored = parts[0] if isinstance(parts[0], bytes) else b""  # Redis says what is wrong
            with translated():
                if Script(self._client, REMOVE)(named, [stream_id, OFFLINE, layout.feed_entries, stored]):
                    return spec
        raise StreamUnknown(f"no stream has the id {stream_id!r}")

    def get(self, stream_id: str) -> StreamRecord:
        """One stream; raises StreamUnknown."""
        records = self.records([stream_id])
        if not records:
            raise StreamUnknown(f"no stream has the id {stream_id!r}")
        return records[0]

    def records(self, stream_ids: Iterable[str]) -> list[StreamRecord]:
        """Those of the streams that exist, in the given order; what cannot be read of one is said in its record."""
        found = self._parts(stream_ids)
        return [StreamRecord.parse(stream_id, parts, self._vault) for stream_id, parts in found]

    def _parts(self, stream_ids: Iterable[str]) -> list[tuple[str, list[Any]]]:
        """What Redis has of those that exist, as StreamRecord reads it."""
        by_partition: defaultdict[PartitionKeys, list[str]] = defaultdict(list)
        wanted, layout = list(dict.fromkeys(stream_ids)), layout_of(self._client)
        for stream_id in wanted:
            by_partition[layout.keys_of(stream_id)].append(stream_id)
        pipeline = self._client.pipeline(transaction=False)
        for keys, named in by_partition.items():
            for key in (keys.streams, keys.status, keys.progress, keys.published, keys.inference):
                pipeline.hmget(key, named)
        replies = iter(replies_of(pipeline) if wanted else ())
        rows: dict[str, list[Any]] = {stream_id: [] for stream_id in wanted}
        for named in by_partition.values():
            for reply in islice(replies, NUM_PARTS):
                for at, stream_id in enumerate(named):
                    rows[stream_id].append(reply if isinstance(reply, Exception) else reply[at])
        return [(stream_id, row) for stream_id, row in rows.items() if row[0] is not None and row[2] is not None]

    def ids(self) -> list[str]:
        """Every registered stream, also those that cannot be read; what is no id, or lies elsewhere, is nobody's."""
        pipeline, layout = self._client.pipeline(transaction=False), layout_of(self._client)
        for keys in layout.all:
            pipeline.hkeys(keys.streams)
        replies = zip(layout.all, replies_of(pipeline), strict=True)
        found = [(keys, name) for keys, reply in replies if not isinstance(reply, Exception) for name in reply]
        named = [(keys, name.decode(errors="replace")) for keys, name in found]
        return [name for keys, name in named if re.fullmatch(STREAM_ID_PATTERN, name) and layout.keys_of(name) == keys]

    def listing(self) -> RegistryListing:
        """A listing of one's own."""
        return RegistryListing(self._client, self._vault)

    def seal_anew(self, stream_id: str) -> bool:
        """Stores a stream's source under the first key; returns False where it is encrypted with a key not here.

        Raises StreamUnknown.
        """
        while True:
            record = self.get(stream_id)
            if record.spec.source in {"", SEALED}:
                return False
            if self.replace(record.spec, record.spec):
                return True

    def specs(self) -> dict[str, StreamSpec]:
        """Every registered stream that can be read."""
        listing = self.listing()
        listing.look(layout_of(self._client).numbers)
        return listing.specs

    def set_status(self, stream_id: str, status: StreamStatus, lease: Lease) -> bool:
        """Stores what ingest sees; returns False where that generation of the stream is gone. Raises Fenced."""
        keys = layout_of(self._client).keys_of(stream_id)
        named = [keys.progress, keys.status, *keys.ownership("ingest")]
        arguments = [stream_id, status.generation, status.model_dump_json(), str(lease)]
        with translated():
            outcome = Script(self._client, SET_IF_CURRENT)(named, arguments)
        if outcome == FENCED:
            raise Fenced(f"stream {stream_id!r}: its partition is another worker's")
        return bool(outcome)

    def set_inference(self, said: Iterable[tuple[StreamSpec, InferenceStatus, Lease]]) -> dict[str, Damaged | None]:
        """Stores what inference sees of streams, in one round trip, but for generations that are gone.

        Returns those of which nothing is stored otherwise: what is damaged, None where a partition is another worker's.
        """
        calls: list[tuple[list[str], list[Any]]] = []
        layout = layout_of(self._client)
        for spec, status, lease in said:
            keys = layout.keys_of(spec.id)
            named = [keys.progress, keys.inference, *keys.ownership("inference")]
            calls.append((named, [spec.id, spec.generation, status.model_dump_json(), str(lease)]))
        with translated():
            outcomes = Script(self._client, SET_IF_CURRENT).many(calls)
        answered = [(arguments[0], outcome) for (_, arguments), outcome in zip(calls, outcomes, strict=True)]
        fenced = {stream_id: None for stream_id, outcome in answered if outcome == FENCED}
        return fenced | {stream_id: outcome for stream_id, outcome in answered if isinstance(outcome, Damaged)}

    def _text_of(self, spec: StreamSpec) -> str:
        return spec.model_dump_json(context=self._vault)


def _id_of(name: bytes) -> str:
    return name.decode(errors="backslashreplace")
