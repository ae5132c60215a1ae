"""Where a position and the feed do not fit together: what lies between is told, and the position put right.

A position can lie ahead of a feed, which was emptied or put back from an older backup: all that comes would count as
seen. And it can lie behind the oldest entry that is kept: what came between is gone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from services.api.live.position import Position
from shared.entries import MAX_NUMBER, EntryId
from shared.store.scripts import MAX_FEED_ENTRIES

EMPTY: Final = EntryId(0, 0)


@dataclass(frozen=True, slots=True)
class Extent:
    """What is kept of one partition's feed: its oldest entry, if there is any, and the newest there ever was."""

    oldest: EntryId | None = None
    newest: EntryId = EMPTY
    is_trimmed: bool = False

    @classmethod
    def parse(cls, reply: Mapping[Any, Any]) -> "Extent":
        """XINFO STREAM's reply, by redis-py; before Redis 7 it does not say how many entries there were."""
        first, length = reply["first-entry"], reply["length"]
        added = reply.get("entries-added")
        return cls(
            oldest=EntryId.parse(first[0]) if first else None,
            newest=EntryId.parse(reply["last-generated-id"]),
            is_trimmed=length >= MAX_FEED_ENTRIES if added is None else added > length,
        )


@dataclass(frozen=True, slots=True)
class Gap:
    """What a client may have missed: look at the events since `since_ms` (by Redis' clock, ms since 1970)."""

    reason: Literal["ahead", "behind"]
    since_ms: int


def put_right(position: Position, extents: Iterable[tuple[int, Extent]]) -> Gap | None:
    """Moves the position to where the feed, by partition, goes on; tells what may be missing before, if anything."""
    gaps = []
    for partition, extent in extents:
        seen = position.of(partition)
        if seen > extent.newest:
            position.last[partition] = extent.newest
            gaps.append(Gap("ahead", extent.newest.ms))
        elif extent.is_trimmed and extent.oldest and seen < extent.oldest:
            position.last[partition] = _before(extent.oldest)
            gaps.append(Gap("behind", seen.ms))
    if not gaps:
        return None
    ahead = any(gap.reason == "ahead" for gap in gaps)
    return Gap("ahead" if ahead else "behind", min(gap.since_ms for gap in gaps))


def _before(entry: EntryId) -> EntryId:
    return EntryId(entry.ms, entry.number - 1) if entry.number else EntryId(entry.ms - 1, MAX_NUMBER)
