"""Which events each key has looked at: its own matter, which nobody else sees, and which goes with event and key."""

from collections.abc import Collection, Iterable
from typing import Any, Final

import redis

from services.api.security.keys import Caller
from shared.clock import now_ms
from shared.life.event_desk import EventDesk
from shared.store.client import replies_of, translated
from shared.store.keys import REVIEWERS, reviewed_key

MAX_REVIEWED: Final = 20_000
"""Events that one key may have reviewed; one more, and the ROOM oldest are as if it had not."""
ROOM: Final = 2_000
LOOKED_AFTER: Final = 32
"""So many are looked after at each mark, drawn by lot: those of events that are gone by their age go, too."""
KEPT_SECONDS: Final = 90 * 86_400
"""From a key's last mark on."""
ANYBODYS: Final = "anybody"
"""Stands for a key where none is needed."""


class Reviews:
    """By caller. Methods raise StoreUnavailable.

    A key's events lie in one sorted set, all with the score 0, so that a stream's are a range of it.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._desk = EventDesk(client)

    def among(self, caller: Caller, event_ids: Iterable[str]) -> set[str]:
        """Those of the events that the caller has reviewed."""
        wanted = list(event_ids)
        if not wanted:
            return set()
        pipeline = self._client.pipeline(transaction=False)
        pipeline.zmscore(_key(caller), wanted)
        [scores] = replies_of(pipeline)
        if isinstance(scores, Exception):
            return set()
        return {event_id for event_id, score in zip(wanted, scores, strict=True) if score is not None}

    def mark(self, caller: Caller, event_ids: Collection[str]) -> list[str]:
        """Notes that the caller has reviewed them; returns those that there are."""
        found = [marked.event.id for marked in self._desk.find(event_ids)]
        if not found:
            return []
        key = _key(caller)
        with translated():
            pipeline = self._client.pipeline(transaction=False)
            pipeline.zadd(REVIEWERS, {_name(caller): 0})
            pipeline.zadd(key, dict.fromkeys(found, 0))
            pipeline.pexpireat(key, _until_ms(caller))
            pipeline.zcard(key)
            pipeline.zrandmember(key, LOOKED_AFTER)
            *_, num_reviewed, some = pipeline.execute()
        self._tidy(key, num_reviewed, [event_id.decode() for event_id in some])
        return found

    def unmark(self, caller: Caller, event_ids: Collection[str]) -> list[str]:
        """Takes it back; returns those of the events that there are."""
        found = [marked.event.id for marked in self._desk.find(event_ids)]
        if found:
            with translated():
                self._client.zrem(_key(caller), *found)
        return found

    def forget_event(self, event_id: str) -> None:
        """Nobody has reviewed an event that is deleted."""
        for pipeline, key in self._of_all():
            pipeline.zrem(key, event_id)

    def forget_stream(self, stream_id: str) -> None:
        """Nobody has reviewed any event of a stream that is removed."""
        for pipeline, key in self._of_all():
            pipeline.zremrangebylex(key, f"[{stream_id}.", f"({stream_id}/")  # the sign after the dot is a slash

    def _of_all(self) -> Iterable[tuple[Any, str]]:
        """Every reviewer's set, and a pipeline that is sent after the last; a damaged set is left alone."""
        with translated():
            names: Any = self._client.zrange(REVIEWERS, 0, -1)
        pipeline = self._client.pipeline(transaction=False)
        for name in names:
            yield pipeline, reviewed_key(name.decode())
        replies_of(pipeline)

    def _tidy(self, key: str, num_reviewed: int, some: Collection[str]) -> None:
        """Lets go of what is gone among some, and of the oldest where there are too many."""
        gone = set(some) - {marked.event.id for marked in self._desk.find(some)}
        if num_reviewed > MAX_REVIEWED:
            with translated():
                stored: Any = self._client.zrange(key, 0, -1)
            names = sorted((name.decode() for name in stored), key=_started_at_ms)
            gone.update(names[: num_reviewed - MAX_REVIEWED + ROOM])
        if gone:
            with translated():
                self._client.zrem(key, *gone)


def _name(caller: Caller) -> str:
    return caller.key_id or ANYBODYS


def _key(caller: Caller) -> str:
    return reviewed_key(_name(caller))


def _until_ms(caller: Caller) -> int:
    """When it ends: with the key, at the latest."""
    until_ms = now_ms() + KEPT_SECONDS * 1000
    return min(until_ms, caller.expires_at_ms) if caller.expires_at_ms else until_ms


def _started_at_ms(event_id: str) -> int:
    return int(event_id.rpartition(".")[2])
