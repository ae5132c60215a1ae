"""How the streams come on: frames committed, and the longest time that each went without a commit."""

import time
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import redis
from default_layout import PARTITIONS, partition_of

from shared.store.client import translated
from shared.streams import Progress


class Pace:
    """Follows the progress of streams from the outside, as often as `look` is called."""

    def __init__(self, client: redis.Redis, stream_ids: Collection[str]) -> None:
        self.progress: dict[str, Progress] = {}
        self.longest_gap_seconds: dict[str, float] = {}
        self.moved_at = time.monotonic()
        self.moving: frozenset[str] = frozenset()
        """Streams with commits between the last two looks."""
        self._client = client
        self._stream_ids = frozenset(stream_ids)
        self._partitions = sorted({partition_of(stream_id) for stream_id in stream_ids})
        self._moved_at: dict[str, float] = {}

    @property
    def num_frames(self) -> int:
        """Frames committed in all."""
        return sum(progress.frames_processed for progress in self.progress.values())

    def frames_of(self, stream_id: str) -> int:
        """Frames of one stream committed."""
        progress = self.progress.get(stream_id)
        return progress.frames_processed if progress else 0

    def look(self) -> None:
        """Reads the progress of all streams. Raises StoreUnavailable."""
        pipeline = self._client.pipeline(transaction=False)
        for partition in self._partitions:
            pipeline.hgetall(PARTITIONS[partition].progress)
        with translated():
            replies = pipeline.execute()
        now = time.monotonic()
        self.moving = frozenset(stream_id for reply in replies for stream_id in self._note(reply, now))

    def unfinished(self) -> frozenset[str]:
        """Streams whose end is not committed yet."""
        over = {each for each, progress in self.progress.items() if progress.cursor.endswith("-1")}
        return self._stream_ids - over

    def unsaved(self) -> dict[str, Progress]:
        """Unfinished streams with frames committed since the last checkpoint, and how far they are."""
        unfinished = self.unfinished()
        return {
            each: progress
            for each, progress in self.progress.items()
            if each in unfinished and progress.cursor != progress.checkpoint
        }

    def start_anew(self) -> None:
        """Forgets the gaps so far; from now on they count anew, those under way from now."""
        now = time.monotonic()
        self.longest_gap_seconds = dict.fromkeys(self._stream_ids, 0.0)
        self._moved_at = dict.fromkeys(self._stream_ids, now)

    def gaps(self) -> dict[str, float]:
        """The longest time without a commit by stream, in seconds, those under way included; not before the first."""
        now = time.monotonic()
        unfinished = self.unfinished()
        under_way = {stream_id: now - at for stream_id, at in self._moved_at.items() if stream_id in unfinished}
        longest = self.longest_gap_seconds
        return {each: max(longest.get(each, 0.0), under_way.get(each, 0.0)) for each in sorted(self._moved_at)}

    def _note(self, reply: Mapping[Any, Any], now: float) -> Iterator[str]:
        """Takes a partition's progress; the streams that have moved on."""
        for name, text in reply.items():
            stream_id, progress = name.decode(), Progress.parse(text)
            before = self.progress.get(stream_id)
            self.progress[stream_id] = progress
            if before is None or progress.cursor == before.cursor:
                continue
            if began := self._moved_at.get(stream_id):
                self.longest_gap_seconds[stream_id] = max(self.longest_gap_seconds.get(stream_id, 0.0), now - began)
            self._moved_at[stream_id] = self.moved_at = now
            yield stream_id
