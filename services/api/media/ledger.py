"""What one recorder knows of its partitions: the records of all events, those under way, and the room they take."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from services.api.media.cutting.under_way import UnderWay
from services.api.media.records import MediaRecord
from services.api.media.retention import used_bytes
from shared.store.leases import Lease


@dataclass(slots=True)
class LedgerPage:
    """One partition, under the lease that its records are written under."""

    lease: Lease
    records: dict[str, MediaRecord]
    under_way: dict[str, UnderWay] = field(default_factory=dict)
    unwritten: dict[str, MediaRecord | None] = field(default_factory=dict)
    """Records that Redis does not have yet (None: it is to forget one)."""
    held: dict[str, str | None] = field(default_factory=dict)
    """Stream → entry from which on its frames stay, as Redis has it, or None where it may have any."""
    renew_at: float = 0.0
    """When Redis is to hear again that somebody records, in seconds on a steady clock."""
    is_checked: bool = False
    """Whether its files were compared with its records since it was taken over."""
    heard: str = "0-0"
    """The feed's last entry that was heard."""

    def write(self, event_id: str, record: MediaRecord | None) -> None:
        """Notes what is to be written."""
        self.unwritten[event_id] = record
        if record is None:
            self.records.pop(event_id, None)
            self.under_way.pop(event_id, None)
            return
        self.records[event_id] = record
        if event_id in self.under_way:
            self.under_way[event_id].record = record

    def needs(self) -> dict[str, str]:
        """Stream → entry from which on its frames are needed."""
        needs: dict[str, int] = {}
        for each in self.under_way.values():
            stream_id, from_ms = each.event.stream_id, each.held_from_ms()
            needs[stream_id] = min(from_ms, needs.get(stream_id, from_ms))
        return {stream_id: f"{from_ms}-0" for stream_id, from_ms in needs.items()}

    def holds(self) -> dict[str, str | None]:
        """Stream → entry from which on its frames are held, None where they need not be any more."""
        return dict.fromkeys(self.held) | self.needs()

    def has_news(self, now: float) -> bool:
        """Whether Redis is to be told anything, at `now` on a steady clock, in seconds."""
        holds = self.holds()
        moved = any(entry is None or self.held.get(each) != entry for each, entry in holds.items())
        return bool(self.unwritten) or moved or now >= self.renew_at


class Ledger:
    """The pages of the partitions that this recorder holds."""

    def __init__(self) -> None:
        self.pages: dict[int, LedgerPage] = {}

    @property
    def used_bytes(self) -> int:
        """What the media of all of them takes."""
        return sum(used_bytes(page.records.values()) for page in self.pages.values())

    def used_by_partition(self) -> dict[int, int]:
        """The same by partition."""
        return {partition: used_bytes(page.records.values()) for partition, page in self.pages.items()}

    @property
    def num_under_way(self) -> int:
        """Events whose media is not all there yet."""
        return sum(len(page.under_way) for page in self.pages.values())

    def records(self) -> dict[str, MediaRecord]:
        """Those of all pages."""
        return {event_id: record for page in self.pages.values() for event_id, record in page.records.items()}

    def drop(self, partitions: Iterable[int]) -> None:
        """Forgets partitions that are another recorder's now."""
        for partition in partitions:
            self.pages.pop(partition, None)
