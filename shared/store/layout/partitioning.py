"""Which partition a stream belongs to: a value that every client learns from the store it is connected to."""

import zlib
from dataclasses import dataclass
from functools import cache
from typing import Final

from shared.store.keys import FIRST_COUNT, PartitionKeys

MAX_COUNT: Final = 1024
FEED_ENTRIES: Final = 10_000
"""As many of a partition's feed are kept, the newest."""


@dataclass(frozen=True, slots=True)
class Partitioning:
    """So many partitions, numbered from 0, and the keys of each."""

    count: int = FIRST_COUNT
    moves: int = 0
    """How often the store was repartitioned: a place in the feeds of before is none in today's."""
    feed_entries: int = FEED_ENTRIES
    """As many of each feed are kept: more, where followers had more before them as feeds were joined."""

    @property
    def numbers(self) -> range:
        """All partitions."""
        return range(self.count)

    @property
    def all(self) -> tuple[PartitionKeys, ...]:
        """The keys of all partitions, by number."""
        return _all(self.count)

    def of(self, stream_id: str | bytes) -> int:
        """The partition that a stream's id hashes to."""
        return zlib.crc32(stream_id.encode() if isinstance(stream_id, str) else stream_id) % self.count

    def keys(self, partition: int) -> PartitionKeys:
        """The keys of one partition."""
        return _all(self.count)[partition]

    def keys_of(self, stream_id: str) -> PartitionKeys:
        """The keys of the partition that a stream belongs to."""
        return _all(self.count)[self.of(stream_id)]


@cache
def _all(count: int) -> tuple[PartitionKeys, ...]:
    return tuple(PartitionKeys(partition, count) for partition in range(count))
