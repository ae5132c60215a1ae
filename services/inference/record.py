"""The third stage: scores to events, and everything into one commit."""

import logging
from collections.abc import Callable, Sequence

from services.inference.batch import Scored, StreamResult
from services.inference.commit import CommitOutcome, Committer, StreamCommit
from services.inference.compute import SCORE_DECIMALS
from services.inference.lateness import Lateness
from services.inference.metrics import InferenceMetrics
from services.inference.saved_state import SavedState
from services.inference.session import Session
from services.inference.tracker import Transition
from shared.clock import now_ms, steady_ms, wall_offset_ms
from shared.events import Event, event_id
from shared.leases import Lease
from shared.streams import Progress

log = logging.getLogger(__name__)


class Recorder:
    """Runs the trackers and keeps each stream's progress. Used by one thread."""

    def __init__(self, committer: Committer, metrics: InferenceMetrics, on_lost: Callable[[Lease], None]) -> None:
        self._committer = committer
        self._on_lost = on_lost
        self._metrics = metrics
        self._lateness = Lateness()

    def prepare(self, results: Sequence[StreamResult]) -> list[StreamCommit]:
        """The commits for a batch; from here on the trackers have seen it, so it is prepared once."""
        for result in results:
            if result.session.is_fenced:
                self._metrics.commits_fenced.labels("worker").inc()
        return [stream_commit(result, self._metrics) for result in results if not result.session.is_lost]

    def commit(self, results: Sequence[StreamResult], commits: Sequence[StreamCommit]) -> None:
        """Commits what was prepared; may be called again after StoreUnavailable."""
        outcomes = self._committer.commit(commits)
        wanted = {commit.stream_id: commit for commit in commits}
        at_ms = now_ms()
        self._lateness.look(wall_offset_ms(), steady_ms())
        for result in results:
            session = result.session
            if session.stream_id in wanted and not session.is_lost:
                outcome = outcomes[session.stream_id]
                if outcome is CommitOutcome.COMMITTED:
                    self._count(result, wanted[session.stream_id], at_ms)
                    session.progress = wanted[session.stream_id].wanted
                else:
                    self._refused(session, outcome)
            session.num_done += len(result.entries)

    def _refused(self, session: Session, outcome: CommitOutcome) -> None:
        session.is_lost = True
        extra = {"stream_id": session.stream_id}
        log.warning("stream %s: commit %s, given up here", session.stream_id, outcome.value, extra=extra)
        if outcome is CommitOutcome.FENCED:
            self._metrics.commits_fenced.labels("redis").inc()
            self._on_lost(session.lease)
        else:
            self._metrics.commits_refused.inc()

    def _count(self, result: StreamResult, commit: StreamCommit, at_ms: int) -> None:
        stream_id = commit.stream_id
        processed = commit.wanted.frames_processed - commit.expected.frames_processed
        dropped = commit.wanted.sequence - commit.expected.sequence - processed
        self._metrics.frames_processed.labels(stream_id).inc(processed)
        self._metrics.checkpointed_at.labels(stream_id).set(at_ms / 1000)
        if dropped:
            self._metrics.frames_dropped.labels(stream_id, "queue_full").inc(dropped)
        scored = next((entry.scores for entry in reversed(result.entries) if entry.scores is not None), None)
        if scored is not None:
            self._metrics.scores.note(stream_id, commit.labels, scored)
        latency = self._metrics.latency.labels(result.session.spec.pace)
        for entry in result.entries:
            if entry.frame.jpeg is not None:
                latency.observe(self._lateness.seconds(entry.frame.due_at_ms, at_ms))
        for kind, event in commit.transitions:
            if kind == "opened":
                self._metrics.events.labels(stream_id, event.label).inc()


def stream_commit(result: StreamResult, metrics: InferenceMetrics) -> StreamCommit:
    """What one stream's part of a batch adds; moves its tracker on."""
    session, manifest = result.session, result.session.runner.manifest
    if session.tracked_spec is not session.spec:
        session.tracked_spec = session.spec
        session.tracker.thresholds = session.spec.thresholds_for(manifest)
    transitions = _stale_transitions(session)
    progress = session.progress
    for entry in result.entries:
        progress = _passed(session, progress, entry)
        if entry.reset:
            metrics.state_resets.labels(entry.reset).inc()
        transitions += [(t.kind, _event(session, t, manifest.reference)) for t in _tracked(session, entry)]
    state = SavedState(manifest.reference, result.vector, result.at_ms, result.epoch, session.tracker.state)
    return StreamCommit(
        stream_id=session.stream_id,
        lease=session.lease,
        expected=session.progress,
        wanted=progress,
        state=state.to_bytes(),
        labels=manifest.labels,
        scores=[
            (entry.frame.entry_id, [f"{score:.{SCORE_DECIMALS}f}" for score in entry.scores])
            for entry in result.entries
            if entry.scores is not None
        ],
        transitions=transitions,
    )


def _passed(session: Session, progress: Progress, entry: Scored) -> Progress:
    """The progress after an entry; a hole in the frames' numbers is noted for the next event."""
    frame = entry.frame
    is_frame = frame.jpeg is not None
    if missed := frame.sequence - progress.sequence - is_frame:
        session.tracker.note_missed(missed)
    return Progress(progress.generation, frame.entry_id, frame.sequence, progress.frames_processed + is_frame)


def _tracked(session: Session, entry: Scored) -> list[Transition]:
    tracker, frame = session.tracker, entry.frame
    if frame.jpeg is None:
        return tracker.close_all("source_ended")
    transitions = []
    if entry.reset:
        transitions = tracker.close_all("gap")
        tracker.note_reset(entry.reset)
    if entry.scores is not None:
        transitions += tracker.update(frame.captured_at_ms, frame.media_seconds, frame.epoch, entry.scores)
    return transitions


def _stale_transitions(session: Session) -> list[tuple[str, Event]]:
    """Closes what a former model had opened."""
    if session.stale_model is None:
        return []
    model, session.stale_model = session.stale_model, None
    return [(t.kind, _event(session, t, model)) for t in session.tracker.close_all("model_changed")]


def _event(session: Session, transition: Transition, model: str) -> Event:
    track, is_open = transition.track, transition.kind == "opened"
    return Event(
        id=event_id(session.stream_id, transition.label, track.started_at_ms),
        stream_id=session.stream_id,
        label=transition.label,
        state="open" if is_open else "closed",
        started_at_ms=track.started_at_ms,
        ended_at_ms=None if is_open else track.last_above_ms,
        media_started_seconds=track.media_started_seconds,
        peak_score=round(track.peak_score, 4),
        mean_score=round(track.mean_score, 4),
        model=model,
        epoch=track.epoch,
        close_reason=transition.close_reason,
        frames_missed=track.frames_missed,
        memory_reset=track.memory_reset,
    )
