"""What a stream's frame queue holds right now."""

from typing import Any, Final

import redis

from shared.entries import EntryId, Frame
from shared.records import StreamRecord
from shared.store.client import translated
from shared.store.frame_queue import known_frames
from shared.store.layout.known import layout_of

WITH_END: Final = 2
"""Entries among which is a frame: beside it there may be the end of its source."""


def newest_frame(client: redis.Redis, stream_id: str) -> Frame | None:
    """The newest frame that is still kept; an end-of-source marker may lie behind it. Raises StoreUnavailable."""
    with translated():
        newest: Any = client.xrevrange(layout_of(client).keys_of(stream_id).frames(stream_id), count=WITH_END)
    return next((frame for frame in known_frames(newest) if frame.jpeg is not None), None)


def nearest_frame(client: redis.Redis, stream_id: str, at_ms: int) -> Frame | None:
    """The frame nearest to a time, of those that are still kept. Raises StoreUnavailable."""
    key = layout_of(client).keys_of(stream_id).frames(stream_id)
    with translated():
        before: Any = client.xrevrange(key, f"{at_ms}-0", count=WITH_END)
        after: Any = client.xrange(key, f"({at_ms}-0", count=WITH_END)
    frames = [frame for frame in known_frames([*before, *after]) if frame.jpeg is not None]
    return min(frames, key=lambda frame: abs(frame.captured_at_ms - at_ms), default=None)


def last_published_ms(client: redis.Redis, record: StreamRecord) -> int:
    """The time of the last frame that a stream is known to have published, 0 before any. Raises StoreUnavailable."""
    queued = newest_frame(client, record.spec.id)
    passed = EntryId.parse(record.progress.cursor).ms
    return max(queued.captured_at_ms if queued else 0, passed, record.status.last_frame_at_ms or 0)
