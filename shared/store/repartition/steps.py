"""`afterimage store repartition`: its steps in order, and where it has come to, as the store remembers it.

1. The store says that it is being divided anew, and from then on every service refuses it.
2. What streams share in a partition is copied; then what is one stream's alone is moved, key by key.
3. The store says that all is there (the turning point), and what was copied is removed where it was.
4. The store says that it has another number of partitions.

A kill leaves one of these half done, and the next run begins with that one again. Until 3 the copies are made anew: so
they are what the store had when nobody could write any more.
"""

import json
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, cast

import redis

from shared.errors import AfterimageError
from shared.store.client import translated
from shared.store.keys import LAYOUT, MEDIA_BYTES, ROLES
from shared.store.layout.known import COMMAND, TRUST_SECONDS, LayoutRecord
from shared.store.layout.partitioning import Partitioning
from shared.store.repartition.copying import Copying
from shared.store.repartition.watch import check_nobody_works
from shared.store.repartition.ways import PAGE, TYPES, Inventory, StoredKey, in_pages
from shared.store.scripts import Script, lua

SETTLE_SECONDS: Final = TRUST_SECONDS + 2
"""Whoever knew the store as it was has asked it again by then."""
MAX_NAMED: Final = 5

Told = Callable[[int, int], None]
"""Hears how many keys of how many are done."""


class StoreNotReady(AfterimageError):
    """The store cannot be divided anew as it is; the message says why."""


class Division(NamedTuple):
    """What was done."""

    before: int
    after: int
    num_keys: int
    """that were yet to be copied or moved"""

    def __str__(self) -> str:
        if self.before == self.after:
            return f"it has {self.after} partitions already"
        moved = f"{self.num_keys} keys were moved" if self.num_keys else "nothing was left to be moved"
        return f"{self.before} -> {self.after} partitions; {moved}"


class Repartition:
    """One run of the command. `name` is that of the client's connections."""

    def __init__(
        self, client: redis.Redis, name: str, told: Told = lambda *_: None, settle_seconds: float = SETTLE_SECONDS
    ) -> None:
        self._client, self._name, self._told = client, name, told
        self._settle_seconds = settle_seconds

    def run(self, count: int) -> Division:
        """Divides the store into so many partitions, or goes on with it; raises StoreInUse and StoreNotReady."""
        record = stored_layout(self._client)
        if record.moving_to not in {None, count}:
            raise StoreNotReady(
                f"a repartition from {record.partitions} to {record.moving_to} is half-way: first let "
                f"`{COMMAND} {record.moving_to}` end it"
            )
        if record.partitions == count and not record.moving_to:
            return Division(count, count, 0)
        old, new = record.partitioning, Partitioning(count, record.moves + 1)
        check_nobody_works(self._client, self._name, old.all)
        if not record.is_copied:
            record = self._begin(record, count)
            num_keys, feed_entries = self._copy(old, new)
            record = self._say(record.model_copy(update={"is_copied": True, "feed_entries": feed_entries}))
        else:
            num_keys = 0
        self._remove(self._inventory(old).keys)
        self._count_media(new)
        self._say(LayoutRecord(partitions=new.count, moves=new.moves, feed_entries=record.feed_entries))
        return Division(old.count, new.count, num_keys)

    def _begin(self, record: LayoutRecord, count: int) -> LayoutRecord:
        """From now on no service works with the store, and none that did can write."""
        self._check(self._inventory(record.partitioning))
        if not record.moving_to:
            record = self._say(record.model_copy(update={"moving_to": count, "began_ms": self._now_ms()}))
        time.sleep(max(0.0, self._settle_seconds - (self._now_ms() - record.began_ms) / 1000))
        check_nobody_works(self._client, self._name, record.partitioning.all)
        with translated():
            for keys in record.partitioning.all:
                for role in ROLES:
                    if self._client.exists(keys.fence(role)):
                        self._client.incr(keys.fence(role))  # whoever holds a token holds an old one
        return record

    def _check(self, found: Inventory) -> None:
        """Raises StoreNotReady where something could not be copied."""
        if found.unknown:
            raise StoreNotReady(f"keys that this version does not know: {_named(found.unknown)}; was a later one here?")
        shared = [key for key in found.keys if key.way in TYPES]
        wrong = []
        for page in in_pages(shared):
            pipeline = self._client.pipeline(transaction=False)
            for key in page:
                pipeline.type(key.name)
            with translated():
                types = pipeline.execute()
            wrong += [
                key.name
                for key, kind in zip(page, types, strict=True)
                if key.way and kind not in {TYPES[key.way], b"none"}
            ]
        if wrong:
            raise StoreNotReady(
                f"keys of another type than they should be: {_named(wrong)}; see the runbook, *Damaged*"
            )

    def _copy(self, old: Partitioning, new: Partitioning) -> tuple[int, int]:
        """Brings everything to the new partitions; returns how many keys there were, and how long feeds must be now."""
        found, copying = self._inventory(old), Copying(self._client, old, new)
        self._remove(key for key in self._inventory(new).keys if key.way != "whole")
        whole = found.of("whole")
        done, total = len(found.keys) - len(whole), len(found.keys)
        for group in copying.groups(key for key in found.keys if key.way != "whole"):
            copying.copy(group)
        for number, key in enumerate(whole):
            self._told(done + number, total)
            copying.move(key)
        self._told(total, total)
        return total, copying.feed_entries

    def _remove(self, keys: Iterable[StoredKey]) -> None:
        with translated():
            for page in in_pages(keys):
                pipeline = self._client.pipeline(transaction=False)
                for key in page:
                    pipeline.unlink(key.name)
                pipeline.execute()

    def _count_media(self, new: Partitioning) -> None:
        """What partitions' files take is said by partition, too."""
        used: dict[str, int] = {}
        with translated():
            for keys in new.all:
                records: list[Any] = cast(Any, self._client.hvals(keys.media))
                if num_bytes := sum(map(_bytes_of, records)):
                    used[str(keys.partition)] = num_bytes
            pipeline = self._client.pipeline(transaction=False)
            pipeline.delete(MEDIA_BYTES)
            if used:
                pipeline.hset(MEDIA_BYTES, mapping=cast(dict[Any, Any], used))
            pipeline.execute()

    def _inventory(self, layout: Partitioning) -> Inventory:
        with translated():
            names = {*self._client.scan_iter(match="{p*", count=10 * PAGE)}
        parsed = (StoredKey.parse(name) for name in sorted(names))
        return Inventory(tuple(key for key in parsed if key and key.place.count == layout.count))

    def _say(self, record: LayoutRecord) -> LayoutRecord:
        with translated():
            self._client.set(LAYOUT, record.model_dump_json())
        return record

    def _now_ms(self) -> int:
        with translated():
            seconds, microseconds = Script(self._client, lua("time_of"))([LAYOUT], [])
        return int(seconds) * 1000 + int(microseconds) // 1000


def stored_layout(client: redis.Redis) -> LayoutRecord:
    """What the store says of its layout, also in the midst of a repartition. Raises StoreUnavailable."""
    with translated():
        text: Any = client.get(LAYOUT)
    return LayoutRecord.parse(text) if text is not None else LayoutRecord()


def _bytes_of(record: bytes) -> int:
    try:
        return int(json.loads(record).get("num_bytes", 0))
    except (AttributeError, TypeError, ValueError):
        return 0


def _named(names: list[bytes]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(name.decode(errors="replace") for name in names[:MAX_NAMED]) + more
