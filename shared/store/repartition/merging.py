"""How entries of several partitions become those of others: plain functions."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from shared.entries import EntryId

START: Final = EntryId(0, 0)


class FormerEntry(NamedTuple):
    """An entry of a Redis stream, and the partition it lies in."""

    id: EntryId
    partition: int
    fields: Mapping[bytes, bytes]


@dataclass(slots=True)
class Merged:
    """The entries of one new partition in their order: what they were, and their ids now."""

    entries: list[FormerEntry] = field(default_factory=list)
    ids: list[EntryId] = field(default_factory=list)

    def num_passed(self, read: Mapping[int, EntryId]) -> int:
        """How many a follower has passed that had read so far in each former partition.

        Nothing is passed that it had not read. What it had read of one partition after what it had not of another it
        meets again.
        """
        unread = (number for number, each in enumerate(self.entries) if each.id > read.get(each.partition, START))
        return next(unread, len(self.entries))


def merged(entries: Iterable[FormerEntry]) -> Merged:
    """In the order of their ids, which stay as they are but where two are the same: then the second's is the next."""
    result, last = Merged(), START
    for entry in sorted(entries, key=lambda each: (each.id, each.partition)):
        last = entry.id if entry.id > last else EntryId(last.ms, last.number + 1)
        result.entries.append(entry)
        result.ids.append(last)
    return result


def stream_of_entry(word: str, fields: Mapping[bytes, bytes]) -> bytes:
    """Whose an entry is, nobody's where that is not to be read: then any partition may have it."""
    if word != "feed":
        return fields.get(b"s", b"")
    try:
        return str(json.loads(fields[b"event"])["stream_id"]).encode()
    except (KeyError, TypeError, ValueError):
        return b""


def lifetime(left_ms: Sequence[int]) -> int | None:
    """How long what is made of keys with so long to live lives, by what PTTL said; None: for ever."""
    return None if -1 in left_ms else max(1, *left_ms)
