"""An event whose pictures and clip are not all there yet: what it waits for, and what is made of it."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import redis

from services.api.media.cutting.clip import EncodedClip, encode_clip
from services.api.media.cutting.frames import GONE, ClipSpan, Cut, frames_between, highest_score
from services.api.media.places.place import CLIP, TIMES, MediaPlace, picture_name
from services.api.media.records import KeptClip, Kind, MediaRecord, parsed_record
from shared.entries import EntryId
from shared.events import Event

PATIENCE_SECONDS: Final = 15.0
SLACK_MS: Final = 2000
"""A label that takes its time opens after another that began later."""
NO_FRAMES: Final = "no frame of it was left in the queue"


@dataclass(frozen=True, slots=True)
class Around:
    """How much of an event's surroundings a clip shows."""

    pre_seconds: float
    post_seconds: float

    def span(self, event: Event) -> ClipSpan:
        """The times of capture that an event's clip should reach from and to."""
        at_ms = event.started_at_ms
        return ClipSpan(at_ms - round(self.pre_seconds * 1000), at_ms, at_ms + round(self.post_seconds * 1000))


@dataclass(slots=True)
class UnderWay:
    """One such event. `looked_ms` is up to when its scores were looked through for a higher one."""

    event: Event
    span: ClipSpan
    fps: float
    record: MediaRecord
    is_inherited: bool = False
    """whether another recorder may have put its files"""
    is_counted: bool = True
    """whether its record says what lies there of it"""
    waits_since: float | None = None
    """Since when its files wait for their place, in seconds, steady."""
    looked_ms: int = 0
    cursor: EntryId = field(default_factory=lambda: EntryId(0))
    moved_at: float = field(default_factory=time.monotonic)

    @property
    def is_cut(self) -> bool:
        """Whether its clip was made, or could not be."""
        return self.record.recorded_at_ms > 0

    @property
    def may_lie_there(self) -> bool:
        """Whether some of its files may be in their place, whatever its record says."""
        return self.is_inherited or self.waits_since is not None

    def waited_seconds(self, now: float) -> float:
        """For how long its files wait for their place, at `now` in seconds, steady; from the first call on."""
        self.waits_since = now if self.waits_since is None else self.waits_since
        return now - self.waits_since

    def held_from_ms(self) -> int:
        """Frames from this time of capture on are needed yet."""
        return max(0, self.looked_ms if self.is_cut else self.span.from_ms - SLACK_MS)

    def is_due(self, cursor: EntryId, now: float) -> bool:
        """Whether all frames of the clip were passed, or no more come; `now` in seconds, steady."""
        if cursor != self.cursor:
            self.cursor, self.moved_at = cursor, now
        has_ended = cursor.number == 1 and cursor.ms >= self.span.opened_ms
        patience = PATIENCE_SECONDS + (self.span.to_ms - self.span.opened_ms) / 1000 + 2 / self.fps
        return cursor.ms >= self.span.to_ms or has_ended or now - self.moved_at > patience

    def is_over(self) -> bool:
        """Whether nothing more is to come: it is cut, and gave nothing, or closed and looked through up to its end."""
        if self.is_cut and not self.record.pictures:
            return True
        ended_at_ms = self.event.ended_at_ms
        return self.is_cut and ended_at_ms is not None and self.looked_ms >= min(ended_at_ms, self.cursor.ms)


@dataclass(slots=True)
class Draft:
    """The files of an event before they are kept, the clip in a folder of its own."""

    record: MediaRecord
    pictures: dict[Kind, tuple[int, bytes]]
    clip: Path
    times: bytes

    @property
    def num_bytes(self) -> int:
        """Of all its files."""
        pictures = sum(len(jpeg) for _, jpeg in self.pictures.values())
        return pictures + len(self.times) + (self.clip.stat().st_size if self.record.clip else 0)

    def put(self, place: MediaPlace, event_id: str) -> None:
        """Puts them into their place, the times last: where they are, all is. Raises MediaUnavailable."""
        for kind, (_, jpeg) in self.pictures.items():
            place.put(event_id, picture_name(kind), jpeg)
        if self.record.clip:
            place.put(event_id, CLIP, self.clip)
        place.put(event_id, TIMES, self.times)


def cut(client: redis.Redis, under_way: UnderWay, into: Path) -> Draft:
    """Cuts pictures and clip from what the queue has. Raises StoreUnavailable and OSError."""
    event, span = under_way.event, under_way.span
    until_ms = min(span.to_ms, event.ended_at_ms or span.to_ms)
    score, peak_ms = highest_score(client, event.stream_id, event.label, span.opened_ms, until_ms) or (0.0, 0)
    source = Cut(client, event.stream_id, span, peak_ms)
    path = into / CLIP
    film = encode_clip(path, source, under_way.fps)
    at_ms = film.captured_at_ms
    record = MediaRecord(
        state="recording",
        reason=_reason(source, film),
        pictures={kind: picture_ms for kind, (picture_ms, _) in source.pictures.items()},
        clip=_clip(source, film) if at_ms else None,
        recorded_at_ms=round(time.time() * 1000),
        peak_score=score if "peak" in source.pictures else 0.0,
    )
    told = {"event_id": event.id, "record": record.model_dump(mode="json"), "captured_at_ms": at_ms}
    draft = Draft(record, source.pictures, path, json.dumps(told).encode())
    draft.record = record.model_copy(update={"num_bytes": draft.num_bytes if draft.pictures else 0})
    return draft


def whole_record(place: MediaPlace, event_id: str) -> MediaRecord | None:
    """The record of files that lie there, all of them, as they were put; else None. Raises MediaUnavailable."""
    try:
        told = json.loads(place.read(event_id, TIMES))
        record = parsed_record(json.dumps(told["record"]).encode())
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return record and record.model_copy(update={"num_bytes": sum(place.sizes(event_id).values())})


def higher_peak(client: redis.Redis, under_way: UnderWay, upto_ms: int) -> tuple[float, int, bytes] | None:
    """A picture with a higher score than the one that is kept, from where was looked up to then; None: there is none.

    Score, time of capture, JPEG. Raises StoreUnavailable.
    """
    event, from_ms = under_way.event, under_way.looked_ms + 1
    found = highest_score(client, event.stream_id, event.label, from_ms, upto_ms) if upto_ms >= from_ms else None
    if found is None or found[0] <= under_way.record.peak_score:
        return None
    score, at_ms = found
    frame = next(frames_between(client, event.stream_id, at_ms, at_ms), None)
    return (score, at_ms, frame.jpeg) if frame and frame.jpeg is not None else None


def put_peak(place: MediaPlace, event_id: str, at_ms: int, score: float, jpeg: bytes) -> int:
    """Replaces the picture of the peak, and what is told of it beside the clip; bytes of all files of the event then.

    Raises MediaUnavailable, and FileNotFoundError where the event has none.
    """
    told = json.loads(place.read(event_id, TIMES))
    place.put(event_id, picture_name("peak"), jpeg)
    told["record"]["pictures"]["peak"], told["record"]["peak_score"] = at_ms, score
    place.put(event_id, TIMES, json.dumps(told).encode())
    return sum(place.sizes(event_id).values())


def _clip(source: Cut, film: EncodedClip) -> KeptClip:
    return KeptClip(
        from_ms=film.captured_at_ms[0],
        to_ms=film.captured_at_ms[-1],
        num_frames=len(film.captured_at_ms),
        width=film.width,
        height=film.height,
        frames_missing=source.frames_gone + source.frames_lost + film.num_undecodable,
    )


def _reason(source: Cut, film: EncodedClip) -> str | None:
    """What is missing, and why, as far as one can tell."""
    if not film.captured_at_ms and not source.pictures:
        return NO_FRAMES
    said = [f"{source.frames_gone} {GONE}"] if source.frames_gone else []
    if source.frames_lost:
        said.append(f"{source.frames_lost} of its frames were lost before")
    if film.num_undecodable:
        said.append(f"{film.num_undecodable} of its frames do not decode")
    return "; ".join(said) or None
