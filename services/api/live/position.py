"""A place in the live feed: the last entry seen in each partition's feed, as the opaque id of a server-sent event."""

import re
from dataclasses import dataclass, field
from typing import Self

from shared.entries import MAX_NUMBER, EntryId
from shared.store.keys import NUM_PARTITIONS

BEFORE_ALL = EntryId(0, 0)
NOTHING_YET = "start"
PARTITION = re.compile("[0-9]{1,2}")
MAX_TEXT = NUM_PARTITIONS * len(f"31:{MAX_NUMBER}-{MAX_NUMBER},")


@dataclass(slots=True)
class Position:
    """The last entry seen per partition; a partition that is absent has shown none.

    Its text is `partition:entry id` joined by commas. One feed alone has an order, so the place in all of them is a
    vector: it says exactly what a client has, whichever api process it comes back to.
    """

    last: dict[int, EntryId] = field(default_factory=dict)

    def __str__(self) -> str:
        pairs = (f"{partition}:{entry_id}" for partition, entry_id in sorted(self.last.items()))
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
            if not PARTITION.fullmatch(partition) or int(partition) >= NUM_PARTITIONS or int(partition) in last:
                raise ValueError(f"{pair!r} names no partition, or one that was named before")
            last[int(partition)] = EntryId.parse(entry_id)
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
