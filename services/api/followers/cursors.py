"""How far a follower has come in each partition's feed, in Redis, and what is wrong with that place."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import redis

from services.api.followers.entries import FeedEntry, parse_entry
from shared.entries import MAX_NUMBER, EntryId
from shared.store.client import entries_after, translated
from shared.store.errors import Damaged
from shared.store.keys import Role
from shared.store.layout.known import layout_of
from shared.store.leases import OWNS, Lease
from shared.store.scripts import IS_AFTER, WRONG, Script, lua

BEFORE_ALL: Final = EntryId(0, 0)
MOVED: Final = IS_AFTER + lua("cursor_moved")
"""For scripts that write what an entry led to, and pass it, in one: `cursor_moved(cursor key, entry id)`."""

GapWay = Literal["behind", "ahead"]
Call = tuple[Sequence[str], Sequence[Any]]
"""Keys and arguments of a script."""


@dataclass(frozen=True, slots=True)
class FeedEnds:
    """Where a feed begins (None: it is empty) and ends, the last entry that was taken out on purpose, the cursor."""

    oldest: EntryId | None
    newest: EntryId
    removed: EntryId
    cursor: EntryId

    def gap(self, cursor: EntryId) -> GapWay | None:
        """What lies between a cursor and the feed: entries that are gone (`behind`), or that never were (`ahead`).

        Where all that a follower has passed was trimmed, whether more was is not known: that counts as a gap.
        """
        if cursor > self.newest:
            return "ahead"
        is_behind = self.oldest and BEFORE_ALL < cursor < before(self.oldest) and cursor != self.removed
        return "behind" if is_behind else None


def before(entry_id: EntryId) -> EntryId:
    """The last id that comes before an entry's."""
    return EntryId(entry_id.ms, entry_id.number - 1) if entry_id.number else EntryId(entry_id.ms - 1, MAX_NUMBER)


class Cursors:
    """One role's cursors. Every method raises StoreUnavailable, and may be repeated after that."""

    def __init__(self, client: redis.Redis, role: Role) -> None:
        self._client = client
        self._role: Role = role
        self._ends = Script(client, WRONG + lua("feed_ends"))
        self._move = Script(client, OWNS + WRONG + MOVED + lua("cursor_move"))

    def ends(self, partitions: Iterable[int]) -> dict[int, FeedEnds | Damaged]:
        """Of each partition where its feed begins and ends, and the cursor; or what is wrong with their keys."""
        wanted, layout = list(partitions), layout_of(self._client)
        keys = [layout.keys(each) for each in wanted]
        calls: list[Call] = [([each.feed, each.cursor(self._role)], []) for each in keys]
        with translated():
            replies = self._ends.many(calls)
        return {each: _ends_of(reply) for each, reply in zip(wanted, replies, strict=True)}

    def read(self, wanted: Mapping[int, tuple[EntryId, int]]) -> dict[int, list[FeedEntry]]:
        """Partition → (after which entry, how many at most) → its next entries, where there are any."""
        layout = layout_of(self._client)
        feeds = {layout.keys(partition).feed: str(after) for partition, (after, _) in wanted.items()}
        most = max((count for _, count in wanted.values()), default=0)
        found = entries_after(self._client, feeds, most)
        return {
            partition: [parse_entry(partition, *entry) for entry in found[feed][:count]]
            for feed, (partition, (_, count)) in zip(feeds, wanted.items(), strict=True)
            if feed in found
        }

    def move(self, cursors: Mapping[Lease, EntryId], *, back: bool = False) -> list[Lease]:
        """Moves cursors on to the entries, where `back` is said back, too; returns the leases that stand no more.

        What a cursor has passed already stays passed.
        """
        calls: list[Call] = []
        layout = layout_of(self._client)
        for lease, entry_id in cursors.items():
            keys = layout.keys(lease.partition)
            place = [*keys.ownership(self._role), keys.cursor(self._role), keys.feed]
            calls.append((place, [str(lease), str(entry_id), int(back)]))
        with translated():
            replies = self._move.many(calls)
        return [lease for lease, reply in zip(cursors, replies, strict=True) if reply is None]


def _ends_of(reply: Any) -> FeedEnds | Damaged:  # noqa: ANN401  (what a script returns)
    if isinstance(reply, Damaged):
        return reply
    oldest, newest, removed, cursor = reply
    try:
        place = EntryId.parse(cursor) if cursor else BEFORE_ALL
    except ValueError as err:
        return Damaged(f"cursor: {err}")
    return FeedEnds(EntryId.parse(oldest) if oldest else None, EntryId.parse(newest), EntryId.parse(removed), place)
