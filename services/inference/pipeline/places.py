"""Where streams' queues are read, which of them are to be read, and which streams are silent."""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

import redis

from services.inference.pipeline.batcher import Batcher
from services.inference.pipeline.messages import Item, Silence, Stream
from shared.entries import EntryId
from shared.store.client import replies_of
from shared.store.layout.known import layout_of
from shared.store.registry import PartitionCounters, in_turn
from shared.streams import StreamSpec
from shared.waiting import LONGEST_FOR_STORE_SECONDS

LONGEST_LOOK_SECONDS: Final = 1.0
"""So much of the time between two reads counts as silence: in more of it, Redis was away or this worker held up."""
LATE_SECONDS: Final = LONGEST_FOR_STORE_SECONDS
"""So late frames may come that ingest held back while Redis was away from it."""
BETWEEN_LOOKS_SECONDS: Final = 0.5
AWAY_SECONDS: Final = 1.0
"""So long frames of a camera that was away may lie unread."""
TURN_SECONDS: Final = 0.25
UNKNOWN: Final = b"?"


@dataclass(slots=True, eq=False)
class Place:
    """Where an open stream's queue is read: after the entry `position`; `spec` is what the user wants now.

    What lies up to the entry `known` is read for the memory's sake alone. `heard_at` is when it last had anything, by
    its lane's time.
    """

    stream: Stream
    spec: StreamSpec
    position: str
    known: EntryId
    heard_at: float | None = None
    is_silent: bool = False
    is_away: bool = False

    @property
    def is_over(self) -> bool:
        """Whether no frames are to be expected: it is paused, or the end of its source was read."""
        return self.spec.paused or EntryId.parse(self.position).number > 0

    def is_replay(self, entry: EntryId) -> bool:
        """Whether everything else is known of the entry."""
        return entry <= self.known


class Lane:
    """One model's way into the pipeline: frames that wait, and what is seen of its streams' queues."""

    def __init__(self, batcher: Batcher[Stream, Item], silent_seconds: float, now: float) -> None:
        self.batcher = batcher
        self.active: Collection[str] | None = None
        """the streams that had frames when it last read; None: nobody had"""
        self._silent_seconds = silent_seconds
        self._read_at = now
        self._seen_seconds = 0.0
        self._looked_at = 0.0

    def silences(self, heard: Iterable[Place], empty: Iterable[Place], now: float) -> list[Silence]:
        """Those of the empty queues' places that have fallen silent, or whose camera is away.

        `heard` had anything since the last time. Time is that in which it was seen what lies in the queues: else a
        Redis that is away, or a worker that is slow, would make streams silent. A camera is away once its next frame
        will find the memory too old; a recording that is worked off is only late.
        """
        self._seen_seconds += min(now - self._read_at, LONGEST_LOOK_SECONDS)
        self._read_at = now
        for place in heard:
            place.heard_at, place.is_silent, place.is_away = self._seen_seconds, False, False
        if self._seen_seconds - self._looked_at < BETWEEN_LOOKS_SECONDS:
            return []
        self._looked_at = self._seen_seconds
        silent: list[Stream] = []
        away: list[Stream] = []
        for place in empty:
            if place.heard_at is None:
                place.heard_at = self._seen_seconds
            seconds = self._seen_seconds - place.heard_at
            if not place.is_silent and seconds >= self._silent_seconds:
                place.is_silent = True
                silent.append(place.stream)
            if not place.is_away and seconds >= place.spec.reset_after_seconds + LATE_SECONDS:
                place.is_away = True
                if place.spec.pace == "live":
                    away.append(place.stream)
        return [Silence(streams, each) for streams, each in ((silent, False), (away, True)) if streams]


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
        open_in = [partition for partition in held if self._places.get(partition)]  # of many there may be few
        moved, now = self._counters.moved(open_in), self._clock()
        self._moved |= moved
        present = (place for partition in moved for place in self._places[partition].values() if not place.is_away)
        self._unread |= {place.stream.id for place in present}
        if open_in and now >= self._turn_at:
            self._turn, self._turn_at = self._turn + 1, now + TURN_SECONDS
            due = [self._places[partition] for partition in in_turn(sorted(open_in), self._turn)]
            places = (place for each in due for place in each.values())
            self._unread |= {place.stream.id for place in places if not (place.is_away and place.is_over)}
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
