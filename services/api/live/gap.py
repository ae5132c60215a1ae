"""Where a position and the feed do not fit together: what lies between is told, and the position put right.

A position can lie ahead of a feed, which was emptied or put back from an older backup: all that comes would count as
seen. It can lie behind the oldest entry that is kept: what came between is gone. And it can be of before the store was
repartitioned: what of today's feeds was seen is known roughly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from services.api.live.position import BEFORE_ALL, Position
from shared.entries import MAX_NUMBER, EntryId
from shared.store.layout.partitioning import FEED_ENTRIES, Partitioning

EMPTY: Final = EntryId(0, 0)
SLACK_MS: Final = 5000
"""All feeds are read side by side: who follows them has seen of each what is older than its newest entry by so much."""


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
            is_trimmed=length >= FEED_ENTRIES if added is None else added > length,
        )


@dataclass(frozen=True, slots=True)
class Gap:
    """What a client may have missed: look at the events since `since_ms` (by Redis' clock, ms since 1970)."""

    reason: Literal["ahead", "behind"]
    since_ms: int


def put_right(position: Position, extents: Mapping[int, Extent], layout: Partitioning) -> Gap | None:
    """Moves the position to where the feed, by partition, goes on; tells what may be missing before, if anything."""
    gaps = []
    if position.moves != layout.moves:
        gaps += _carried_over(position, extents)
        position.moves = layout.moves
    for partition, extent in extents.items():
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


def _carried_over(position: Position, extents: Mapping[int, Extent]) -> list[Gap]:
    """Puts a position of another layout to a little before its newest entry; who was still catching up is told so."""
    told_ms = [entry.ms for entry in position.last.values()]
    seen = EntryId(max(0, max(told_ms, default=0) - SLACK_MS))
    position.last = {each: min(seen, extent.newest) for each, extent in extents.items() if seen > BEFORE_ALL}
    return [Gap("behind", min(told_ms))] if told_ms else []


def _before(entry: EntryId) -> EntryId:
    return EntryId(entry.ms, entry.number - 1) if entry.number else EntryId(entry.ms - 1, MAX_NUMBER)
