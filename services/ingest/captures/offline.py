"""Which cameras are away: pure policy, no Redis, no clock."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from services.ingest.captures.account import Account
from shared.events import CloseReason
from shared.life.outages import Outage, OutageEnd
from shared.streams import StreamSpec, StreamState


class Standing(NamedTuple):
    """How a stream stands, and its connection number `epoch`.

    `ends` says why its event ends if one is open; None where a camera is waited for. `last_ms` is the time of the
    newest frame, 0 if there never was one.
    """

    ends: CloseReason | None
    last_ms: int
    epoch: int

    @classmethod
    def of(cls, account: Account, state: StreamState, *, is_camera: bool) -> "Standing":
        """How a stream stands that is captured."""
        ends: CloseReason | None = "live" if state is StreamState.LIVE else None if is_camera else "source_changed"
        return cls(ends, account.last_ms, account.epoch)


OVER: Final = Standing("source_ended", last_ms=0, epoch=0)


@dataclass(slots=True)
class CameraSeen:
    """What was seen of a stream: its newest frame, and when that was new, and whether its event is open, if known."""

    last_ms: int
    new_at: float
    is_open: bool | None = None


class OfflineWatch:
    """Says what streams' events are to be, until told that they are. Used by one thread.

    Only the time counts in which this process waits for the camera: while no ingest ran, nobody knows. What an earlier
    process opened is known by Redis, and closed with the first frame.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], CameraSeen] = {}
        self._over: dict[str, None] = {}

    def over(self, stream_id: str) -> None:
        """Nobody waits for the stream any more: its event is to end, if it has one; once that is told, that is all."""
        self._over[stream_id] = None

    def look(
        self, standings: Mapping[str, Standing], specs: Mapping[str, StreamSpec], now: float
    ) -> list[Outage | OutageEnd]:
        """What is to be told, at `now` on a clock that only runs forward, in seconds; of those that are captured these
        are the standings, and others are forgotten unless they are `over`."""
        self._over = {each: None for each in self._over if each in specs and each not in standings}
        standings = dict.fromkeys(self._over, OVER) | dict(standings)
        pairs = [(specs[stream_id], standing) for stream_id, standing in standings.items() if stream_id in specs]
        known = {_key(spec) for spec, _ in pairs}
        self._seen = {key: seen for key, seen in self._seen.items() if key in known}
        return [news for spec, standing in pairs if (news := self._news(spec, standing, now))]

    def told(self, news: Iterable[Outage | OutageEnd]) -> None:
        """So it is in Redis now."""
        for each in news:
            self._seen[_key(each.spec)].is_open = isinstance(each, Outage)
            self._over.pop(each.spec.id, None)

    def _news(self, spec: StreamSpec, standing: Standing, now: float) -> Outage | OutageEnd | None:
        seen = self._seen.setdefault(_key(spec), CameraSeen(standing.last_ms, now))
        if standing.last_ms != seen.last_ms:
            seen.last_ms, seen.new_at = standing.last_ms, now
        if standing.ends not in {None, "live"}:
            seen.new_at = now  # it is not waited for
        if standing.ends:
            return None if seen.is_open is False else OutageEnd(spec, standing.last_ms, standing.ends)
        if seen.is_open or now - seen.new_at < spec.offline_seconds:
            return None
        return Outage(spec, standing.last_ms or spec.created_at_ms, standing.epoch)


def _key(spec: StreamSpec) -> tuple[str, int]:
    return spec.id, spec.generation
