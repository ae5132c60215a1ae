"""What becomes of each key of a partition when streams are spread over others: the one list of them all."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal, NamedTuple, Self, TypeVar

from shared.store.keys import FIRST_COUNT, PartitionKeys

Way = Literal["whole", "fields", "feed", "cursor", "entries", "counter", "lease"]

WAYS: Final[Mapping[str, Way]] = {
    "frames": "whole",
    "scores": "whole",
    "events": "whole",
    "eventdata": "whole",
    "streams": "fields",
    "status": "fields",
    "inference": "fields",
    "published": "fields",
    "progress": "fields",
    "state": "fields",
    "memory": "fields",
    "open": "fields",
    "held": "fields",
    "media": "fields",
    "kept": "fields",
    "delivered": "fields",
    "feed": "feed",
    "cursor": "cursor",
    "outbox": "entries",
    "dead": "entries",
    "changes": "counter",
    "arrivals": "counter",
    "fence": "counter",
    "lease": "lease",
}
"""By the word after the hash tag. whole: one stream's alone, so it goes where that goes. fields, entries: each goes
where its stream goes. feed, cursor: likewise, together. counter: goes on above the highest. lease: nobody holds any."""

TYPES: Final[Mapping[Way, bytes]] = {
    "fields": b"hash",
    "feed": b"stream",
    "entries": b"stream",
    "cursor": b"string",
    "counter": b"string",
    "lease": b"string",
}
"""Of whole keys any type will do: nobody looks into them."""

PAGE: Final = 500

T = TypeVar("T")
KEY: Final = re.compile(rb"\{p([0-9]{1,4})(?:of([0-9]{1,4}))?\}:([a-z]+)(:.*)?", re.DOTALL)


class StoredKey(NamedTuple):
    """A key of a partition, taken apart."""

    place: PartitionKeys
    word: str
    rest: bytes
    """what follows the word, with its colon: a stream, a role, a target; or nothing"""

    @classmethod
    def parse(cls, key: bytes) -> Self | None:
        """None of what is no partition's."""
        found = KEY.fullmatch(key)
        if not found:
            return None
        place = PartitionKeys(int(found[1]), int(found[2] or FIRST_COUNT))
        is_ours = key.startswith(place.tag.encode()) and place.partition < place.count
        return cls(place, found[3].decode(), found[4] or b"") if is_ours else None

    @property
    def name(self) -> bytes:
        """As Redis has it."""
        return f"{self.place.tag}:{self.word}".encode() + self.rest

    @property
    def way(self) -> Way | None:
        """What becomes of it; None: nobody here knows it."""
        return WAYS.get(self.word)

    @property
    def stream_id(self) -> bytes:
        """Of a whole key."""
        return self.rest[1:]

    def at(self, place: PartitionKeys) -> bytes:
        """The same key of another partition."""
        return self._replace(place=place).name


@dataclass(frozen=True, slots=True)
class Inventory:
    """What lies in the partitions of one number."""

    keys: tuple[StoredKey, ...]

    def of(self, *ways: Way) -> list[StoredKey]:
        """The keys that go these ways."""
        return [key for key in self.keys if key.way in ways]

    @property
    def unknown(self) -> list[bytes]:
        """What a later version may have written."""
        return [key.name for key in self.keys if key.way is None]


def in_pages(items: Iterable[T]) -> Iterator[list[T]]:
    """As many at a time as go into one round trip."""
    rest = iter(items)
    while page := list(islice(rest, PAGE)):
        yield page


def stream_of_field(word: str) -> Callable[[bytes], bytes]:
    """How to tell the stream from a hash's field."""
    if word in {"media", "kept"}:  # event ids, and with a suffix what people said of them
        return lambda field: field.partition(b".")[0]
    if word == "delivered":  # `stream label`, or `target void stream label`
        return lambda field: field.split(b" ")[-2] if b" " in field else field
    return lambda field: field
