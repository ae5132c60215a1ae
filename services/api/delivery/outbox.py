"""What is to be delivered, in Redis: an outbox for each partition, and each target's dead letters."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis

from services.api.delivery.targets import Target
from services.api.followers.cursors import MOVED
from services.api.followers.entries import FeedEntry
from shared.entries import EntryId
from shared.store.client import replies_of, translated
from shared.store.errors import Damaged
from shared.store.keys import PARTITIONS
from shared.store.leases import OWNS, Lease
from shared.store.scripts import WRONG, Script, lua

MAX_WAITING: Final = 4_000
"""Letters in a partition's outbox; while it is full, the feed waits."""
MAX_DEAD: Final = 500
DEAD_LETTER_DAYS: Final = 30
PAGE: Final = 500


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
    why: str = ""
    """Of a dead letter, why it could not be delivered."""

    @property
    def label(self) -> str:
        """What happened; "" for a test."""
        return str(json.loads(self.event).get("label", ""))


class Outbox:
    """The outboxes of all partitions. Every method raises StoreUnavailable, and may be repeated after that."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._put = Script(client, OWNS + WRONG + MOVED + lua("outbox_put"))
        self._take = Script(client, OWNS + WRONG + lua("outbox_take"))
        self._replay = Script(client, WRONG + lua("dead_letters_replay"))

    def put(self, lease: Lease, entries: Sequence[FeedEntry], targets: Iterable[Target]) -> bool:
        """Passes entries of the feed, with a letter to each target that wants one.

        Returns False where the outbox has no room, or is damaged.
        A stale owner's is refused, and counts as passed: the cursor tells it.
        """
        keys = PARTITIONS[lease.partition]
        arguments: list[Any] = [str(lease), str(entries[-1].entry_id), MAX_WAITING]
        wanted = list(targets)
        for entry in entries:
            for target in wanted:
                if target.wants(entry):
                    message_id = f"{entry.partition}.{entry.entry_id}"
                    arguments += [target.id, entry.stream_id, entry.kind, entry.event, message_id]
        with translated():
            [reply] = self._put.many([([*keys.ownership("delivery"), keys.cursor("delivery"), keys.outbox], arguments)])
        return reply != 0 and not isinstance(reply, Damaged)

    def read(self, after: Mapping[int, EntryId]) -> list[Letter]:
        """Letters of partitions that come after an entry of each, in their order."""
        pipeline = self._client.pipeline(transaction=False)
        for partition, entry_id in after.items():
            pipeline.xrange(PARTITIONS[partition].outbox, min=f"({entry_id}", count=PAGE)
        replies = replies_of(pipeline) if after else []
        return [
            _letter(partition, *entry)
            for partition, reply in zip(after, replies, strict=True)
            if isinstance(reply, list)
            for entry in reply
        ]

    def take(self, lease: Lease, letter: Letter, why: str = "") -> bool:
        """Takes out a letter that was delivered, or that is dead for a reason; returns whether the lease stands."""
        keys = PARTITIONS[lease.partition]
        places = [*keys.ownership("delivery"), keys.outbox, keys.dead_letters(letter.target_id)]
        lasts_ms = DEAD_LETTER_DAYS * 86_400_000
        with translated():
            return self._take(places, [str(lease), str(letter.entry_id), why, MAX_DEAD, lasts_ms]) is not None

    def dead_letters(self, target_id: str) -> list[Letter]:
        """A target's, in the order in which they died."""
        pipeline = self._client.pipeline(transaction=False)
        for keys in PARTITIONS:
            pipeline.xrange(keys.dead_letters(target_id), count=MAX_DEAD)
        letters = [
            _letter(keys.partition, *entry)
            for keys, reply in zip(PARTITIONS, replies_of(pipeline), strict=True)
            if isinstance(reply, list)
            for entry in reply
        ]
        return sorted(letters, key=lambda letter: letter.entry_id)

    def replay(self, letters: Iterable[Letter]) -> int:
        """Puts dead letters back behind what waits; returns how many there was room for."""
        num_put = 0
        for letter in letters:
            keys = PARTITIONS[letter.partition]
            with translated():
                num_put += self._replay(
                    [keys.outbox, keys.dead_letters(letter.target_id)], [MAX_WAITING, str(letter.entry_id)]
                )
        return num_put


def _letter(partition: int, entry_id: bytes, fields: Mapping[bytes, bytes]) -> Letter:
    def text(name: bytes) -> str:
        return fields.get(name, b"").decode(errors="replace")

    texts = (text(name) for name in (b"t", b"s", b"k", b"e", b"m", b"why"))
    return Letter(partition, EntryId.parse(entry_id), *texts)
