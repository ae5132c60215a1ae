"""Entries of Redis streams: their ids, and a frame as one."""

import re
from typing import Final, NamedTuple, Self

MAX_NUMBER: Final = (1 << 63) - 1
ENTRY_ID: Final = re.compile("([0-9]{1,19})-([0-9]{1,19})")


class EntryId(NamedTuple):
    """An entry's id: ids are in the entries' order. Of a frame and of its scores, `ms` is the time of capture."""

    ms: int
    number: int = 0

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """The inverse of `str`; raises ValueError on anything else."""
        found = ENTRY_ID.fullmatch(text.decode() if isinstance(text, bytes) else text)
        parts = [int(part) for part in found.groups()] if found else [MAX_NUMBER + 1]
        if max(parts) > MAX_NUMBER:
            raise ValueError(f"{text!r} is not an entry id")
        return cls(*parts)

    def __str__(self) -> str:
        return f"{self.ms}-{self.number}"
