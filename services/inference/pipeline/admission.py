"""Admits streams: loads what the last commit left, so that the next frame finds the memory where it was."""

import logging
import time
from collections.abc import Collection, Iterable

import redis

from services.inference.metrics import InferenceMetrics
from services.inference.pipeline.messages import Opening, Remembered, Stream
from services.inference.pipeline.saved_state import SavedMemory, SavedTracks, StateUnreadable
from shared.manifest import Manifest
from shared.store.client import replies_of
from shared.store.keys import keys_of
from shared.streams import FIRST_CURSOR, Progress

DAMAGED_SECONDS = 30.0
"""So long a stream with damaged keys is left alone, and so long it goes well before it is called whole."""

log = logging.getLogger(__name__)


class DamagedStreams:
    """Streams whose keys do not bear a commit: each is named once in the log, and tried again now and then."""

    def __init__(self) -> None:
        self._damages: dict[str, tuple[str, float]] = {}

    def note(self, stream_id: str, damage: str) -> None:
        """Of the stream nothing can be stored."""
        if self.damage(stream_id) != damage:
            said = "stream %s: is not looked at: %s"
            log.error(said, stream_id, damage, extra={"stream_id": stream_id})
        self._damages[stream_id] = damage, time.monotonic()

    def damage(self, stream_id: str) -> str | None:
        """What is wrong with the stream, if anything."""
        return self._damages.get(stream_id, (None,))[0]

    def rests(self, stream_id: str) -> bool:
        """Whether it need not be tried again yet."""
        _, since = self._damages.get(stream_id, ("", -DAMAGED_SECONDS))
        return time.monotonic() < since + DAMAGED_SECONDS

    def forget(self, stream_ids: Collection[str]) -> int:
        """Leaves out streams that have been whole for long, and those that are not among these; how many are left."""
        now = time.monotonic()
        self._damages = {
            stream_id: (damage, since)
            for stream_id, (damage, since) in self._damages.items()
            if stream_id in stream_ids and now < since + 2 * DAMAGED_SECONDS
        }
        return len(self._damages)


def admit(client: redis.Redis, wanted: Iterable[Stream], metrics: InferenceMetrics) -> list[Opening]:
    """How those of the streams begin that exist, from one pipelined round trip. Raises StoreUnavailable.

    A stream whose progress cannot be read is left out; ingest and the api say so.
    """
    chosen = list(wanted)
    pipeline = client.pipeline(transaction=False)
    for stream in chosen:
        keys = keys_of(stream.id)
        for key in (keys.progress, keys.state, keys.memory):
            pipeline.hget(key, stream.id)
    replies = replies_of(pipeline)
    stored = zip(replies[::3], replies[1::3], replies[2::3], strict=True)
    return [
        _opening(stream, progress, state, memory, metrics)
        for stream, (text, state, memory) in zip(chosen, stored, strict=True)
        if (progress := _readable(text)) is not None
        and not isinstance(state, Exception)
        and not isinstance(memory, Exception)
    ]


def _readable(stored: bytes | Exception | None) -> Progress | None:
    try:
        return Progress.parse(stored) if isinstance(stored, bytes) else None
    except ValueError:
        return None


def _opening(
    stream: Stream, progress: Progress, state: bytes | None, memory: bytes | None, metrics: InferenceMetrics
) -> Opening:
    manifest = stream.runner.manifest
    metrics.add_stream(stream.id, manifest.labels)
    tracks, problem = _tracks(state, manifest)
    saved = SavedMemory(manifest.reference, progress.checkpoint, 0, Remembered())
    if problem is None:
        saved, problem = _memory(memory, progress, manifest)
    if problem is None:
        if state:
            metrics.state_restores.inc()
        num_replayed = progress.frames_processed - saved.frames_processed
        return Opening(stream, progress, saved.memory, tracks.tracking, num_replayed)
    tracks.tracking.memory_reset = problem
    metrics.state_resets.labels(problem).inc()
    log.warning("stream %s: memory reset: %s", stream.id, problem, extra={"stream_id": stream.id})
    return Opening(stream, progress, Remembered(), tracks.tracking, stale_model=tracks.model)


def _tracks(content: bytes | None, manifest: Manifest) -> tuple[SavedTracks, str | None]:
    """The stored tracks, and why this model cannot go on with them, if so."""
    empty = SavedTracks(manifest.reference)
    if content is None:
        return empty, None
    try:
        saved = SavedTracks.from_bytes(content)
    except StateUnreadable as err:
        return empty, f"state_{err}"
    if saved.model != manifest.reference or saved.tracking.tracks.keys() - set(manifest.labels):
        return saved, "model_changed"
    return saved, None


def _memory(content: bytes | None, progress: Progress, manifest: Manifest) -> tuple[SavedMemory, str | None]:
    """The memory of the last checkpoint, and why it cannot be gone on with, if so."""
    empty = SavedMemory(manifest.reference, FIRST_CURSOR, 0, Remembered())
    if content is None:
        return empty, None if progress.checkpoint == FIRST_CURSOR else "state_lost"
    try:
        saved = SavedMemory.from_bytes(content)
    except StateUnreadable as err:
        return empty, f"state_{err}"
    vector = saved.memory.vector
    if saved.cursor != progress.checkpoint:
        return empty, "state_lost"
    if saved.model != manifest.reference:
        return empty, "model_changed"
    if vector is not None and vector.shape != (manifest.state_size,):
        return empty, "state_size"
    return saved, None
