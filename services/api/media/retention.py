"""Which events' media go: those that are old, and the oldest where there is no room."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from services.api.media.records import MediaRecord

COMFORT = 0.98
BY_AGE = "removed: kept for longer than media is"
BY_SIZE = "removed: newer media needed the room"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long media is kept, from when it was recorded, and how much of it in all partitions together."""

    seconds: float
    num_bytes: int

    @property
    def comfortable_bytes(self) -> int:
        """Where room is made: below the limit, so that replicas that add at the same moment stay within it."""
        return round(self.num_bytes * COMFORT)


def used_bytes(records: Iterable[MediaRecord]) -> int:
    """What all of it takes."""
    return sum(record.num_bytes for record in records)


def too_old(records: Mapping[str, MediaRecord], limits: Limits, now_ms: int) -> list[str]:
    """The events whose media was recorded too long ago, kept ones among them."""
    before_ms = now_ms - limits.seconds * 1000
    return [event_id for event_id, each in records.items() if each.num_bytes and 0 < each.recorded_at_ms < before_ms]


def oldest_first(
    records: Mapping[str, MediaRecord],
    excess_bytes: int,
    are_kept: Callable[[Collection[str]], Collection[str]],
) -> list[str]:
    """The events whose media must go for so many bytes, the oldest, none that somebody keeps; fewer if that is all."""
    chosen: list[str] = []
    waiting = sorted(
        (each for each in records if records[each].num_bytes), key=lambda each: records[each].recorded_at_ms
    )
    at = 0
    while excess_bytes > 0 and at < len(waiting):
        some: list[str] = []
        missing = excess_bytes
        while missing > 0 and at < len(waiting):
            some.append(waiting[at])
            missing -= records[waiting[at]].num_bytes
            at += 1
        kept = set(are_kept(some))
        going = [event_id for event_id in some if event_id not in kept]
        excess_bytes -= used_bytes(records[event_id] for event_id in going)
        chosen += going
    return chosen
