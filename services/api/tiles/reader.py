"""Reads watched streams for all who watch them: Redis is asked once for each, however many they are.

A stream is asked for at the highest rate that anybody wants of it, and answers only what is newer than what was read.
"""

import asyncio
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import redis.asyncio

from services.api.metrics.requests import ApiMetrics
from services.api.protocol.door import Door
from services.api.tiles.viewer import Tile, Viewer
from shared.entries import EntryId, parse_scores
from shared.errors import AfterimageError, StoreUnavailable
from shared.store.client import translated
from shared.store.errors import raise_but_damage
from shared.store.frame_queue import known_frames
from shared.store.layout.known import layout_of_async

TICK_SECONDS: Final = 0.04
PAUSE_SECONDS: Final = 1.0
STREAMS_AT_ONCE: Final = 16
"""In one round trip: a picture has up to 1 MiB."""
WITH_END: Final = 2
"""Entries that hold the newest frame, where the end of the source comes after it."""

log = logging.getLogger(__name__)


class TilesFull(AfterimageError):
    """There is no place for one more who watches; the message says why."""


class TileReader:
    """Gives each viewer what it asked for; while Redis is away they wait."""

    def __init__(self, client: redis.asyncio.Redis, metrics: ApiMetrics, door: Door) -> None:
        self._client = client
        self._metrics = metrics
        self._door = door
        self._viewers: set[Viewer] = set()
        self._newest: dict[str, Tile] = {}
        self._due_at: dict[str, float] = {}
        self._somebody_watches = asyncio.Event()
        self._closed = False

    def join(self, holder: str) -> Viewer:
        """A new viewer; raises TilesFull where there is no place for this holder. Whoever joins must leave."""
        reason = "the api is stopping" if self._closed else self._door.enter(holder)
        if reason:
            raise TilesFull(f"no more can watch: {reason}")
        viewer = Viewer(holder)
        self._viewers.add(viewer)
        self._somebody_watches.set()
        self._metrics.viewers.set(self._door.total)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Forgets a viewer."""
        self._viewers.discard(viewer)
        self._door.leave(viewer.holder)
        self._metrics.viewers.set(self._door.total)
        if not self._viewers:
            self._somebody_watches.clear()
            self._forget_all_but(())

    def show(self, viewer: Viewer, rates: Mapping[str, float]) -> None:
        """Has the viewer get these streams, at most at these rates; of new ones at once what is known of them."""
        seen = viewer.rates
        viewer.ask_for(rates)
        now = asyncio.get_running_loop().time()
        for stream_id, rate in rates.items():
            if stream_id not in seen and (tile := self._newest.get(stream_id)):
                viewer.offer(tile)
            self._due_at[stream_id] = min(self._due_at.get(stream_id, now), now + 1 / rate)

    def stop(self) -> None:
        """Ends all watching; nobody can join any more."""
        self._closed = True
        for viewer in self._viewers:
            viewer.close()

    async def close(self) -> None:
        """Ends all watching and the connection to Redis."""
        self.stop()
        await self._client.aclose()

    async def run(self) -> None:
        """Reads until it is cancelled."""
        while True:
            await self._somebody_watches.wait()
            try:
                await self._look(asyncio.get_running_loop().time())
                pause_seconds = TICK_SECONDS
            except StoreUnavailable:
                pause_seconds = PAUSE_SECONDS  # the live feed says so
            except Exception:
                log.exception("the reader of live pictures goes on after a defect")
                pause_seconds = PAUSE_SECONDS
            await asyncio.sleep(pause_seconds)

    async def _look(self, now: float) -> None:
        rates: dict[str, float] = {}
        for viewer in self._viewers:
            for stream_id, rate in viewer.rates.items():
                rates[stream_id] = max(rate, rates.get(stream_id, 0.0))
        self._forget_all_but(rates)
        due = iter([stream_id for stream_id in rates if self._due_at.get(stream_id, 0.0) <= now])
        while group := list(islice(due, STREAMS_AT_ONCE)):
            tiles = await self._read(group)
            for stream_id in group:
                self._due_at[stream_id] = max(self._due_at.get(stream_id, 0.0) + 1 / rates[stream_id], now)
            for tile in tiles:
                self._newest[tile.stream_id] = tile
                for viewer in self._viewers:
                    viewer.offer(tile)
            if not self._viewers:  # the last one left meanwhile: what was read would be old for the next
                self._forget_all_but(())

    def _forget_all_but(self, stream_ids: Iterable[str]) -> None:
        kept = set(stream_ids)
        self._newest = {stream_id: tile for stream_id, tile in self._newest.items() if stream_id in kept}
        self._due_at = {stream_id: at for stream_id, at in self._due_at.items() if stream_id in kept}

    async def _read(self, stream_ids: Sequence[str]) -> list[Tile]:
        """What is new of each; a key of another type than it should be is as good as none."""
        pipeline, layout = self._client.pipeline(transaction=False), await layout_of_async(self._client)
        for stream_id in stream_ids:
            keys, seen = layout.keys_of(stream_id), self._newest.get(stream_id)
            after = f"({seen.captured_at_ms}-0" if seen else "-"
            pipeline.xrevrange(keys.frames(stream_id), min=after, count=WITH_END)
            pipeline.xrevrange(keys.scores(stream_id), count=1)
            pipeline.hget(keys.state, stream_id)
        with translated():
            replies: list[Any] = await pipeline.execute(raise_on_error=False)
            raise_but_damage(replies)
        answered = [None if isinstance(reply, Exception) else reply for reply in replies]
        found = zip(stream_ids, answered[::3], answered[1::3], answered[2::3], strict=True)
        return [tile for each in found if (tile := _tile_of(*each))]


def _tile_of(stream_id: str, frames: Any, scores: Any, state: bytes | None) -> Tile | None:  # noqa: ANN401  (replies)
    frame = next((frame for frame in known_frames(frames or ()) if frame.jpeg is not None), None)
    if frame is None or frame.jpeg is None:
        return None
    scores_at_ms, known = None, dict[str, float]()
    for entry_id, fields in scores or ():
        scores_at_ms, known = EntryId.parse(entry_id).ms, parse_scores(fields)
    return Tile(stream_id, frame.captured_at_ms, frame.jpeg, scores_at_ms, known, open_labels(state))


def open_labels(state: bytes | None) -> tuple[str, ...]:
    """The labels of the events that are open, as inference stores what is under way; none where that is unreadable."""
    try:
        tracks = json.loads(state or b"{}")["tracks"]
        return tuple(sorted(label for label, track in tracks.items() if track.get("is_event")))
    except (AttributeError, KeyError, TypeError, ValueError):
        return ()
