"""Reading events back, in pages whose cost does not grow with what is stored."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import redis
from pydantic import ValidationError

from shared.events import Event
from shared.store.client import replies_of
from shared.store.keys import keys_of

MAX_SCANNED = 20_000

Place = tuple[int, str]


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events: `since_ms` <= start < `until_ms`, one label or all, and only those that come after `after`.

    The order is newest start first, and descending ids among equal starts; a Place is (start in ms, event id).
    """

    since_ms: int
    until_ms: int
    limit: int
    label: str | None = None
    after: Place | None = None

    @property
    def start(self) -> Place:
        """The place right before the first event that the query may give."""
        before_until = (self.until_ms, "")
        return min(self.after, before_until) if self.after else before_until


@dataclass(slots=True)
class _Scan:
    """How far one stream's events were looked at, from the newest down, and what matched."""

    stream_id: str
    reached: Place
    done: bool = False
    found: list[Place] = field(default_factory=list)

    def add(self, ties: Sequence[tuple[bytes, float]], below: Sequence[tuple[bytes, float]], label: str | None) -> None:
        """Takes in the entries that start when `reached` does, and those that start before."""
        places = [(int(score), member.decode()) for member, score in (*ties, *below)]
        fresh = [place for place in places if place < self.reached]
        self.found += [place for place in fresh if label in {None, _label_of(place[1])}]
        self.reached = fresh[-1] if fresh else self.reached


class History:
    """Events of all streams. Methods raise StoreUnavailable."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def events(self, stream_ids: Iterable[str], query: EventQuery) -> tuple[list[Event], Place | None]:
        """A page of events over the streams, and the place after which the next one goes on (None: nothing is left).

        Every stream is scanned from its newest event down, in chunks, and on only while it could still hold an event
        of the page. A label that is rare ends the page early, after MAX_SCANNED entries: the next one goes on there.
        """
        scans = [_Scan(stream_id, query.start) for stream_id in stream_ids]
        pending, chunk, scanned = scans, query.limit // max(1, len(scans)) + 1, 0
        best: list[Place] = []
        while pending and scanned <= MAX_SCANNED:
            scanned += self._scan(pending, query, chunk)
            best = heapq.nlargest(query.limit + 1, (place for scan in scans for place in scan.found))
            lowest = best[-1] if len(best) > query.limit else None
            pending = [scan for scan in pending if not scan.done and (lowest is None or scan.reached > lowest)]
            chunk *= 2
        if pending:
            horizon = max(scan.reached for scan in pending)
            return self._load([place for place in best if place >= horizon]), horizon
        page = best[: query.limit]
        return self._load(page), page[-1] if len(best) > query.limit else None

    def event(self, event_id: str) -> Event | None:
        """One event by its id, or None."""
        loaded = self._load([(0, event_id)])
        return loaded[0] if loaded else None

    def _scan(self, scans: Sequence[_Scan], query: EventQuery, chunk: int) -> int:
        """Looks at the next `chunk` entries of each stream, in one round trip; returns how many there were."""
        pipeline = self._client.pipeline(transaction=False)
        for scan in scans:
            key, (at_ms, _) = keys_of(scan.stream_id).events(scan.stream_id), scan.reached
            pipeline.zrevrangebyscore(key, at_ms, max(at_ms, query.since_ms), withscores=True)
            pipeline.zrevrangebyscore(key, f"({at_ms}", query.since_ms, start=0, num=chunk, withscores=True)
        replies = [[] if isinstance(reply, Exception) else reply for reply in replies_of(pipeline)]
        for scan, ties, below in zip(scans, replies[::2], replies[1::2], strict=True):
            scan.add(ties, below, query.label)
            scan.done = len(below) < chunk
        return sum(len(reply) for reply in replies)

    def _load(self, places: Sequence[Place]) -> list[Event]:
        """The events themselves; those that were trimmed away meanwhile, or cannot be read, are left out."""
        pipeline = self._client.pipeline(transaction=False)
        for _, event_id in places:
            stream_id = event_id.partition(".")[0]
            pipeline.hget(keys_of(stream_id).event_data(stream_id), event_id)
        stored = replies_of(pipeline)
        return [event for text in stored if isinstance(text, bytes) and (event := _parse(text)) is not None]


def _label_of(event_id: str) -> str:
    """The label in an event's id (`shared.events.event_id`)."""
    return event_id.split(".")[1]


def _parse(text: bytes) -> Event | None:
    try:
        return Event.model_validate_json(text)
    except ValidationError:
        return None
