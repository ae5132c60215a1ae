"""What a judged event's clip teaches. Pure: no API, no files."""

import hashlib
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.life.marks import Judgement
from shared.manifest import Label
from shared.streams import StreamId

Side = Literal["training", "validation", "testing"]
Outside = Literal["unjudged", "absent"]
TRAINING, VALIDATION = 0.7, 0.85
"""Up to which share of all hashes a clip is trained on, and up to which validated; the rest tests."""
MAX_MS: Final = 1 << 53

Moment = Annotated[int, Field(ge=0, le=MAX_MS)]


class Record(BaseModel):
    """What others wrote, as far as it is needed here."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ToldFeedback(Record):
    """What people said of an event."""

    verdict: Judgement


class ToldClip(Record):
    """An event's clip: which frames it shows."""

    from_ms: Moment
    to_ms: Moment
    num_frames: int = Field(ge=0, le=1_000_000)


class ToldMedia(Record):
    """What was recorded of an event."""

    state: str
    reason: str | None = None
    clip: ToldClip | None = None


class JudgedEvent(Record):
    """An event as the API tells of it."""

    id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}\.[a-z][a-z0-9_]{0,39}\.\d{1,16}$")
    stream_id: StreamId
    label: Label
    started_at_ms: Moment
    ended_at_ms: Moment | None
    model: str | None
    feedback: ToldFeedback | None = None
    media: ToldMedia | None = None

    def unusable(self) -> str | None:
        """Why it teaches nothing, if so."""
        media, clip = self.media, self.media.clip if self.media else None
        last_ms = -1 if self.ended_at_ms is None else self.ended_at_ms
        reasons = (
            ("no model named it, so that none can learn from it", self.model is None),
            ("it still lasts: run again once it has ended", self.ended_at_ms is None),
            ("no recorder has heard of it", media is None),
            ("its clip is not whole yet: run again later", media and media.state == "recording"),
            (f"it has no clip: {(media and media.reason) or 'none is kept'}", clip is None),
            ("its clip has fewer than two frames", clip and (clip.num_frames < 2 or clip.to_ms <= clip.from_ms)),
            ("its clip shows nothing of it", clip and (self.started_at_ms > clip.to_ms or last_ms < clip.from_ms)),
        )
        return next((reason for reason, is_so in reasons if is_so), None)


class JudgedClip(Record):
    """A clip in the folder, and what was said of its event."""

    event_id: str
    stream_id: StreamId
    label: Label
    verdict: Judgement
    started_at_ms: Moment
    ended_at_ms: Moment
    from_ms: Moment
    to_ms: Moment
    num_frames: int = Field(ge=2)
    model: str
    subset: Side

    @property
    def name(self) -> str:
        """Its file, from the folder on."""
        return f"clips/{self.stream_id}/{self.event_id}.mp4"

    @property
    def frame_ms(self) -> float:
        """How long a frame is shown."""
        return (self.to_ms - self.from_ms) / (self.num_frames - 1)

    @property
    def seconds(self) -> float:
        """How long it is."""
        return round((self.to_ms - self.from_ms + self.frame_ms) / 1000, 3)

    def segment(self, other: "JudgedClip") -> list[float] | None:
        """From when to when in this clip another's event lasts, its last frame included; None where it does not."""
        start = max(0.0, (other.started_at_ms - self.from_ms) / 1000)
        end = min(self.seconds, (other.ended_at_ms - self.from_ms + self.frame_ms) / 1000)
        return [round(start, 3), round(end, 3)] if end - start >= 0.001 else None


class Sides:
    """Which clip is for training, validation or testing: by a hash of its event or stream, so always the same.

    Clips of one stream that show the same moments stay together: whichever has its place first.
    """

    def __init__(self, placed: Iterable[JudgedClip], *, by_stream: bool) -> None:
        self._by_stream = by_stream
        self._longest_ms = 0
        self._by_start: defaultdict[str, list[tuple[int, int, Side]]] = defaultdict(list)
        for clip in placed:
            self._add(clip.stream_id, clip.from_ms, clip.to_ms, clip.subset)

    def place(self, event: JudgedEvent, clip: ToldClip) -> Side:
        """The side of an event's clip, which is remembered."""
        side = _hashed(event.stream_id if self._by_stream else event.id)
        if not self._by_stream:
            around = self._by_start[event.stream_id]
            first = bisect_left(around, (clip.from_ms - self._longest_ms,))
            near = (each for each in around[first:] if each[1] >= clip.from_ms and each[0] <= clip.to_ms)
            side = next((each[2] for each in near), side)
        self._add(event.stream_id, clip.from_ms, clip.to_ms, side)
        return side

    def _add(self, stream_id: str, from_ms: int, to_ms: int, side: Side) -> None:
        insort(self._by_start[stream_id], (from_ms, to_ms, side))
        self._longest_ms = max(self._longest_ms, to_ms - from_ms)


def annotated(clips: Sequence[JudgedClip], outside: Outside) -> dict[str, Any]:
    """The `database` of ActivityNet's form: file → what every judged event that it shows says of it.

    Right: the label holds while the event lasts. Wrong: it does not hold then. Of other times, and of other labels,
    nothing is known; with `absent` the event's own label does not hold at other times.
    """
    videos = {clip.event_id: _video(clip, outside) for clip in clips}
    by_start: defaultdict[str, list[JudgedClip]] = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: clip.from_ms):
        by_start[clip.stream_id].append(clip)
    longest_ms = max((clip.to_ms - clip.from_ms for clip in clips), default=0)
    for event in clips:
        shown = by_start[event.stream_id]
        first = bisect_left(shown, event.started_at_ms - longest_ms, key=lambda clip: clip.from_ms)
        last = bisect_right(shown, event.ended_at_ms, key=lambda clip: clip.from_ms)
        for clip in shown[first:last]:
            if segment := clip.segment(event):
                place = "annotations" if event.verdict == "right" else "judged"
                videos[clip.event_id][place].append({"label": event.label, "segment": segment})
    return {clip.name: videos[clip.event_id] for clip in sorted(clips, key=lambda clip: clip.name)}


def _video(clip: JudgedClip, outside: Outside) -> dict[str, Any]:
    whole = [{"label": clip.label, "segment": [0, clip.seconds]}] if outside == "absent" else []
    return {
        "subset": clip.subset,
        "group": clip.stream_id,
        "duration": clip.seconds,
        "annotations": [],
        "judged": whole,
        "event": clip.model_dump(exclude={"subset"}),
    }


def _hashed(name: str) -> Side:
    share = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64
    return "training" if share < TRAINING else "validation" if share < VALIDATION else "testing"
