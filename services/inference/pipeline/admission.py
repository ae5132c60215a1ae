"""Admits streams: loads what the last commit left, so that the next frame finds the memory where it was."""

import logging
from collections.abc import Iterable

import redis

from services.inference.metrics import InferenceMetrics
from services.inference.pipeline.messages import Opening, Remembered, Stream
from services.inference.pipeline.saved_state import SavedState, StateUnreadable
from shared.manifest import Manifest
from shared.store.client import replies_of
from shared.store.keys import keys_of
from shared.streams import Progress

log = logging.getLogger(__name__)


def admit(client: redis.Redis, wanted: Iterable[Stream], metrics: InferenceMetrics) -> list[Opening]:
    """How those of the streams begin that exist, from one pipelined round trip. Raises StoreUnavailable.

    A stream whose progress cannot be read is left out; ingest and the api say so.
    """
    chosen = list(wanted)
    pipeline = client.pipeline(transaction=False)
    for stream in chosen:
        keys = keys_of(stream.id)
        pipeline.hget(keys.progress, stream.id)
        pipeline.hget(keys.state, stream.id)
    replies = replies_of(pipeline)
    stored = zip(replies[::2], replies[1::2], strict=True)
    return [
        _opened(stream, progress, state, metrics)
        for stream, (text, state) in zip(chosen, stored, strict=True)
        if (progress := _readable(text)) is not None and not isinstance(state, Exception)
    ]


def _readable(stored: bytes | Exception | None) -> Progress | None:
    try:
        return Progress.parse(stored) if isinstance(stored, bytes) else None
    except ValueError:
        return None


def _opened(stream: Stream, progress: Progress, state: bytes | None, metrics: InferenceMetrics) -> Opening:
    manifest = stream.runner.manifest
    saved, problem = _usable_state(state, manifest)
    metrics.add_stream(stream.id, manifest.labels)
    if problem is None:
        if state:
            metrics.state_restores.inc()
        return Opening(stream, progress, Remembered(saved.vector, saved.at_ms, saved.epoch), saved.tracking)
    saved.tracking.memory_reset = problem
    metrics.state_resets.labels(problem).inc()
    log.warning("stream %s: memory reset: %s", stream.id, problem, extra={"stream_id": stream.id})
    return Opening(stream, progress, Remembered(epoch=saved.epoch), saved.tracking, stale_model=saved.model)


def _usable_state(content: bytes | None, manifest: Manifest) -> tuple[SavedState, str | None]:
    """The stored state, and why its memory cannot be used by this model, if so."""
    empty = SavedState(manifest.reference, None)
    if content is None:
        return empty, None
    try:
        saved = SavedState.from_bytes(content)
    except StateUnreadable as err:
        return empty, f"state_{err}"
    if saved.model != manifest.reference or saved.tracking.tracks.keys() - set(manifest.labels):
        return saved, "model_changed"
    if saved.vector is not None and saved.vector.shape != (manifest.state_size,):
        return saved, "state_size"
    return saved, None
