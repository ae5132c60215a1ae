"""Scores read back piece by piece, so that a page of ten thousand frames is never in memory as a whole."""

import threading
from collections.abc import AsyncGenerator, Collection
from typing import Any, Final

import anyio
import anyio.to_thread
import redis
from pydantic import TypeAdapter

from services.api.schemas.history import FrameScores
from shared.entries import EntryId, parse_scores
from shared.store.client import translated
from shared.store.layout.known import layout_of

PIECE_FRAMES: Final = 100
THREADS: Final = 2
"""At once: each holds a piece."""
FRAMES: Final = TypeAdapter(list[FrameScores])


class ScoreReader:
    """Scores of all streams. Methods raise StoreUnavailable."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._limiter = anyio.CapacityLimiter(THREADS)
        self._computing = threading.Lock()
        """one at a time: each that computes has the event loop, and so every other client, wait for its turn"""

    async def page(
        self, stream_id: str, since_ms: int, until_ms: int, limit: int, labels: Collection[str] | None = None
    ) -> AsyncGenerator[bytes]:
        """The JSON of a ScorePage, in pieces: frames in `since_ms` <= time < `until_ms`, oldest first.

        `labels`: None means all. Redis is asked for a piece when it is wanted, so errors of the first come before
        anything is given.
        """
        found, start, separator, last_ms = 0, f"{since_ms}-0", b'{"items":[', 0
        while found < limit and since_ms < until_ms:
            count = min(PIECE_FRAMES, limit - found)
            last, num_frames, text = await anyio.to_thread.run_sync(
                self._piece, stream_id, start, f"({until_ms}-0", count, labels, limiter=self._limiter
            )
            if num_frames:
                yield separator + text
                found, start, separator, last_ms = found + num_frames, f"({last}", b",", last.ms
            if num_frames < count:
                break
        start_of_end = separator if not found else b""
        following = str(last_ms + 1) if found == limit else "null"
        yield start_of_end + f'],"next_since_ms":{following}}}'.encode()

    def _piece(
        self, stream_id: str, start: str, end: str, count: int, labels: Collection[str] | None
    ) -> tuple[EntryId, int, bytes]:
        """The last frame's entry, how many frames there are, and their JSON without the brackets."""
        with translated():
            key = layout_of(self._client).keys_of(stream_id).scores(stream_id)
            entries: Any = self._client.xrange(key, start, end, count=count)
        with self._computing:
            found = ((EntryId.parse(name).ms, parse_scores(each)) for name, each in entries)
            frames = [FrameScores(at_ms=at_ms, scores=_of_labels(scores, labels)) for at_ms, scores in found]
            last = EntryId.parse(entries[-1][0]) if entries else EntryId(0)
            return last, len(frames), FRAMES.dump_json(frames)[1:-1]


def _of_labels(scores: dict[str, float], labels: Collection[str] | None) -> dict[str, float]:
    return scores if labels is None else {label: scores[label] for label in labels if label in scores}
