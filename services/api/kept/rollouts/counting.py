"""How many events models raised in stretches of time, and how many of them people judged wrong."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final, NamedTuple

import redis
from pydantic import ValidationError

from shared.life.marks import MARKS_SUFFIX, EventMarks
from shared.manifest import OFFLINE
from shared.store.client import replies_of
from shared.store.layout.known import layout_of

MAX_COUNTED: Final = 20_000
"""Events of all streams in one stretch, shared equally among them; of each stream the newest, but LEAST at least."""
LEAST: Final = 50
STREAMS_AT_ONCE: Final = 100


class EventCount(NamedTuple):
    """Events, and those of them that were judged wrong."""

    events: int
    wrong: int


def count_events(client: redis.Redis, stretches: Mapping[str, tuple[int, int]]) -> EventCount:
    """The events that began in each stream's stretch, from (inclusive) and to (exclusive) in ms.

    Those that are ingest's, `offline`, are no model's. Raises StoreUnavailable.
    """
    most = max(LEAST, MAX_COUNTED // max(1, len(stretches)))
    events, wrong, left = 0, 0, iter(stretches.items())
    while some := dict(islice(left, STREAMS_AT_ONCE)):
        found = _ids(client, some, most)
        events += sum(map(len, found.values()))
        wrong += _wrong(client, found)
    return EventCount(events, wrong)


def _ids(client: redis.Redis, stretches: Mapping[str, tuple[int, int]], most: int) -> dict[str, list[str]]:
    """Ids of the events in each stream's stretch, the listed ones and those that people keep."""
    pipeline, layout = client.pipeline(transaction=False), layout_of(client)
    kept = list({layout.keys_of(stream_id).kept for stream_id in stretches})
    for stream_id, (since_ms, until_ms) in stretches.items():
        key = layout.keys_of(stream_id).events(stream_id)
        pipeline.zrevrangebyscore(key, f"({until_ms}", since_ms, start=0, num=most)
    for key in kept:
        pipeline.hkeys(key)
    replies = [() if isinstance(reply, Exception) else reply for reply in replies_of(pipeline)]
    found: defaultdict[str, set[str]] = defaultdict(set)
    for reply in replies:
        for event_id in map(bytes.decode, reply):
            stream_id, label, start = (*event_id.split("."), "", "")[:3]
            since_ms, until_ms = stretches.get(stream_id, (0, 0))
            if label != OFFLINE and start.isdecimal() and since_ms <= int(start) < until_ms:
                found[stream_id].add(event_id)
    return {stream_id: sorted(ids, key=_start)[-most:] for stream_id, ids in found.items()}


def _wrong(client: redis.Redis, event_ids: Mapping[str, Iterable[str]]) -> int:
    """How many of them people judged wrong."""
    pipeline, layout = client.pipeline(transaction=False), layout_of(client)
    for stream_id, ids in event_ids.items():
        keys, names = layout.keys_of(stream_id), [event_id + MARKS_SUFFIX for event_id in ids]
        for key in (keys.event_data(stream_id), keys.kept):
            pipeline.hmget(key, names)
    replies = replies_of(pipeline) if event_ids else []
    found = [() if isinstance(reply, Exception) else reply for reply in replies]
    marks = (text for reply in found for text in reply if text)  # of an event there is one in one of both
    return sum(map(_is_wrong, marks))


def _start(event_id: str) -> int:
    return int(event_id.rpartition(".")[2])


def _is_wrong(text: bytes) -> bool:
    try:
        feedback = EventMarks.model_validate_json(text).feedback
    except ValidationError:  # another version's
        return False
    return feedback is not None and feedback.verdict == "wrong"
