"""A camera that is away is an event of its stream, opened and closed by ingest under its lease."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis

from shared.events import CloseReason, Event, event_id
from shared.manifest import OFFLINE
from shared.store.client import translated
from shared.store.layout.known import layout_of
from shared.store.leases import OWNS, Lease
from shared.store.scripts import EVENTS, WRONG, Script, lua
from shared.streams import StreamSpec

OUTAGE: Final = OWNS + WRONG + EVENTS + lua("outage")
DONE: Final = 1


@dataclass(frozen=True, slots=True)
class Outage:
    """A camera is away since `since_ms`, in its connection number `epoch`."""

    spec: StreamSpec
    since_ms: int
    epoch: int

    def arguments(self) -> list[Any]:
        """Its part of the script's arguments."""
        event = Event(
            id=event_id(self.spec.id, OFFLINE, self.since_ms),
            stream_id=self.spec.id,
            label=OFFLINE,
            state="open",
            started_at_ms=self.since_ms,
            ended_at_ms=None,
            media_started_seconds=0,
            peak_score=1,
            mean_score=1,
            model=None,
            epoch=self.epoch,
            severity=self.spec.of_label(OFFLINE).severity,
        )
        return ["opened", event.id, event.started_at_ms, event.model_dump_json()]


@dataclass(frozen=True, slots=True)
class OutageEnd:
    """A camera is not away, or not any more: `reason` says why an event that is open ends."""

    spec: StreamSpec
    at_ms: int
    reason: CloseReason

    def arguments(self) -> list[Any]:
        """Its part of the script's arguments."""
        return ["closed", self.at_ms, self.reason]


def tell_outages(client: redis.Redis, news: Sequence[tuple[Outage | OutageEnd, Lease]]) -> list[Outage | OutageEnd]:
    """Opens and closes events, in one pipelined round trip; those that are so now.

    Told again it changes nothing. Not told are streams that are gone or damaged, or another worker's. Raises
    StoreUnavailable.
    """
    calls, layout = [], layout_of(client)
    for each, lease in news:
        spec, keys = each.spec, layout.keys_of(each.spec.id)
        named = [keys.progress, *keys.ownership("ingest"), keys.feed, keys.kept, keys.open]
        named += [keys.events(spec.id), keys.event_data(spec.id)]
        who = [str(lease), spec.id, spec.generation, OFFLINE, layout.feed_entries]
        calls.append((named, [*who, *each.arguments()]))
    with translated():
        outcomes = Script(client, OUTAGE).many(calls)
    return [each for (each, _), outcome in zip(news, outcomes, strict=True) if outcome == DONE]
