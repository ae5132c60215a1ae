"""What is to be delivered, in Redis: an outbox for each partition, and each target's dead letters."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis

from services.api.followers.cursors import MOVED
from shared.entries import EntryId
from shared.store.client import entries_after, replies_of, translated
from shared.store.errors import Damaged
from shared.store.layout.known import layout_of
from shared.store.leases import OWNS, Lease
from shared.store.scripts import WRONG, Script, lua
from shared.tracing.spans import known_traceparent

MAX_WAITING: Final = 4_000
"""Letters in a partition's outbox; while it is full, the feed waits."""
MAX_DEAD: Final = 500
DEAD_LETTER_DAYS: Final = 30
PAGE: Final = 500
ENDS: Final = frozenset({"closed", "deleted"})
VOID: Final = b" void "
"""Between target and stream, in what is known to be delivered: of which event the opening did not go."""
KNOWN_MS: Final = 2 * 86_400_000
"""Longer than any cooldown."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One transition of an event for one target. `message_id` is the same however often it is sent."""

    partition: int
    entry_id: EntryId
    target_id: str
    stream_id: str
    kind: str
    event: str
    message_id: str
    due_at_ms: int = 0
    """Not before; whether the event lasted long enough is known then. Of an end: it goes to whom the opening went."""
    why: str = ""
    """Of a dead letter, why it could not be delivered."""
    traceparent: str | None = None
    """Of the span in which the event opened, where it did in one."""

    @property
    def label(self) -> str:
        """What happened; "" for a test."""
        return str(json.loads(self.event).get("label", ""))

    @property
    def told_at_ms(self) -> int:
        """When the feed told of it first, however often it is sent."""
        return int(self.message_id.partition(".")[2].partition("-")[0] or 0)


class Outbox:
    """The outboxes of all partitions. Every method raises StoreUnavailable, and may be repeated after that."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._put = Script(client, OWNS + WRONG + MOVED + lua("outbox_put"))
        self._take = Script(client, OWNS + WRONG + lua("outbox_take"))
        self._replay = Script(client, WRONG + lua("dead_letters_replay"))

    def put(self, lease: Lease, last: EntryId, letters: Sequence[Letter], delivered: Mapping[str, int]) -> bool:
        """Passes the feed's entries up to the last, with letters about them, and notes what was `delivered`.

        Returns False where the outbox has no room, or is damaged. A stale owner's is refused, and counts as passed: the
        cursor tells it.
        """
        keys = layout_of(self._client).keys(lease.partition)
        arguments: list[Any] = [str(lease), str(last), MAX_WAITING, KNOWN_MS, len(letters)]
        for each in letters:
            arguments += [each.target_id, each.stream_id, each.kind, each.event, each.message_id, each.due_at_ms]
            arguments.append(each.traceparent or "")
        for name, at_ms in delivered.items():
            arguments += [name, at_ms]
        places = [*keys.ownership("delivery"), keys.cursor("delivery"), keys.outbox, keys.delivered]
        with translated():
            [reply] = self._put.many([(places, arguments)])
        return reply != 0 and not isinstance(reply, Damaged)

    def delivered(self, partition: int) -> dict[str, int]:
        """Stream and label → start of the newest event that was to be delivered."""
        with translated():
            stored: Any = self._client.hgetall(layout_of(self._client).keys(partition).delivered)
        return {name.decode(): int(at_ms) for name, at_ms in stored.items() if VOID not in name}

    def is_void(self, letter: Letter) -> bool:
        """Whether a letter that was to be due is for nobody: the event had ended before, and its opening did not go."""
        event = json.loads(letter.event)
        keys = layout_of(self._client).keys(letter.partition)
        name = f"{letter.target_id}{VOID.decode()}{letter.stream_id} {event['label']}"
        started_at_ms = str(event["started_at_ms"]).encode()
        with translated():
            if letter.kind in ENDS:
                return bool(self._client.hget(keys.delivered, name) == started_at_ms)
            stored: Any = self._client.hget(keys.event_data(letter.stream_id), event["id"])
            ended_at_ms = json.loads(stored).get("ended_at_ms") if stored else None
            is_void = ended_at_ms is not None and ended_at_ms < letter.due_at_ms
            if is_void:
                self._client.hset(keys.delivered, name, started_at_ms)
        return is_void

    def read(self, after: Mapping[int, EntryId]) -> list[Letter]:
        """Letters of partitions that come after an entry of each, in their order."""
        layout = layout_of(self._client)
        outboxes = {layout.keys(partition).outbox: str(entry_id) for partition, entry_id in after.items()}
        found = entries_after(self._client, outboxes, PAGE)
        return [
            _letter(partition, *entry)
            for outbox, partition in zip(outboxes, after, strict=True)
            for entry in found.get(outbox, ())
        ]

    def take(self, lease: Lease, letter: Letter, why: str = "") -> bool:
        """Takes out a letter that was delivered, or that is dead for a reason; returns whether the lease stands."""
        keys = layout_of(self._client).keys(lease.partition)
        places = [*keys.ownership("delivery"), keys.outbox, keys.dead_letters(letter.target_id)]
        lasts_ms = DEAD_LETTER_DAYS * 86_400_000
        with translated():
            return self._take(places, [str(lease), str(letter.entry_id), why, MAX_DEAD, lasts_ms]) is not None

    def dead_letters(self, target_id: str) -> list[Letter]:
        """A target's, in the order in which they died."""
        pipeline, layout = self._client.pipeline(transaction=False), layout_of(self._client)
        for keys in layout.all:
            pipeline.xrange(keys.dead_letters(target_id), count=MAX_DEAD)
        letters = [
            _letter(keys.partition, *entry)
            for keys, reply in zip(layout.all, replies_of(pipeline), strict=True)
            if isinstance(reply, list)
            for entry in reply
        ]
        return sorted(letters, key=lambda letter: letter.entry_id)

    def replay(self, letters: Iterable[Letter]) -> int:
        """Puts dead letters back behind what waits; returns how many there was room for."""
        num_put = 0
        for letter in letters:
            keys = layout_of(self._client).keys(letter.partition)
            with translated():
                num_put += self._replay(
                    [keys.outbox, keys.dead_letters(letter.target_id)], [MAX_WAITING, str(letter.entry_id)]
                )
        return num_put


def _letter(partition: int, entry_id: bytes, fields: Mapping[bytes, bytes]) -> Letter:
    def text(name: bytes) -> str:
        return fields.get(name, b"").decode(errors="replace")

    target_id, stream_id, kind, event, message_id = (text(name) for name in (b"t", b"s", b"k", b"e", b"m"))
    due_at_ms = int(text(b"d") or 0)
    place = EntryId.parse(entry_id)
    traceparent = known_traceparent(fields.get(b"traceparent"))
    return Letter(partition, place, target_id, stream_id, kind, event, message_id, due_at_ms, text(b"why"), traceparent)
