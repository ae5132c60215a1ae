"""Reading events back, in pages whose cost does not grow with what is stored."""

import heapq
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis

from services.api.protocol.parameters import MAX_MS
from services.api.schemas.history import LabelScore
from shared.entries import EntryId, parse_scores
from shared.events import Event
from shared.life.event_desk import EventDesk, MarkedEvent
from shared.store.client import replies_of, translated
from shared.store.layout.known import layout_of

MAX_SCANNED = 20_000
AROUND_MS = 10_000
MAX_AROUND = 500

Place = tuple[int, str]


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events: `since_ms` <= start < `until_ms`, those that are `wanted`, and only those that come after `after`.

    `wanted` is asked of a stream's id and a label; `picks` gives, of the ids of many, those that do; `fits` is asked of
    an event itself, with its marks: None means that all do.

    The order is newest start first, and descending ids among equal starts; a Place is (start in ms, event id).
    """

    since_ms: int
    until_ms: int
    limit: int
    after: Place | None = None
    wanted: Callable[[str, str], bool] = lambda _stream_id, _label: True
    picks: Callable[[Sequence[str]], Collection[str]] | None = None
    fits: Callable[[MarkedEvent], bool] | None = None

    @property
    def start(self) -> Place:
        """The place right before the first event that the query may give."""
        before_until = (self.until_ms, "")
        return min(self.after, before_until) if self.after else before_until

    def gives(self, place: Place, stream_id: str) -> bool:
        """Whether the query may give the event of the stream."""
        return place[0] >= self.since_ms and place < self.start and self.wanted(stream_id, _label_of(place[1]))


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
    """Events of all streams. Methods raise StoreUnavailable."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._desk = EventDesk(client)

    def events(self, stream_ids: Iterable[str], query: EventQuery) -> tuple[list[MarkedEvent], Place | None]:
        """A page of events over the streams, and the place after which the next one goes on (None: nothing is left).

        Every stream is scanned from its newest event down, in chunks, and on only while it could still hold an event
        of the page. A label that is rare ends the page early, after MAX_SCANNED entries: the next one goes on there.
        """
        scans = [_Scan(stream_id, query.start) for stream_id in stream_ids]
        self._add_kept(scans, query)
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

    def scores_around(self, event: Event) -> list[LabelScore]:
        """Its label's scores from a little before its start to a little after its end."""
        ended_ms = MAX_MS - AROUND_MS if event.ended_at_ms is None else event.ended_at_ms
        since, until = f"{max(0, event.started_at_ms - AROUND_MS)}-0", f"({ended_ms + AROUND_MS}-0"
        with translated():
            key = layout_of(self._client).keys_of(event.stream_id).scores(event.stream_id)
            entries: Any = self._client.xrange(key, since, until, count=MAX_AROUND)
        found = ((EntryId.parse(name).ms, parse_scores(fields).get(event.label)) for name, fields in entries)
        return [LabelScore(at_ms=at_ms, score=score) for at_ms, score in found if score is not None]

    def _scan(self, scans: Sequence[_Scan], query: EventQuery, chunk: int) -> int:
        """Looks at the next `chunk` entries of each stream, in one round trip; returns how many there were."""
        pipeline, layout = self._client.pipeline(transaction=False), layout_of(self._client)
        for scan in scans:
            key, (at_ms, _) = layout.keys_of(scan.stream_id).events(scan.stream_id), scan.reached
            pipeline.zrevrangebyscore(key, at_ms, max(at_ms, query.since_ms), withscores=True)
            pipeline.zrevrangebyscore(key, f"({at_ms}", query.since_ms, start=0, num=chunk, withscores=True)
        replies = [[] if isinstance(reply, Exception) else reply for reply in replies_of(pipeline)]
        found = [
            scan.add(ties, below, query) for scan, ties, below in zip(scans, replies[::2], replies[1::2], strict=True)
        ]
        fitting = self._fitting([place for places in found for place in places], query)
        for scan, places, below in zip(scans, found, replies[1::2], strict=True):
            scan.found += [place for place in places if place in fitting]
            scan.done = len(below) < chunk
        return sum(len(reply) for reply in replies)

    def _fitting(self, places: Sequence[Place], query: EventQuery) -> set[Place]:
        """Those that are picked, and whose event fits, which only the event itself tells."""
        if query.picks is not None:
            picked = query.picks([event_id for _, event_id in places])
            places = [place for place in places if place[1] in picked]
        if query.fits is None:
            return set(places)
        return {(marked.event.started_at_ms, marked.event.id) for marked in self._load(places) if query.fits(marked)}

    def _add_kept(self, scans: Sequence[_Scan], query: EventQuery) -> None:
        """What the query may give of the events that people keep, which lie apart."""
        by_id = {scan.stream_id: scan for scan in scans}
        pipeline, layout = self._client.pipeline(transaction=False), layout_of(self._client)
        for key in {layout.keys_of(stream_id).kept for stream_id in by_id}:
            pipeline.hkeys(key)
        given: list[Place] = []
        for reply in replies_of(pipeline):
            for event_id in () if isinstance(reply, Exception) else map(bytes.decode, reply):
                stream_id, start = event_id.partition(".")[0], event_id.rpartition(".")[2]
                if stream_id in by_id and start.isdecimal() and query.gives((int(start), event_id), stream_id):
                    given.append((int(start), event_id))
        for place in self._fitting(given, query):
            by_id[place[1].partition(".")[0]].found.append(place)

    def _load(self, places: Sequence[Place]) -> list[MarkedEvent]:
        """The events themselves; those that were trimmed away meanwhile, or cannot be read, are left out."""
        return self._desk.find(event_id for _, event_id in places)


def _label_of(event_id: str) -> str:
    """The label in an event's id (`shared.events.event_id`)."""
    return event_id.split(".")[1]
