"""A place in the live feed: the last entry seen in each partition's feed, as the opaque id of a server-sent event."""

from dataclasses import dataclass, field
from typing import Self

from shared.store.keys import NUM_PARTITIONS

EntryId = tuple[int, int]

BEFORE_ALL: EntryId = (0, 0)
NOTHING_YET = "start"
MAX_NUMBER = (1 << 63) - 1
MAX_TEXT = NUM_PARTITIONS * len(f"31:{MAX_NUMBER}-{MAX_NUMBER},")


def entry_id_of(text: str | bytes) -> EntryId:
    """A Redis entry id as numbers; raises ValueError on anything else."""
    milliseconds, _, number = (text.decode() if isinstance(text, bytes) else text).partition("-")
    if not (_is_number(milliseconds) and _is_number(number)):
        raise ValueError(f"{text!r} is not an entry id")
    return int(milliseconds), int(number)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 19 and int(text) <= MAX_NUMBER


@dataclass(slots=True)
class Position:
    """The last entry seen per partition; a partition that is absent has shown none.

    Its text is `partition:entry id` joined by commas. One feed alone has an order, so the place in all of them is a
    vector: it says exactly what a client has, whichever api process it comes back to.
    """

    last: dict[int, EntryId] = field(default_factory=dict)

    def __str__(self) -> str:
        pairs = (f"{partition}:{ms}-{number}" for partition, (ms, number) in sorted(self.last.items()))
        return ",".join(pairs) or NOTHING_YET

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `str`; raises ValueError on anything else."""
        if text == NOTHING_YET:
            return cls()
        if len(text) > MAX_TEXT:
            raise ValueError("too long")
        last: dict[int, EntryId] = {}
        for pair in text.split(","):
            partition, _, entry_id = pair.partition(":")
            if not _is_number(partition) or int(partition) >= NUM_PARTITIONS or int(partition) in last:
                raise ValueError(f"{pair!r} names no partition, or one that was named before")
            last[int(partition)] = entry_id_of(entry_id)
        return cls(last)

    def copy(self) -> "Position":
        """The same place, to move on from independently."""
        return Position(dict(self.last))

    def of(self, partition: int) -> EntryId:
        """The last entry seen of a partition."""
        return self.last.get(partition, BEFORE_ALL)

    def has_passed(self, partition: int, entry_id: EntryId) -> bool:
        """Whether the entry was seen."""
        return entry_id <= self.of(partition)

    def advance(self, partition: int, entry_id: EntryId) -> None:
        """Marks an entry as seen; never goes back."""
        self.last[partition] = max(entry_id, self.of(partition))

    def covers(self, other: "Position") -> bool:
        """Whether everything that `other` has seen was seen here."""
        return all(self.has_passed(partition, entry_id) for partition, entry_id in other.last.items())
