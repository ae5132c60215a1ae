"""Takes judged events and their clips from the API into a data set's folder."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from pydantic import ValidationError

from afterimage.client import Client
from afterimage.feedback.clips import JudgedClip, JudgedEvent, Outside, Sides, ToldClip
from afterimage.feedback.folder import FeedbackFolder
from shared.errors import RequestRefused
from shared.life.marks import Judgement

MAX_CLIP_BYTES: Final = 256 << 20
SAVE_SECONDS: Final = 10.0
"""So often the annotations are written while clips arrive."""
UNREADABLE: Final = "the API tells of it in words that this version does not know"


@dataclass(frozen=True, slots=True)
class WantedEvents:
    """Which judged events: of these streams and labels, or all, from a time on, the newest so many."""

    stream_ids: Sequence[str] | None = None
    labels: Sequence[str] | None = None
    since_ms: int = 0
    limit: int = 10_000

    def has(self, clip: JudgedClip) -> bool:
        """Whether a clip's event is one of them, or would be if so many were wanted."""
        of_stream = not self.stream_ids or clip.stream_id in self.stream_ids
        return of_stream and (not self.labels or clip.label in self.labels) and clip.started_at_ms >= self.since_ms


@dataclass(slots=True)
class Collected:
    """What a run came to: events' ids."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    """people said something else of them than before"""
    withdrawn: list[str] = field(default_factory=list)
    """nobody says anything of them any more; their clips are gone"""
    skipped: dict[str, str] = field(default_factory=dict)
    """those that teach nothing, and why"""


def collect(
    client: Client, folder: FeedbackFolder, wanted: WantedEvents, on_progress: Callable[[int, int], None]
) -> Collected:
    """Brings an opened folder up to date: adds what is new, changes what people say otherwise now.

    What is no longer kept in the system stays in the folder. Raises ApiUnavailable and RequestRefused, with all that
    came until then in the folder, and DatasetUnusable.
    """
    run = _Run(client, folder)
    events = _judged(client, wanted)
    told = {each["id"] for each in events}
    silent = [clip for clip in folder.clips.values() if wanted.has(clip) and clip.event_id not in told]
    total = len(events) + len(silent)
    for done, event in enumerate(reversed(events), start=1):  # the oldest first
        run.take(event)
        on_progress(done, total)
    for done, clip in enumerate(silent, start=len(events) + 1):
        run.ask_again(clip)
        on_progress(done, total)
    return run.collected


def _judged(client: Client, wanted: WantedEvents) -> list[Mapping[str, Any]]:
    filters = {"stream_id": wanted.stream_ids, "label": wanted.labels, "feedback": ["right", "wrong"]}
    return list(islice(client.events(**filters, since_ms=wanted.since_ms), wanted.limit))


class _Run:
    """One run over events."""

    def __init__(self, client: Client, folder: FeedbackFolder) -> None:
        self._client = client
        self._folder = folder
        self._sides = Sides(folder.clips.values(), by_stream=folder.terms.split == "stream")
        self._saved = time.monotonic()
        self.collected = Collected()

    def take(self, told: Mapping[str, Any]) -> None:
        """An event that people judged: new, or known."""
        try:
            event = JudgedEvent.model_validate(told)
        except ValidationError:
            self.collected.skipped[str(told.get("id"))[:200]] = UNREADABLE
            return
        known = self._folder.clips.get(event.id)
        if known and self._folder.has(event.id):
            self._change(known, event)
        elif (reason := event.unusable()) or not (event.media and event.media.clip and event.feedback):
            self.collected.skipped[event.id] = reason or UNREADABLE
        else:
            self._fetch(event, event.media.clip, event.feedback.verdict, known)

    def ask_again(self, clip: JudgedClip) -> None:
        """A clip of which the list said nothing: its event is gone, too old for the list, or judged no more."""
        told = self._client.event(clip.event_id)
        if told is not None and told["feedback"] is None:
            self._folder.drop(clip.event_id)
            self.collected.withdrawn.append(clip.event_id)
        elif told is not None:
            self.take(told)

    def _change(self, known: JudgedClip, event: JudgedEvent) -> None:
        if event.feedback and event.feedback.verdict != known.verdict:
            self._folder.clips[event.id] = known.model_copy(update={"verdict": event.feedback.verdict})
            self.collected.changed.append(event.id)

    def _fetch(self, event: JudgedEvent, clip: ToldClip, verdict: Judgement, known: JudgedClip | None) -> None:
        record = JudgedClip(
            event_id=event.id,
            verdict=verdict,
            subset=known.subset if known else self._sides.place(event, clip),
            **event.model_dump(include={"stream_id", "label", "started_at_ms", "ended_at_ms", "model"}),
            **clip.model_dump(),
        )
        try:
            self._folder.add(record, lambda file: self._client.save_clip(event.id, file, MAX_CLIP_BYTES))
        except RequestRefused as err:
            self.collected.skipped[event.id] = str(err)
            return
        self.collected.added.append(event.id)
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self._folder.save()
            self._saved = time.monotonic()


def lacking(clips: Iterable[JudgedClip], outside: Outside) -> Iterator[str]:
    """What a model cannot learn from the clips, or not be measured on, in sentences."""
    clips = list(clips)
    for label in sorted({clip.label for clip in clips}):
        verdicts = {clip.verdict for clip in clips if clip.label == label}
        if "right" not in verdicts:
            yield f"{label}: no event was right, so nothing shows what it looks like"
        elif "wrong" not in verdicts and outside == "unjudged":
            yield f"{label}: no event was wrong, so nothing shows where it is not; see --outside"
    sides = {clip.subset for clip in clips}
    if "training" not in sides:
        yield "no clip is for training: `train --subset all` takes every one"
    if clips and not sides & {"validation", "testing"}:
        yield "every clip is for training: `evaluate` would measure on what was learned from"
