"""The third stage: scores to events, and everything into one commit."""

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from services.inference.latency import Lateness
from services.inference.metrics import InferenceMetrics
from services.inference.pipeline.batch_trace import BatchTrace, stage_of
from services.inference.pipeline.messages import (
    Answer,
    Change,
    Closing,
    Opening,
    Refused,
    Remembered,
    Results,
    Scored,
    Settled,
    Stream,
    StreamResult,
    ToRecord,
)
from services.inference.pipeline.saved_state import SavedMemory, SavedTracks
from shared.clock import now_ms, steady_ms, wall_offset_ms
from shared.events import CloseReason, Event, event_id
from shared.life.tracker import Tracker, TrackerState, Transition
from shared.store.commit import CommitOutcome, Committer, StreamCommit, StreamOutcome
from shared.store.errors import Damaged
from shared.store.leases import Lease
from shared.streams import Progress, StreamSpec
from shared.tracing.spans import trace_id_of

Outcomes = dict[str, StreamOutcome]

log = logging.getLogger(__name__)


class Course:
    """How far a stream has come, and the events under way."""

    def __init__(self, opened: Opening) -> None:
        self._stream = opened.stream
        self._manifest = opened.stream.runner.manifest
        self._progress = opened.progress
        self._model = opened.model or self._manifest.reference
        self._left_open = opened.left_open
        self._spec = spec = opened.stream.spec
        thresholds = spec.thresholds_for(self._manifest)
        self._tracker = Tracker(self._manifest.labels, thresholds, opened.tracking, 1000 / spec.fps)
        self._stored: TrackerState | None = None

    def change(self, spec: StreamSpec) -> None:
        """Follows what the user wants."""
        self._spec = spec
        self._tracker.follow(spec.thresholds_for(self._manifest), 1000 / spec.fps)

    def is_moved_by(self, result: StreamResult) -> bool:
        """Whether there is anything to store of a part of a batch."""
        return bool(result.entries or result.memory or (result.closed and self._tracker.state.tracks))

    def go_on(self, result: StreamResult, trace: BatchTrace | None) -> StreamCommit:
        """What a part of a batch adds; from here on the tracker has seen it."""
        transitions = self._closed(result.closed) if result.closed else []
        expected = self._progress
        if result.entries:
            transitions += self._pass(result.entries, trace)
        memory = self._checkpoint(result.memory) if result.memory else b""
        return StreamCommit(
            stream_id=self._stream.id,
            lease=self._stream.lease,
            expected=expected,
            wanted=self._progress,
            state=self._changed_state(),
            labels=self._manifest.labels,
            scores=[(entry.frame.entry_id, entry.scores) for entry in result.entries if entry.scores is not None],
            transitions=transitions,
            memory=memory,
            traceparents=trace.opened_of(self._stream.id) if trace else {},
        )

    def _changed_state(self) -> bytes:
        """The tracks to store, nothing where they are as they were."""
        state = self._tracker.state
        if state == self._stored:
            return b""
        self._stored = replace(state, tracks=dict(state.tracks))
        return SavedTracks(self._manifest.reference, state).to_bytes()

    def _checkpoint(self, memory: Remembered) -> bytes:
        passed = self._progress
        self._progress = passed._replace(checkpoint=passed.cursor)
        forgets = self._stream.spec.forgets
        saved = SavedMemory(self._manifest.reference, passed.cursor, passed.frames_processed, memory, forgets)
        return saved.to_bytes()

    def _pass(self, entries: Sequence[Scored], trace: BatchTrace | None) -> list[tuple[str, Event]]:
        """Moves the progress past entries; returns what opened or closed by them.

        A hole in the frames' numbers is noted for the next event. They go back where somebody took the counter of
        frames published away: nothing was missed then.
        """
        transitions: list[tuple[str, Event]] = []
        generation, _, sequence, processed, checkpoint = self._progress
        for entry in entries:
            frame = entry.frame
            is_frame = frame.jpeg is not None
            if (missed := frame.sequence - sequence - is_frame) > 0:
                self._tracker.note_missed(missed)
            sequence = frame.sequence
            processed += is_frame
            found = [(each.kind, self._event(each)) for each in self._tracked(entry)]
            if trace and found:
                trace.note(frame, found)
            transitions += found
        self._progress = Progress(generation, entries[-1].frame.entry_id, sequence, processed, checkpoint)
        return transitions

    def _tracked(self, entry: Scored) -> Sequence[Transition]:
        tracker, frame = self._tracker, entry.frame
        closed = []
        if entry.reset:
            closed = tracker.close_all(entry.reset)
            tracker.note_reset(entry.reset)
        if entry.scores is None:
            return closed
        return closed + tracker.update(frame.captured_at_ms, frame.media_seconds, frame.epoch, entry.scores)

    def _closed(self, reason: CloseReason) -> list[tuple[str, Event]]:
        """Closes what is open; what comes is found by the stream's model."""
        transitions = [("closed", event) for event in self._left_open]
        transitions += [(each.kind, self._event(each)) for each in self._tracker.close_all(reason)]
        self._left_open, self._model = (), self._manifest.reference
        return transitions

    def _event(self, transition: Transition) -> Event:
        track, is_open = transition.track, transition.kind == "opened"
        return Event(
            id=event_id(self._stream.id, transition.label, track.started_at_ms),
            stream_id=self._stream.id,
            label=transition.label,
            state="open" if is_open else "closed",
            started_at_ms=track.started_at_ms,
            ended_at_ms=None if is_open else track.last_above_ms,
            media_started_seconds=track.media_started_seconds,
            peak_score=round(track.peak_score, 4),
            mean_score=round(track.mean_score, 4),
            model=self._model,
            epoch=track.epoch,
            close_reason=transition.close_reason,
            frames_missed=track.frames_missed,
            severity=self._spec.of_label(transition.label).severity,
            thresholds=self._tracker.thresholds.get(transition.label),
            memory_reset=track.memory_reset,
        )


class Repeating(Protocol):
    """How often a commit is sent: until Redis lets it through."""

    def __call__(self, stage: str, action: Callable[[], Outcomes]) -> Outcomes:
        """The action's result."""


class Recorder:
    """Keeps the streams' courses and commits them. Used by one thread."""

    def __init__(
        self,
        committer: Committer,
        metrics: InferenceMetrics,
        until_stored: Repeating,
        lose: Callable[[Lease], None],
        answer: Callable[[Answer], None],
    ) -> None:
        self._committer = committer
        self._metrics = metrics
        self._until_stored = until_stored
        self._lose = lose
        self._answer = answer
        self._courses: dict[Stream, Course] = {}
        self._lateness = Lateness()

    def take(self, message: ToRecord) -> None:
        """Does what a message asks for."""
        match message:
            case Results(streams, trace):
                stored = self._commit([result for result in streams if self._is_moved_by(result)], trace)
                if trace:
                    trace.end(stored)
            case Opening(stream):
                self._courses[stream] = Course(message)
            case Change(stream, spec):
                if course := self._courses.get(stream):
                    course.change(spec)
            case Refused(stream):
                self._courses.pop(stream, None)
                self._answer(message)
            case Closing(stream):
                self._courses.pop(stream, None)
                self._answer(Settled(stream))

    def _is_moved_by(self, result: StreamResult) -> bool:
        course = self._courses.get(result.stream)
        return course is not None and course.is_moved_by(result)

    def _commit(self, results: Sequence[StreamResult], trace: BatchTrace | None) -> set[str]:
        """The streams of which it is stored."""
        if not results:
            return set()
        commits = [self._courses[result.stream].go_on(result, trace) for result in results]
        with stage_of(trace, "commit"), self._metrics.stage_seconds.labels("commit").time():
            outcomes = self._until_stored("commit", partial(self._committer.commit, commits))
        at_ms = now_ms()
        self._lateness.look(wall_offset_ms(), steady_ms())
        late: dict[str, list[float]] = defaultdict(list)
        for result, commit in zip(results, commits, strict=True):
            outcome = outcomes[commit.stream_id]
            if outcome is CommitOutcome.COMMITTED:
                self._count(result, commit, at_ms)
                late[result.stream.spec.pace] += self._late_seconds(result, at_ms)
                if trace:
                    self._note_traced(result, at_ms)
            else:
                self._refused(result.stream, outcome)
        for pace, seconds in late.items():
            self._metrics.latency.note(pace, seconds)
        return {stream_id for stream_id, outcome in outcomes.items() if outcome is CommitOutcome.COMMITTED}

    def _late_seconds(self, result: StreamResult, at_ms: int) -> list[float]:
        late = self._lateness.seconds
        return [late(entry.frame.due_at_ms, at_ms) for entry in result.entries if entry.frame.jpeg is not None]

    def _note_traced(self, result: StreamResult, at_ms: int) -> None:
        for frame in (entry.frame for entry in result.entries):
            if frame.traceparent:
                seconds = self._lateness.seconds(frame.due_at_ms, at_ms)
                self._metrics.latency.note_traced(result.stream.spec.pace, seconds, trace_id_of(frame.traceparent))

    def _refused(self, stream: Stream, outcome: StreamOutcome) -> None:
        del self._courses[stream]
        if isinstance(outcome, Damaged):
            self._answer(Refused(stream, outcome.what))
            return
        self._answer(Refused(stream))
        level = logging.DEBUG if outcome is CommitOutcome.GONE else logging.WARNING
        extra = {"stream_id": stream.id}
        log.log(level, "stream %s: commit %s, given up here", stream.id, outcome.value, extra=extra)
        if outcome is CommitOutcome.FENCED:
            self._metrics.commits_fenced.inc()
            self._lose(stream.lease)
        elif outcome is CommitOutcome.REFUSED:
            self._metrics.commits_refused.inc()

    def _count(self, result: StreamResult, commit: StreamCommit, at_ms: int) -> None:
        metrics, stream_id = self._metrics, commit.stream_id
        processed = commit.wanted.frames_processed - commit.expected.frames_processed
        dropped = commit.wanted.sequence - commit.expected.sequence - processed
        metrics.count_processed(stream_id, processed)
        if commit.memory:
            metrics.note_checkpoint(stream_id, at_ms)
        if dropped > 0:
            metrics.count_dropped(stream_id, dropped)
        scored = next((entry.scores for entry in reversed(result.entries) if entry.scores is not None), None)
        if scored is not None:
            metrics.note_scores(stream_id, commit.labels, scored)
        for entry in result.entries:
            if entry.reset:
                metrics.state_resets.labels(entry.reset).inc()
        for kind, event in commit.transitions:
            if kind == "opened":
                metrics.count_event(stream_id, event.label)
