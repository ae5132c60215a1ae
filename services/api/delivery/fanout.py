"""Which events go to whom: from the feed into the outbox, by what the streams and the targets want."""

from collections.abc import Collection, Sequence
from typing import Final

import redis
from pydantic import BaseModel, ConfigDict, ValidationError

from services.api.delivery.outbox import ENDS, Letter, Outbox
from services.api.delivery.sender import Sender
from services.api.delivery.targets import COURSE, Target, TargetBook
from services.api.followers.entries import FeedEntry
from shared.life.delivery_rules import DeliveryWish, Severity, verdict
from shared.store.leases import Lease
from shared.store.registry import RegistryListing

KINDS: Final = COURSE | {"updated", "deleted"}
UNWISHED: Final = DeliveryWish()


class ToldEvent(BaseModel):
    """What must be known of an event to deliver it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    label: str
    started_at_ms: int
    ended_at_ms: int | None
    severity: Severity = "alert"


class Fanout:
    """What delivery does with the feed: letters into the outbox. The sender takes them on."""

    def __init__(self, client: redis.Redis, outbox: Outbox, sender: Sender) -> None:
        self._client = client
        self._outbox = outbox
        self._book = TargetBook(client)
        self._sender = sender
        self._listings: dict[int, RegistryListing] = {}

    def take_over(self, lease: Lease) -> None:
        """The sender goes on with what waits there."""
        self._listings[lease.partition] = RegistryListing(self._client)
        self._sender.take_over(lease)

    def handle(self, lease: Lease, entries: Sequence[FeedEntry]) -> int:
        """Passes all, or none while the outbox is full."""
        listing = self._listings[lease.partition]
        listing.look([lease.partition])
        targets = self._book.current().values()
        delivered = self._outbox.delivered(lease.partition)
        letters: list[Letter] = []
        for entry in entries:
            spec = listing.specs.get(entry.stream_id)
            letters += letters_of(entry, spec or UNWISHED, spec.groups if spec else (), targets, delivered)
        return len(entries) if self._outbox.put(lease, entries[-1].entry_id, letters, delivered) else 0

    def leave(self, lease: Lease) -> None:
        """The sender stops there."""
        self._sender.leave(lease)
        self._listings.pop(lease.partition, None)


def letters_of(
    entry: FeedEntry,
    wish: DeliveryWish,
    groups: Collection[str],
    targets: Collection[Target],
    delivered: dict[str, int],
) -> list[Letter]:
    """Letters about an entry to all who want it; `delivered` is stream and label → newest start, and is kept so.

    Pure policy.
    """
    if entry.kind not in KINDS:
        return []
    try:
        event = ToldEvent.model_validate_json(entry.event)
    except ValidationError:  # another version's
        return []
    name = f"{entry.stream_id} {entry.label}"
    before_ms = delivered.get(name)
    told = verdict(event, wish, None if before_ms == event.started_at_ms else before_ms)
    has_opened = entry.kind in ENDS and before_ms == event.started_at_ms
    if told.withheld and not has_opened:  # to whom it opened it ends, whatever is wished by now
        return []
    if entry.kind in COURSE:
        delivered[name] = max(event.started_at_ms, before_ms or 0)
    is_early = (event.started_at_ms if event.ended_at_ms is None else event.ended_at_ms) < told.due_at_ms
    due_at_ms = told.due_at_ms if is_early else 0
    message_id = f"{entry.partition}.{entry.entry_id}"
    return [
        Letter(
            entry.partition,
            entry.entry_id,
            each.id,
            entry.stream_id,
            entry.kind,
            entry.event,
            message_id,
            due_at_ms,
            traceparent=entry.traceparent,
        )
        for each in targets
        if each.wants(entry, told.severity, groups)
    ]
