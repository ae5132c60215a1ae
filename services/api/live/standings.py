"""How every stream stands now, for whoever counts or searches them all: what stands as it was is not parsed again."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import redis

from services.api.kept.known import KnownStreams
from services.api.schemas.streams import standing_of
from shared.records import Stored, StreamRecord
from shared.store.client import replies_of
from shared.streams import StreamState

HASHES = 4


class StreamNow(NamedTuple):
    """How one stream stands."""

    id: str
    groups: tuple[str, ...]
    pace: str
    model: str
    state: StreamState
    lag_frames: int
    passage: tuple[Stored, Stored]
    """what was published and passed, as stored: while both stand, so does its queue, but for what goes for age"""


class Standings:
    """Every stream as it is at each call; threads share it without waiting for each other.

    Specs are read where they have changed (`KnownStreams`), of the rest four hashes a partition: with 10,000 streams
    3 MB in one round trip. A record is parsed where a byte of it is another than the last time.
    """

    def __init__(self, client: redis.Redis, known: KnownStreams) -> None:
        self._client = client
        self._known = known
        self._former: dict[str, tuple[Sequence[Stored], StreamNow]] = {}

    def all(self) -> list[StreamNow]:
        """All that there are; raises StoreUnavailable."""
        partitions = [(keys, specs) for keys, specs in self._known.specs() if specs]
        pipeline = self._client.pipeline(transaction=False)
        for keys, _ in partitions:
            for key in (keys.status, keys.progress, keys.published, keys.inference):
                pipeline.hgetall(key)
        parts = list(map(_part, replies_of(pipeline)))
        former, now = self._former, dict[str, tuple[Sequence[Stored], StreamNow]]()
        for number, (_, specs) in enumerate(partitions):
            status, progress, published, inference = parts[HASHES * number : HASHES * (number + 1)]
            for stream_id, spec in specs.items():
                name = stream_id.encode()
                found = (spec, status(name), progress(name), published(name), inference(name))
                known = former.get(stream_id)
                if known is not None and known[0] == found:
                    now[stream_id] = known
                elif found[2] is not None:  # else it is about to be gone
                    now[stream_id] = found, _now(stream_id, found)
        self._former = now
        return [each for _, each in now.values()]

    def by_state(self) -> Counter[StreamState]:
        """How many are in which state; raises StoreUnavailable."""
        return Counter(each.state for each in self.all())


def _part(reply: Any) -> Callable[[bytes], Stored]:  # noqa: ANN401  (a hash, or why there is none)
    """What a hash holds of a stream; the error, of each, where it is none."""
    if isinstance(reply, Exception):
        return lambda _name: reply
    get: Callable[[bytes], Stored] = reply.get
    return get


def _now(stream_id: str, parts: Sequence[Stored]) -> StreamNow:
    record = StreamRecord.parse(stream_id, parts)  # nobody asks for its source
    spec, (state, _) = record.spec, standing_of(record)
    passage = parts[3], parts[2]
    return StreamNow(stream_id, spec.groups, spec.pace, spec.model, state, record.lag_frames, passage)
