"""Where streams' queues are read, and which streams are silent: policy, no clock, no Redis."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from services.inference.pipeline.batcher import Batcher
from services.inference.pipeline.messages import Item, Silence, Stream
from shared.entries import EntryId
from shared.streams import StreamSpec
from shared.waiting import LONGEST_FOR_STORE_SECONDS

LONGEST_LOOK_SECONDS: Final = 1.0
"""So much of the time between two reads counts as silence: in more of it, Redis was away or this worker held up."""
LATE_SECONDS: Final = LONGEST_FOR_STORE_SECONDS
"""So late frames may come that ingest held back while Redis was away from it."""
BETWEEN_LOOKS_SECONDS: Final = 0.5


@dataclass(slots=True, eq=False)
class Place:
    """Where an open stream's queue is read: after the entry `position`; `spec` is what the user wants now.

    What lies up to the entry `known` is read for the memory's sake alone. `heard_at` is when it last had anything, by
    its lane's time.
    """

    stream: Stream
    spec: StreamSpec
    position: str
    known: EntryId
    heard_at: float | None = None
    is_silent: bool = False
    is_away: bool = False

    @property
    def is_over(self) -> bool:
        """Whether no frames are to be expected: it is paused, or the end of its source was read."""
        return self.spec.paused or EntryId.parse(self.position).number > 0

    def is_replay(self, entry: EntryId) -> bool:
        """Whether everything else is known of the entry."""
        return entry <= self.known


class Lane:
    """One model's way into the pipeline: frames that wait, and what is seen of its streams' queues."""

    def __init__(self, batcher: Batcher[Stream, Item], silent_seconds: float, now: float) -> None:
        self.batcher = batcher
        self.active: Collection[str] | None = None
        """the streams that had frames when it last read; None: nobody had"""
        self._silent_seconds = silent_seconds
        self._read_at = now
        self._seen_seconds = 0.0
        self._looked_at = 0.0

    def silences(self, heard: Iterable[Place], empty: Iterable[Place], now: float) -> list[Silence]:
        """Those of the empty queues' places that have fallen silent, or whose camera is away.

        `heard` had anything since the last time. Time is that in which it was seen what lies in the queues: else a
        Redis that is away, or a worker that is slow, would make streams silent. A camera is away once its next frame
        will find the memory too old; a recording that is worked off is only late.
        """
        self._seen_seconds += min(now - self._read_at, LONGEST_LOOK_SECONDS)
        self._read_at = now
        for place in heard:
            place.heard_at, place.is_silent, place.is_away = self._seen_seconds, False, False
        if self._seen_seconds - self._looked_at < BETWEEN_LOOKS_SECONDS:
            return []
        self._looked_at = self._seen_seconds
        silent: list[Stream] = []
        away: list[Stream] = []
        for place in empty:
            if place.heard_at is None:
                place.heard_at = self._seen_seconds
            seconds = self._seen_seconds - place.heard_at
            if not place.is_silent and seconds >= self._silent_seconds:
                place.is_silent = True
                silent.append(place.stream)
            if not place.is_away and seconds >= place.spec.reset_after_seconds + LATE_SECONDS:
                place.is_away = True
                if place.spec.pace == "live":
                    away.append(place.stream)
        return [Silence(streams, each) for streams, each in ((silent, False), (away, True)) if streams]
