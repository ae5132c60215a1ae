"""Reading events and scores back, in pages whose cost does not grow with what is stored."""

import heapq
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis
from pydantic import ValidationError

from services.api.schemas.history import FrameScores
from shared.entries import EntryId, parse_scores
from shared.events import Event
from shared.store.client import replies_of, translated
from shared.store.keys import keys_of

MAX_SCANNED = 20_000

Place = tuple[int, str]


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events: `since_ms` <= start < `until_ms`, those that are `wanted`, and only those that come after `after`.

    `wanted` is asked of a stream's id and a label; `states`: None means all.

    The order is newest start first, and descending ids among equal starts; a Place is (start in ms, event id).
    """

    since_ms: int
    until_ms: int
    limit: int
    after: Place | None = None
    wanted: Callable[[str, str], bool] = lambda _stream_id, _label: True
    states: Collection[str] | None = None

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

    def add(
        self, ties: Sequence[tuple[bytes, float]], below: Sequence[tuple[bytes, float]], query: EventQuery
    ) -> list[Place]:
        """The places that may be wanted of the entries that start when `reached` does, and of those before."""
        places = [(int(score), member.decode()) for member, score in (*ties, *below)]
        fresh = [place for place in places if place < self.reached]
        self.reached = fresh[-1] if fresh else self.reached
        return [place for place in fresh if query.wanted(self.stream_id, _label_of(place[1]))]


class History:
    """Events and scores of all streams. Methods raise StoreUnavailable."""

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

    def scores(self, stream_id: str, since_ms: int, until_ms: int, limit: int) -> tuple[list[FrameScores], int | None]:
        """Scores of the frames in `since_ms` <= time < `until_ms`, oldest first, and where the next page begins."""
        if since_ms >= until_ms:
            return [], None
        with translated():
            entries: Any = self._client.xrange(
                keys_of(stream_id).scores(stream_id), f"{since_ms}-0", f"({until_ms}-0", count=limit
            )
        frames = [
            FrameScores(
                at_ms=EntryId.parse(entry_id).ms,
                scores=parse_scores(fields),
            )
            for entry_id, fields in entries
        ]
        return frames, frames[-1].at_ms + 1 if len(frames) == limit else None

    def _scan(self, scans: Sequence[_Scan], query: EventQuery, chunk: int) -> int:
        """Looks at the next `chunk` entries of each stream, in one round trip; returns how many there were."""
        pipeline = self._client.pipeline(transaction=False)
        for scan in scans:
            key, (at_ms, _) = keys_of(scan.stream_id).events(scan.stream_id), scan.reached
            pipeline.zrevrangebyscore(key, at_ms, max(at_ms, query.since_ms), withscores=True)
            pipeline.zrevrangebyscore(key, f"({at_ms}", query.since_ms, start=0, num=chunk, withscores=True)
        replies = [[] if isinstance(reply, Exception) else reply for reply in replies_of(pipeline)]
        found = [
            scan.add(ties, below, query) for scan, ties, below in zip(scans, replies[::2], replies[1::2], strict=True)
        ]
        fitting = self._in_states([place for places in found for place in places], query.states)
        for scan, places, below in zip(scans, found, replies[1::2], strict=True):
            scan.found += [place for place in places if fitting is None or place in fitting]
            scan.done = len(below) < chunk
        return sum(len(reply) for reply in replies)

    def _in_states(self, places: Sequence[Place], states: Collection[str] | None) -> set[Place] | None:
        """Those whose event stands so, which only the event itself tells; None: all."""
        if states is None:
            return None
        return {(event.started_at_ms, event.id) for event in self._load(places) if event.state in states}

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
