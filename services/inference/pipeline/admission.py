"""Admits streams: loads what the last commit left, so that the next frame finds the memory where it was."""

import logging
import time
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any, Final

import redis

from services.inference.metrics import InferenceMetrics
from services.inference.pipeline.messages import Opening, Remembered, Stream
from services.inference.pipeline.saved_state import SavedMemory, SavedTracks, StateUnreadable
from shared.entries import EntryId
from shared.events import CloseReason
from shared.life.event_desk import EventDesk
from shared.manifest import OFFLINE, Manifest
from shared.store.client import translated
from shared.store.commit import what_was_left
from shared.store.errors import Damaged
from shared.store.layout.known import layout_of
from shared.streams import FIRST_CURSOR, Progress
from shared.words.versions import LaterVersion

MODEL_CHANGED: Final[CloseReason] = "model_changed"
STATE_LOST: Final[CloseReason] = "state_lost"
FORGOTTEN: Final[CloseReason] = "forgotten"
DAMAGED_SECONDS = 30.0
"""So long a stream with damaged keys is left alone before it is tried again."""

log = logging.getLogger(__name__)


class DamagedStreams:
    """Streams whose keys do not bear a commit, or on whose frames the model fails: each is named once in the log, and
    tried again now and then."""

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

    def forget(self, stream_id: str) -> None:
        """The stream's keys are whole again, or there is no such stream."""
        self._damages.pop(stream_id, None)

    def keep_only(self, stream_ids: Collection[str]) -> int:
        """Forgets those that are not among these; how many are left."""
        self._damages = {each: damage for each, damage in self._damages.items() if each in stream_ids}
        return len(self._damages)


def admit(
    client: redis.Redis, wanted: Iterable[Stream], damaged: DamagedStreams, metrics: InferenceMetrics
) -> list[Opening]:
    """How those of the streams begin that exist, from one pipelined round trip, and one more for each whose state is
    lost; damaged ones are noted instead. Raises StoreUnavailable."""
    chosen = list(wanted)
    openings = []
    for stream, left in zip(chosen, what_was_left(client, [stream.id for stream in chosen]), strict=True):
        if isinstance(left, Damaged):
            damaged.note(stream.id, left.what)
            continue
        text, state, memory = left
        try:
            progress = None if text is None else Progress.parse(text)
        except ValueError:
            damaged.note(stream.id, f"{layout_of(client).keys_of(stream.id).progress} cannot be read")
            continue
        try:
            opening = progress and _opening(stream, progress, state, memory, metrics)
        except LaterVersion as err:
            damaged.note(stream.id, f"its memory cannot be read by this version: it is {err}")
            continue
        damaged.forget(stream.id)
        if opening:
            openings.append(_with_left_open(client, opening))
    return openings


def _opening(
    stream: Stream, progress: Progress, state: bytes | None, memory: bytes | None, metrics: InferenceMetrics
) -> Opening:
    manifest = stream.runner.manifest
    tracks = SavedTracks(manifest.reference)
    try:
        tracks = _tracks(state, progress) or tracks
        if tracks.model == manifest.reference and tracks.tracking.tracks.keys() <= set(manifest.labels):
            saved = _memory(memory, progress, manifest)
            if saved.forgets == stream.spec.forgets:
                if state:
                    metrics.state_restores.inc()
                num_replayed = progress.frames_processed - saved.frames_processed
                return Opening(stream, progress, saved.memory, tracks.tracking, num_replayed)
            reset, what = FORGOTTEN, "so it was asked for"
        else:
            reset, what = MODEL_CHANGED, f"it is another model's, {tracks.model}"
    except StateUnreadable as err:
        reset, what = STATE_LOST, str(err)
    tracks.tracking.memory_reset = reset
    metrics.state_resets.labels(reset).inc()
    log.warning("stream %s: memory reset: %s: %s", stream.id, reset, what, extra={"stream_id": stream.id})
    return Opening(stream, progress, Remembered(), tracks.tracking, reset=reset, model=tracks.model)


def _tracks(content: bytes | None, progress: Progress) -> SavedTracks | None:
    """The stored tracks, None for a stream that begins; raises StateUnreadable where they are lost."""
    if content is None and progress.cursor != FIRST_CURSOR:
        raise StateUnreadable("its tracks are gone")
    return None if content is None else SavedTracks.from_bytes(content)


def _memory(content: bytes | None, progress: Progress, manifest: Manifest) -> SavedMemory:
    """The memory of the last checkpoint; raises StateUnreadable where it cannot be gone on with."""
    if content is None:
        if progress.checkpoint != FIRST_CURSOR:
            raise StateUnreadable("it is gone")
        return SavedMemory(manifest.reference, FIRST_CURSOR, 0, Remembered())
    saved = SavedMemory.from_bytes(content)
    vector = saved.memory.vector
    if saved.cursor != progress.checkpoint:
        raise StateUnreadable("it is not that of the last checkpoint")
    if saved.model != manifest.reference or (vector is not None and vector.shape != (manifest.state_size,)):
        raise StateUnreadable("it is another model's")
    return saved


def _with_left_open(client: redis.Redis, opening: Opening) -> Opening:
    """With the events that are open in Redis and that no track is left of; they end with the last frame passed."""
    if opening.reset != STATE_LOST:
        return opening
    stream_id = opening.stream.id
    with translated():
        stored: Any = client.hget(layout_of(client).keys_of(stream_id).open, stream_id)
    passed_ms = EntryId.parse(opening.progress.cursor).ms
    tracked = {(label, track.started_at_ms) for label, track in opening.tracking.tracks.items()}
    left_open = [
        event.model_copy(
            update={
                "state": "closed",
                "ended_at_ms": max(passed_ms, event.started_at_ms),
                "close_reason": STATE_LOST,
            }
        )
        for event, _ in EventDesk(client).find((stored or b"").decode().split())
        if event.label != OFFLINE and (event.label, event.started_at_ms) not in tracked
    ]
    return replace(opening, left_open=left_open)
