"""The registry: which streams there are and what is known of each. Every change is one script on one partition."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import redis

from shared.errors import Fenced, StreamExists, StreamUnknown
from shared.keys import PARTITIONS, keys_of
from shared.leases import OWNS, Lease
from shared.records import StreamRecord, Unreadable, parsed_spec
from shared.scripts import Script
from shared.store import replies_of, translated
from shared.streams import STREAM_ID_PATTERN, InferenceStatus, Progress, StreamSpec, StreamStatus

FENCED = 2
ADD = """
-- Registers a stream unless its id is taken; asked twice for the very same one, as after a lost reply, it agrees.
-- KEYS: 1 streams, 2 progress    ARGV: 1 stream id, 2 spec, 3 progress
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then
  return redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] and 1 or 0
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
return 1
"""

REPLACE = """
-- Replaces a stream's spec if it is still the one that the caller saw.
-- KEYS: 1 streams    ARGV: 1 stream id, 2 the spec seen, 3 the new spec
local current = redis.call('HGET', KEYS[1], ARGV[1])
if current == ARGV[3] then return 1 end
if current ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""

REMOVE = """
-- Removes a stream and everything that is kept of it.
-- KEYS: 1 streams, 2.. the partition's other hashes by stream id, last four the stream's own keys    ARGV: 1 stream id
local known = redis.call('HDEL', KEYS[1], ARGV[1])
for i = 2, #KEYS - 4 do redis.call('HDEL', KEYS[i], ARGV[1]) end
redis.call('UNLINK', unpack(KEYS, #KEYS - 3))
return known
"""

SET_IF_CURRENT = """
-- Writes a hash field of a stream only under a lease that stands, while that generation of the stream is registered.
-- KEYS: 1 progress, 2 hash, 3 lease, 4 fence    ARGV: 1 stream id, 2 generation, 3 value, 4 lease
if not owns(KEYS[3], KEYS[4], ARGV[4]) then return 2 end
local progress = redis.call('HGET', KEYS[1], ARGV[1])
if not progress or string.match(progress, '^%d+') ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[2], ARGV[1]) -- before what takes memory
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
return 1
"""


@dataclass(frozen=True, slots=True)
class RegistryListing:
    """What is registered: the streams by id, and those whose spec this version cannot read, with what is wrong."""

    specs: dict[str, StreamSpec]
    unreadable: dict[str, str]


class Registry:
    """Streams by id. Every method raises StoreUnavailable when Redis does not answer."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._parsed: dict[tuple[bytes, bytes], StreamSpec | Unreadable] = {}

    def add(self, spec: StreamSpec) -> None:
        """Registers a stream; raises StreamExists where the id is used."""
        keys = keys_of(spec.id)
        arguments = [spec.id, spec.model_dump_json(), str(Progress(spec.generation))]
        with translated():
            added = Script(self._client, ADD)([keys.streams, keys.progress], arguments)
        if not added:
            raise StreamExists(f"stream id {spec.id!r} is used already")

    def replace(self, seen: StreamSpec, wanted: StreamSpec) -> bool:
        """Stores `wanted` if the stored spec still equals `seen`; returns whether it did, now or before.

        Equal is what says the same: an earlier version may have written it in other words.
        """
        key = keys_of(seen.id).streams
        with translated():
            stored: Any = self._client.hget(key, seen.id)
        present = parsed_spec(seen.id, stored) if stored else None
        if present != seen:
            return present == wanted
        with translated():
            return bool(Script(self._client, REPLACE)([key], [seen.id, stored, wanted.model_dump_json()]))

    def remove(self, stream_id: str) -> None:
        """Removes a stream and all its keys; raises StreamUnknown."""
        keys = keys_of(stream_id)
        hashes = [keys.status, keys.inference, keys.published, keys.progress, keys.state]
        own = [keys.frames(stream_id), keys.scores(stream_id), keys.events(stream_id), keys.event_data(stream_id)]
        with translated():
            known = Script(self._client, REMOVE)([keys.streams, *hashes, *own], [stream_id])
        if not known:
            raise StreamUnknown(f"no stream has the id {stream_id!r}")

    def get(self, stream_id: str) -> StreamRecord:
        """One stream; raises StreamUnknown."""
        records = self.records([stream_id])
        if not records:
            raise StreamUnknown(f"no stream has the id {stream_id!r}")
        return records[0]

    def records(self, stream_ids: Iterable[str]) -> list[StreamRecord]:
        """Those of the streams that exist, in the given order; what cannot be read of one is said in its record."""
        wanted = list(stream_ids)
        pipeline = self._client.pipeline(transaction=False)
        for stream_id in wanted:
            keys = keys_of(stream_id)
            for key in (keys.streams, keys.status, keys.progress, keys.published, keys.inference):
                pipeline.hget(key, stream_id)
        replies = replies_of(pipeline)
        rows = [replies[start : start + 5] for start in range(0, len(replies), 5)]
        return [
            StreamRecord.parse(stream_id, *row)
            for stream_id, row in zip(wanted, rows, strict=True)
            if row[0] is not None and row[2] is not None
        ]

    def ids(self) -> list[str]:
        """Every registered stream, also those that cannot be read; what is no id, or lies elsewhere, is nobody's."""
        pipeline = self._client.pipeline(transaction=False)
        for keys in PARTITIONS:
            pipeline.hkeys(keys.streams)
        replies = zip(PARTITIONS, replies_of(pipeline), strict=True)
        found = [(keys, name) for keys, reply in replies if not isinstance(reply, Exception) for name in reply]
        named = [(keys, name.decode(errors="replace")) for keys, name in found]
        return [name for keys, name in named if re.fullmatch(STREAM_ID_PATTERN, name) and keys_of(name) == keys]

    def specs(self, partitions: Iterable[int] = range(len(PARTITIONS))) -> dict[str, StreamSpec]:
        """Every registered stream of the partitions, in one pipelined round trip; unreadable specs are left out."""
        return self.listing(partitions).specs

    def listing(self, partitions: Iterable[int] = range(len(PARTITIONS))) -> RegistryListing:
        """The same, with the unreadable ones told apart."""
        asked = [PARTITIONS[partition].streams for partition in partitions]
        pipeline = self._client.pipeline(transaction=False)
        for key in asked:
            pipeline.hgetall(key)
        replies = dict(zip(asked, replies_of(pipeline), strict=True))
        damaged = {key: "is no hash" for key, reply in replies.items() if isinstance(reply, Exception)}
        stored = [entry for key, reply in replies.items() if key not in damaged for entry in reply.items()]
        self._parsed = {entry: self._parsed.get(entry) or parsed_spec(*entry) for entry in stored}
        specs = {spec.id: spec for spec in self._parsed.values() if isinstance(spec, StreamSpec)}
        unreadable = {each.stream_id: each.what for each in self._parsed.values() if isinstance(each, Unreadable)}
        return RegistryListing(specs, damaged | unreadable)

    def set_status(self, stream_id: str, status: StreamStatus, lease: Lease) -> bool:
        """Stores what ingest sees; returns False where that generation of the stream is gone. Raises Fenced."""
        keys = keys_of(stream_id)
        arguments = [stream_id, status.generation, status.model_dump_json(), str(lease)]
        return self._set_if_current([keys.progress, keys.status, *keys.ownership("ingest")], arguments)

    def set_inference(self, spec: StreamSpec, status: InferenceStatus, lease: Lease) -> bool:
        """Stores what inference sees; returns False where that generation of the stream is gone. Raises Fenced."""
        keys = keys_of(spec.id)
        arguments = [spec.id, spec.generation, status.model_dump_json(), str(lease)]
        return self._set_if_current([keys.progress, keys.inference, *keys.ownership("inference")], arguments)

    def _set_if_current(self, keys: list[str], arguments: list[Any]) -> bool:
        with translated():
            outcome = Script(self._client, OWNS + SET_IF_CURRENT)(keys, arguments)
        if outcome == FENCED:
            raise Fenced(f"stream {arguments[0]!r}: its partition is another worker's")
        return bool(outcome)
