"""Which streams there are, by their groups, names and tags, without reading again what has not changed."""

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import redis

from shared.records import parsed_spec
from shared.store.client import replies_of, translated
from shared.store.keys import PartitionKeys
from shared.store.layout.known import layout_of
from shared.store.layout.partitioning import Partitioning
from shared.streams import STREAM_ID_PATTERN, StreamSpec
from shared.words.redaction import redact

REREAD_SECONDS: Final = 8.0
"""So old may be what is known of a partition whose counter stands: what is written by hand, or before a failover whose
new master knows less, moves none."""


class KnownStream(NamedTuple):
    """What one finds a stream by."""

    id: str
    groups: tuple[str, ...]
    tags: tuple[str, ...]
    words: str
    """its id and its name, as it is shown, case-folded"""


@dataclass(frozen=True, slots=True)
class _Part:
    """What a partition held when its counter stood so."""

    counter: bytes | None
    read_at: float
    entries: Mapping[tuple[bytes, bytes], KnownStream | None]
    """(id, spec as stored) → the stream; None: it cannot be read"""
    by_group: Mapping[str, Sequence[str]]
    specs: Mapping[str, bytes]
    """id → spec as stored, in the ids' order, also where it cannot be read; what is no id, or lies elsewhere, is not
    among them"""


NOTHING: Final = _Part(None, -REREAD_SECONDS, {}, {}, {})


class KnownStreams:
    """The streams as they are at each call. Methods raise StoreUnavailable.

    Every script that writes a spec moves its partition's counter with it, and the counters are asked for at each call,
    before what is read: so whoever was taken out of a group is not found in it by any call that begins afterwards.
    Threads share it without waiting for each other; at worst two read the same.
    """

    def __init__(self, client: redis.Redis, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._parts: list[_Part] = []

    def ids(self) -> list[str]:
        """Every registered stream, also those that cannot be read, in the order of their ids."""
        return sorted(stream_id for part in self._look() for stream_id in part.specs)

    def specs(self) -> Iterator[tuple[PartitionKeys, Mapping[str, bytes]]]:
        """Each partition's specs as they are stored, by id; they are not to be changed."""
        return zip(layout_of(self._client).all, [part.specs for part in self._look()], strict=True)

    def all(self) -> dict[str, KnownStream]:
        """Those that can be read, by id."""
        return {stream.id: stream for part in self._look() for stream in part.entries.values() if stream}

    def in_groups(self, groups: Iterable[str]) -> list[str]:
        """The ids of those that are in one of the groups at least, each once."""
        wanted, parts = list(groups), self._look()
        return list(dict.fromkeys(found for part in parts for name in wanted for found in part.by_group.get(name, ())))

    def _look(self) -> list[_Part]:
        now, layout = self._clock(), layout_of(self._client)
        with translated():
            counters: Any = self._client.mget([keys.changes for keys in layout.all])
        if not self._parts:
            self._parts = [NOTHING] * layout.count
        parts = list(self._parts)
        outdated = [number for number, part in enumerate(parts) if not _stands(part, counters[number], now)]
        if not outdated:
            return parts
        pipeline = self._client.pipeline(transaction=False)
        for number in outdated:
            pipeline.hgetall(layout.keys(number).streams)
        for number, stored in zip(outdated, replies_of(pipeline), strict=True):
            former, counter = parts[number], counters[number]
            parts[number] = self._parts[number] = _read(layout, number, former, counter, now, stored)
        return parts


def _stands(part: _Part, counter: bytes | None, now: float) -> bool:
    """Whether what is known still holds; without a counter, as of one that is damaged, that is only that there is
    nothing: so it is in most partitions of a store with more of them than streams."""
    is_known = counter is not None or not part.entries
    return is_known and part.counter == counter and now - part.read_at < REREAD_SECONDS


def _read(
    layout: Partitioning,
    number: int,
    former: _Part,
    counter: bytes | None,
    now: float,
    stored: Any,  # noqa: ANN401  (a hash, or why there is none)
) -> _Part:
    if isinstance(stored, Exception):
        return NOTHING
    known = former.entries
    entries = {entry: known[entry] if entry in known else _parsed(*entry) for entry in stored.items()}
    by_group: defaultdict[str, list[str]] = defaultdict(list)
    for stream in filter(None, entries.values()):
        for name in stream.groups:
            by_group[name].append(stream.id)
    named = {name.decode(errors="replace"): text for name, text in sorted(stored.items())}
    specs = {each: text for each, text in named.items() if re.fullmatch(STREAM_ID_PATTERN, each)}
    own = {each: text for each, text in specs.items() if layout.of(each) == number}
    return _Part(counter, now, entries, by_group, own)


def _parsed(name: bytes, text: bytes) -> KnownStream | None:
    spec = parsed_spec(name, text)  # nobody is found by a source
    if not isinstance(spec, StreamSpec):
        return None
    return KnownStream(spec.id, spec.groups, spec.tags, f"{spec.id}\n{redact(spec.name)}".casefold())
