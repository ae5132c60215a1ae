"""Which queues are to be read: those in whose partitions something came, without asking thousands that are empty."""

import time
from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Any, Final

import redis

from services.inference.pipeline.messages import Stream
from services.inference.pipeline.places import Place
from shared.store.client import replies_of
from shared.store.layout.known import layout_of
from shared.store.registry import PartitionCounters

AWAY_SECONDS: Final = 1.0
"""So long frames of a camera that was away may lie unread."""
TURN_SECONDS: Final = 0.25
UNKNOWN: Final = b"?"


class Arrivals:
    """Hears of each partition whether something came into any of its queues. Used by one thread.

    Where it did, the queues are read of the streams that send. Of those that are away it is first asked, once a second,
    how much of each was ever published: it is a few bytes a stream, in one answer a partition. What moves no number,
    such as the end of a source, and what moves no counter, is found as all queues of a partition are read in its turn.
    """

    def __init__(self, client: redis.Redis, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._counters = PartitionCounters(client, lambda keys: keys.arrivals)
        self._places: defaultdict[int, dict[str, Place]] = defaultdict(dict)
        self._published: dict[str, bytes | None] = {}
        self._unread: set[str] = set()
        self._moved: set[int] = set()
        self._away_at = self._turn_at = 0.0
        self._turn = 0

    def put(self, place: Place) -> None:
        """A stream is open."""
        self._places[place.stream.lease.partition][place.stream.id] = place

    def drop(self, stream: Stream) -> None:
        """It is so no more."""
        self._places[stream.lease.partition].pop(stream.id, None)
        self._published.pop(stream.id, None)
        self._unread.discard(stream.id)

    def look(self, held: Collection[int]) -> set[str]:
        """The open streams in whose queues something may lie since the last time.

        Two round trips at most; raises StoreUnavailable, and nothing is lost then.
        """
        moved, now = self._counters.moved(held), self._clock()
        self._moved |= moved
        present = (place for partition in moved for place in self._places[partition].values() if not place.is_away)
        self._unread |= {place.stream.id for place in present}
        if held and now >= self._turn_at:
            self._turn, self._turn_at = self._turn + 1, now + TURN_SECONDS
            self._unread |= self._places[sorted(held)[self._turn % len(held)]].keys()
        if self._moved and now >= self._away_at:
            self._unread |= self._woken()
            self._moved, self._away_at = set(), now + AWAY_SECONDS
        unread, self._unread = self._unread, set()
        return unread

    def _woken(self) -> set[str]:
        """Those that are away, in partitions that moved, and of which something was published."""
        asked = sorted(self._moved)
        pipeline, layout = self._client.pipeline(transaction=False), layout_of(self._client)
        for partition in asked:
            pipeline.hgetall(layout.keys(partition).published)
        woken: set[str] = set()
        for partition, reply in zip(asked, replies_of(pipeline), strict=True):
            counts: Any = {} if isinstance(reply, Exception) else reply
            for stream_id in [each for each, place in self._places[partition].items() if place.is_away]:
                count = counts.get(stream_id.encode())
                if count != self._published.get(stream_id, UNKNOWN):
                    self._published[stream_id] = count
                    woken.add(stream_id)
        return woken
