"""Copies and moves the keys of partitions to where their streams belong in another layout.

Whatever is done here may be done again, from the beginning and after a kill at any place. What partitions share is
copied, and left where it was. What is one stream's alone, by far the most, is moved key by key, so that no more than
one is there twice.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import gcd
from typing import Any, Final, cast

import redis

from shared.entries import EntryId
from shared.errors import AfterimageError
from shared.store.client import translated
from shared.store.keys import NEEDED, ROLES
from shared.store.layout.partitioning import FEED_ENTRIES, Partitioning
from shared.store.repartition.merging import START, FormerEntry, Merged, lifetime, merged, stream_of_entry
from shared.store.repartition.ways import PAGE, StoredKey, in_pages, stream_of_field

FOLLOWERS: Final = frozenset(f":{role}".encode() for role in ROLES if role not in NEEDED)
"""As cursors' keys name them. Those that never ran begin with all there is."""
ROOM: Final = FEED_ENTRIES // 2
"""For what comes before a follower goes on."""


class CopyDiffers(AfterimageError):
    """What was copied is not what was there; the message names it."""


class Copying:
    """From one layout to another. Methods raise StoreUnavailable."""

    def __init__(self, client: redis.Redis, old: Partitioning, new: Partitioning) -> None:
        self._client, self._old, self._new = client, old, new
        self._step = gcd(old.count, new.count)
        self._most_unread = 0

    @property
    def feed_entries(self) -> int:
        """As many of each feed must be kept from now on, so that no follower loses what lay before it in several."""
        return max(FEED_ENTRIES, self._most_unread + ROOM)

    def groups(self, keys: Iterable[StoredKey]) -> list[list[StoredKey]]:
        """The keys of partitions whose streams meet in the same new ones, and in no others."""
        found: defaultdict[int, list[StoredKey]] = defaultdict(list)
        for key in keys:
            found[key.place.partition % self._step].append(key)
        return list(found.values())

    def copy(self, group: Sequence[StoredKey]) -> None:
        """Copies all that the streams of a group share."""
        alike: defaultdict[tuple[str, bytes], list[StoredKey]] = defaultdict(list)
        for key in group:
            alike[key.word, key.rest].append(key)
        cursors = {rest: keys for (word, rest), keys in alike.items() if word == "cursor"}
        with translated():
            for (word, _), keys in alike.items():
                match keys[0].way:
                    case "fields":
                        self._copy_fields(word, keys)
                    case "feed":
                        self._copy_cursors(cursors, keys, self._copy_entries(word, keys))
                    case "entries":
                        self._copy_entries(word, keys)
                    case "counter":
                        self._raise_counters(keys)

    def move(self, key: StoredKey) -> None:
        """Moves a key that is one stream's alone, with what is left of its life."""
        target = key.at(self._new.keys(self._new.of(key.stream_id)))
        with translated():
            content: Any = self._client.dump(key.name)
            left_ms = self._client.pttl(key.name)
            if content is None or left_ms == -2:
                return
            self._client.restore(target, max(1, left_ms) if left_ms >= 0 else 0, content, replace=True)
            self._client.delete(key.name)

    def _news_of(self, keys: Sequence[StoredKey]) -> Iterator[int]:
        """The new partitions that their streams may belong to."""
        return iter(range(keys[0].place.partition % self._step, self._new.count, self._step))

    def _copy_fields(self, word: str, keys: Sequence[StoredKey]) -> None:
        stream_of, written, num_found = stream_of_field(word), set[int](), 0
        for key in keys:
            for page in in_pages(self._client.hscan_iter(key.name, count=PAGE)):
                parts: defaultdict[int, dict[Any, Any]] = defaultdict(dict)
                for field, value in page:
                    for partition in [self._new.of(stream_of(field))] if field else self._news_of(keys):
                        parts[partition][field] = value
                pipeline = self._client.pipeline(transaction=False)
                for partition, fields in parts.items():
                    pipeline.hset(keys[0].at(self._new.keys(partition)).decode(), mapping=fields)
                pipeline.execute()
                written |= parts.keys()
            num_found += self._client.hlen(key.name)
        self._let_expire(keys, written)
        if word != "held":  # which has a field of its own in each
            self._compare(word, num_found, [self._client.hlen(name) for name in self._targets(keys, written)])

    def _copy_entries(self, word: str, keys: Sequence[StoredKey]) -> dict[int, Merged]:
        """New partition → its entries, all written."""
        found: defaultdict[int, list[FormerEntry]] = defaultdict(list)
        for key in keys:
            for entry in self._entries(key):
                found[self._new.of(stream_of_entry(word, entry.fields))].append(entry)
        result = {partition: merged(entries) for partition, entries in found.items()}
        for partition, each in result.items():
            target = keys[0].at(self._new.keys(partition))
            for page in in_pages(zip(each.ids, each.entries, strict=True)):
                pipeline = self._client.pipeline(transaction=False)
                for entry_id, entry in page:
                    pipeline.xadd(target, cast(dict[Any, Any], entry.fields), id=str(entry_id))
                pipeline.execute()
        self._let_expire(keys, result.keys())
        num_found = sum(self._client.xlen(key.name) for key in keys)
        self._compare(word, num_found, [self._client.xlen(name) for name in self._targets(keys, result)])
        return result

    def _entries(self, key: StoredKey) -> Iterator[FormerEntry]:
        after = "-"
        while page := cast(list[Any], self._client.xrange(key.name, after, count=PAGE)):
            for entry_id, fields in page:
                yield FormerEntry(EntryId.parse(entry_id), key.place.partition, fields)
            after = f"({page[-1][0].decode()}"

    def _copy_cursors(
        self, cursors: Mapping[bytes, Sequence[StoredKey]], feeds: Sequence[StoredKey], news: Mapping[int, Merged]
    ) -> None:
        """Where followers of these feeds go on. One that says to be ahead of a feed would begin it anew: so it does."""
        ends = {key.place.partition: self._newest(key) for key in feeds}
        for follower in FOLLOWERS | cursors.keys():
            keys = cursors.get(follower, ())
            said = {key.place.partition: EntryId.parse(cast(bytes, self._client.get(key.name))) for key in keys}
            read = {each: at if at <= ends.get(each, START) else START for each, at in said.items()}
            for partition, entries in news.items():
                num_passed = entries.num_passed(read)
                self._most_unread = max(self._most_unread, len(entries.ids) - num_passed)
                if num_passed:
                    self._client.set(keys[0].at(self._new.keys(partition)), str(entries.ids[num_passed - 1]))

    def _newest(self, key: StoredKey) -> EntryId:
        told: Any = self._client.xinfo_stream(key.name.decode())
        return EntryId.parse(told["last-generated-id"])

    def _raise_counters(self, keys: Sequence[StoredKey]) -> None:
        """A token, or a count, that was known once never comes again, whatever a partition was called before."""
        highest = max(int(cast(bytes, self._client.get(key.name)) or 0) for key in keys)
        for partition in self._news_of(keys):
            self._client.set(keys[0].at(self._new.keys(partition)), highest + 1)

    def _let_expire(self, keys: Sequence[StoredKey], partitions: Iterable[int]) -> None:
        left_ms = lifetime([self._client.pttl(key.name) for key in keys])
        for name in self._targets(keys, partitions) if left_ms is not None else ():
            self._client.pexpire(name, left_ms or 1)

    def _targets(self, keys: Sequence[StoredKey], partitions: Iterable[int]) -> list[bytes]:
        return [keys[0].at(self._new.keys(partition)) for partition in partitions]

    def _compare(self, word: str, num_found: int, copied: Iterable[Any]) -> None:
        num_copied = sum(map(int, copied))
        if num_found != num_copied:
            raise CopyDiffers(f"{word}: {num_found} were there and {num_copied} were copied: did somebody write?")
