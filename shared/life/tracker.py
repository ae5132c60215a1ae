"""Turns a stream's scores into events: pure policy, one tracker a stream.

Thresholding with hysteresis, minimum duration and merge gap, as in onset/offset post-processing of sound event
detection (Cances et al., 2019). A track begins where a score reaches `enter`; it becomes an event once it has lasted
`min_seconds` at or above `exit`; the event ends when the score has stayed away for `merge_seconds`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import gt
from typing import Literal, NamedTuple

from shared.events import CloseReason
from shared.manifest import Thresholds

HOLE_FRAMES = 2.0
"""So many times the usual distance between frames is a hole."""


class Track(NamedTuple):
    """One label's score above its thresholds, as far as it has come."""

    started_at_ms: int
    media_started_seconds: float
    epoch: int
    last_above_ms: int
    peak_score: float
    score_sum: float
    num_frames: int
    in_gap: bool = False
    is_event: bool = False
    frames_missed: int = 0
    memory_reset: str | None = None

    @property
    def mean_score(self) -> float:
        """Mean over the frames that were above."""
        return self.score_sum / self.num_frames

    def with_score(self, at_ms: int, score: float) -> "Track":
        """The track one frame longer."""
        return self._replace(
            last_above_ms=at_ms,
            peak_score=max(self.peak_score, score),
            score_sum=self.score_sum + score,
            num_frames=self.num_frames + 1,
            in_gap=False,
        )


@dataclass(frozen=True, slots=True)
class Transition:
    """An event that opened or closed."""

    kind: Literal["opened", "closed"]
    label: str
    track: Track
    close_reason: CloseReason | None = None


@dataclass(slots=True)
class TrackerState:
    """What must outlive the process: the tracks under way by label, and what the next event is to record."""

    tracks: dict[str, Track] = field(default_factory=dict)
    frames_missed: int = 0
    memory_reset: str | None = None


class Tracker:
    """Follows every label of one stream; frames must come in time order, as a rule `frame_ms` apart.

    What lies in a hole between frames is not known: one of `merge_seconds` ends an event, as a dip of the score does.
    """

    def __init__(
        self, labels: Sequence[str], thresholds: Mapping[str, Thresholds], state: TrackerState, frame_ms: float
    ) -> None:
        self._labels = tuple(labels)
        self.state = state
        self.follow(thresholds, frame_ms)

    def follow(self, thresholds: Mapping[str, Thresholds], frame_ms: float) -> None:
        """Judges what comes by these."""
        self.thresholds = thresholds
        self._enters = tuple(thresholds[label].enter for label in self._labels)
        self._frame_ms = frame_ms

    def update(self, at_ms: int, media_seconds: float, epoch: int, scores: Sequence[float]) -> list[Transition]:
        """Takes one frame's scores, in the order of the labels; returns what opened or closed by it."""
        transitions: list[Transition] = []
        tracks = self.state.tracks
        if not tracks and all(map(gt, self._enters, scores)):  # as it is with most frames
            return transitions
        for label, score in zip(self._labels, scores, strict=True):
            track, thresholds = tracks.get(label), self.thresholds[label]
            if track and self._is_over(track, at_ms, thresholds):
                transitions += self._end(label, "score" if track.in_gap else "gap")
                track = None
            if track is None:
                if score < thresholds.enter:
                    continue
                track = Track(at_ms, media_seconds, epoch, at_ms, score, score, 1)
            elif score >= (thresholds.enter if track.in_gap else thresholds.exit):
                track = track.with_score(at_ms, score)
            elif track.is_event and at_ms - track.last_above_ms < thresholds.merge_seconds * 1000:
                tracks[label] = track._replace(in_gap=True)
                continue
            else:
                transitions += self._end(label, "score")
                continue
            if not track.is_event and track.last_above_ms - track.started_at_ms >= thresholds.min_seconds * 1000:
                track = self._as_event(track)
                transitions.append(Transition("opened", label, track))
            tracks[label] = track
        return transitions

    def _is_over(self, track: Track, at_ms: int, thresholds: Thresholds) -> bool:
        """Whether so long has passed that what comes now is another."""
        longest_ms = thresholds.merge_seconds * 1000
        if not track.in_gap:
            longest_ms = max(longest_ms, HOLE_FRAMES * self._frame_ms)
        return at_ms - track.last_above_ms >= longest_ms

    def close_all(self, reason: CloseReason) -> list[Transition]:
        """Ends every track, as when a source ends or the memory is reset."""
        return [transition for label in list(self.state.tracks) for transition in self._end(label, reason)]

    def note_missed(self, num_frames: int) -> None:
        """Frames were lost; the next event says so."""
        self.state.frames_missed += num_frames

    def note_reset(self, reason: str) -> None:
        """The memory was reset; the next event says so."""
        self.state.memory_reset = reason

    def _as_event(self, track: Track) -> Track:
        missed, reset = self.state.frames_missed, self.state.memory_reset
        self.state.frames_missed, self.state.memory_reset = 0, None
        return track._replace(is_event=True, frames_missed=missed, memory_reset=reset)

    def _end(self, label: str, reason: CloseReason) -> list[Transition]:
        track = self.state.tracks.pop(label)
        return [Transition("closed", label, track, reason)] if track.is_event else []
