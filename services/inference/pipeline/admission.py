"""Admits streams: loads what the last commit left, so that the next frame finds the memory where it was."""

import logging
from collections.abc import Iterable

import redis

from services.inference.metrics import InferenceMetrics
from services.inference.models.runner import Runner
from services.inference.pipeline.saved_state import SavedState, StateUnreadable
from services.inference.pipeline.session import Session
from services.inference.pipeline.tracker import Tracker
from shared.manifest import Manifest
from shared.store.client import replies_of
from shared.store.keys import keys_of
from shared.store.leases import Lease
from shared.streams import Progress, StreamSpec

log = logging.getLogger(__name__)


def admit(
    client: redis.Redis, wanted: Iterable[tuple[StreamSpec, Lease, Runner]], metrics: InferenceMetrics
) -> list[Session]:
    """Sessions for the streams that exist, from one pipelined round trip. Raises StoreUnavailable.

    A stream whose progress cannot be read is left out; ingest and the api say so.
    """
    chosen = list(wanted)
    pipeline = client.pipeline(transaction=False)
    for spec, _, _ in chosen:
        keys = keys_of(spec.id)
        pipeline.hget(keys.progress, spec.id)
        pipeline.hget(keys.state, spec.id)
    replies = replies_of(pipeline)
    stored = zip(replies[::2], replies[1::2], strict=True)
    return [
        _session(spec, lease, runner, progress, state, metrics)
        for (spec, lease, runner), (text, state) in zip(chosen, stored, strict=True)
        if (progress := _readable(text)) is not None and not isinstance(state, Exception)
    ]


def _readable(stored: bytes | Exception | None) -> Progress | None:
    try:
        return Progress.parse(stored) if isinstance(stored, bytes) else None
    except ValueError:
        return None


def _session(
    spec: StreamSpec, lease: Lease, runner: Runner, progress: Progress, state: bytes | None, metrics: InferenceMetrics
) -> Session:
    saved, problem = _usable_state(state, runner.manifest)
    metrics.add_stream(spec.id, runner.manifest.labels)
    session = Session(
        spec=spec,
        lease=lease,
        runner=runner,
        progress=progress,
        tracker=Tracker(runner.manifest.labels, spec.thresholds_for(runner.manifest), saved.tracking),
        vector=None if problem else saved.vector,
        at_ms=None if problem else saved.at_ms,
        epoch=saved.epoch,
        tracked_spec=spec,
        position=progress.cursor,
    )
    if problem:
        session.tracker.note_reset(problem)
        session.stale_model = saved.model
        metrics.state_resets.labels(problem).inc()
        log.warning("stream %s: memory reset: %s", spec.id, problem, extra={"stream_id": spec.id})
    elif state:
        metrics.state_restores.inc()
    return session


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
