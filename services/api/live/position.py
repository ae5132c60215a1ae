"""A place in the live feed: the last entry seen in each partition's feed, as the opaque id of a server-sent event."""

import re
from dataclasses import dataclass, field
from typing import Self

from shared.entries import MAX_NUMBER, EntryId
from shared.store.layout.partitioning import MAX_COUNT

BEFORE_ALL = EntryId(0, 0)
NOTHING_YET = "start"
PARTITION = re.compile("[0-9]{1,4}")
MOVES = re.compile("[0-9]{1,9}")
MAX_TEXT = MAX_COUNT * len(f"1023:{MAX_NUMBER}-{MAX_NUMBER},") + 10


@dataclass(slots=True)
class Position:
    """The last entry seen per partition; a partition that is absent has shown none.

    Its text is `partition:entry id` joined by commas, after `moves/` where the store was repartitioned so often. One
    feed alone has an order, so the place in all of them is a vector: it says exactly what a client has, whichever api
    process it comes back to.
    """

    last: dict[int, EntryId] = field(default_factory=dict)
    moves: int = 0

    def __str__(self) -> str:
        pairs = (f"{partition}:{entry_id}" for partition, entry_id in sorted(self.last.items()))
        text = ",".join(pairs) or NOTHING_YET
        return f"{self.moves}/{text}" if self.moves else text

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `str`; raises ValueError on anything else."""
        if len(text) > MAX_TEXT:
            raise ValueError("too long")
        moves, _, places = text.rpartition("/")
        if "/" in text and not (MOVES.fullmatch(moves) and int(moves)):
            raise ValueError(f"{moves!r} is no number of moves")
        if places == NOTHING_YET:
            return cls(moves=int(moves or 0))
        last: dict[int, EntryId] = {}
        for pair in places.split(","):
            partition, _, entry_id = pair.partition(":")
            if not PARTITION.fullmatch(partition) or int(partition) >= MAX_COUNT or int(partition) in last:
                raise ValueError(f"{pair!r} names no partition, or one that was named before")
            last[int(partition)] = EntryId.parse(entry_id)
        return cls(last, int(moves or 0))

    def copy(self) -> "Position":
        """The same place, to move on from independently."""
        return Position(dict(self.last), self.moves)

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
