"""One client that watches streams: what it asked for, and the newest of each that it has not taken yet."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

MAX_TILES: Final = 64
MIN_RATE, MAX_RATE = 0.1, 15.0


@dataclass(frozen=True, slots=True)
class Tile:
    """A stream as it was last seen; the scores are of the newest frame that inference has passed, a little older."""

    stream_id: str
    captured_at_ms: int
    jpeg: bytes
    scores_at_ms: int | None
    scores: Mapping[str, float]
    open_labels: tuple[str, ...]


class Viewer:
    """Pictures of at most MAX_TILES streams wait in it, one of each: the newest wins. For the event loop's thread."""

    def __init__(self, holder: str) -> None:
        self.holder = holder
        self.rates: Mapping[str, float] = {}
        """pictures a second, at most, by stream id"""
        self.closed = False
        self._waiting: dict[str, Tile] = {}
        self._due_at: dict[str, float] = {}
        self._changed = asyncio.Event()

    def ask_for(self, rates: Mapping[str, float]) -> None:
        """Watches these streams from now on, and no others; of one whose rate stays nothing comes sooner for that."""
        stay = {stream_id for stream_id, rate in rates.items() if rate == self.rates.get(stream_id)}
        self.rates = dict(rates)
        self._waiting = {stream_id: tile for stream_id, tile in self._waiting.items() if stream_id in rates}
        self._due_at = {stream_id: at for stream_id, at in self._due_at.items() if stream_id in stay}
        self._changed.set()

    def offer(self, tile: Tile) -> None:
        """Has this picture wait in place of an older one, where its stream is watched."""
        if tile.stream_id in self.rates:
            self._waiting[tile.stream_id] = tile
            self._changed.set()

    def close(self) -> None:
        """Ends the watching at the next opportunity."""
        self.closed = True
        self._changed.set()

    async def take(self, timeout_seconds: float) -> list[Tile]:
        """What waits and is due by its rate, as soon as that is something; nothing after the timeout or when closed."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + timeout_seconds
        while not self.closed and (now := loop.time()) < give_up_at:
            due_at = {stream_id: self._due_at.get(stream_id, now) for stream_id in self._waiting}
            if due := [stream_id for stream_id, at in due_at.items() if at <= now]:
                for stream_id in due:
                    self._due_at[stream_id] = max(due_at[stream_id] + 1 / self.rates[stream_id], now)
                return [self._waiting.pop(stream_id) for stream_id in due]
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min([give_up_at, *due_at.values()])):
                    await self._changed.wait()
        return []
