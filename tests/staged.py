"""Streams of real pictures with events at wanted moments: published and committed as ingest and inference do."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import redis
from default_layout import partition_of
from leasing import seize

from services.ingest.sources.decoding.transport import SHORT_SIDE, encode_jpeg, transport_size
from shared.entries import Frame
from shared.events import Event, event_id
from shared.store.commit import CommitOutcome, Committer, Retention, StreamCommit
from shared.store.frame_queue import FrameWriter, Outcome
from shared.store.leases import Lease
from shared.store.registry import Registry
from shared.streams import Progress, StreamSpec

BASE_MS = 1_700_000_000_000
FPS = 8
LABEL = "moved"


@cache
def footage(path: Path, count: int, short_side: int = SHORT_SIDE, every: int = 1) -> tuple[bytes, ...]:
    """The first pictures of a film, one of so many, as they would travel."""
    film, found = cv2.VideoCapture(str(path)), list[bytes]()
    while len(found) < count:
        is_there, picture = film.read()
        assert is_there, f"{path} has no {count} pictures"
        if int(film.get(cv2.CAP_PROP_POS_FRAMES)) % every == 0:
            size = transport_size(picture.shape[1], picture.shape[0], short_side)
            small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            found.append(encode_jpeg(small.astype(np.uint8)))
    film.release()
    return tuple(found)


class Stage:
    """Owns all partitions for ingest and inference, and puts streams on."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.committer = Committer(client, Retention())
        self._published_under = seize(client, "ingest")
        self._committed_under = seize(client, "inference")

    def stream(self, stream_id: str, jpegs: Sequence[bytes], pace: str = "fast") -> "StagedStream":
        """A stream that shows these pictures over and over."""
        fields = {"id": stream_id, "name": stream_id, "source": "a.mp4", "fps": FPS, "pace": pace, "base_ms": BASE_MS}
        Registry(self.client).add(StreamSpec.model_validate({**fields, "generation": 1, "created_at_ms": BASE_MS}))
        partition = partition_of(stream_id)
        writer = FrameWriter(self.client, stream_id, 1, pace, self._published_under[partition])
        return StagedStream(stream_id, jpegs, writer, self.committer, self._committed_under[partition])


class StagedStream:
    """One stream. Frame n is taken `n / FPS` seconds after BASE_MS, give or take the jitter of a camera."""

    def __init__(
        self, stream_id: str, jpegs: Sequence[bytes], writer: FrameWriter, committer: Committer, lease: Lease
    ) -> None:
        self.id = stream_id
        self._jpegs, self._writer, self._committer, self._lease = jpegs, writer, committer, lease
        self._progress = Progress(1)
        self.num_frames = 0

    @staticmethod
    def at_ms(number: int) -> int:
        """When frame `number` was taken."""
        return BASE_MS + number * 1000 // FPS + number * 7 % 5

    def film(self, num_frames: int, opens: Sequence[int] = (), closes: Sequence[tuple[int, int]] = ()) -> list[Event]:
        """Publishes and commits frames; the events that open at the frames named.

        `closes`: an event's first frame, and the frame at which it is found to have ended.
        """
        begun = []
        for number in range(self.num_frames, self.num_frames + num_frames):
            opened = [self.event(number)] if number in opens else []
            closed = [self.event(first, ended=number) for first, last in closes if last == number]
            self._pass(
                Frame(self.at_ms(number), 1, 1, number / FPS, self._jpegs[number % len(self._jpegs)]), opened, closed
            )
            begun += opened
        return begun

    def end(self) -> None:
        """The source ends."""
        self._pass(Frame.end(self.at_ms(self.num_frames - 1)), [], [])

    def event(self, first: int, ended: int | None = None) -> Event:
        """The event that opens at a frame."""
        return Event(
            id=event_id(self.id, LABEL, self.at_ms(first)),
            stream_id=self.id,
            label=LABEL,
            state="open" if ended is None else "closed",
            started_at_ms=self.at_ms(first),
            ended_at_ms=None if ended is None else self.at_ms(ended),
            media_started_seconds=first / FPS,
            peak_score=0.9,
            mean_score=0.8,
            model="m@12345678",
            epoch=1,
            close_reason=None if ended is None else "score",
        )

    @staticmethod
    def score(number: int) -> float:
        """Of frame `number`; the highest of each hundred is at 61."""
        return 0.9 - abs(number % 100 - 61) / 1000

    def _pass(self, frame: Frame, opened: list[Event], closed: list[Event]) -> None:
        assert self._writer.publish([frame]) == (Outcome.OK, 1)
        scores = [] if frame.jpeg is None else [(frame.entry_id, (self.score(self.num_frames),))]
        self.num_frames += len(scores)
        passed = self._progress.frames_processed + len(scores)
        wanted = Progress(1, frame.entry_id, passed, passed, frame.entry_id)
        transitions = [("opened", event) for event in opened] + [("closed", event) for event in closed]
        commit = StreamCommit(
            self.id, self._lease, self._progress, wanted, b"", (LABEL,), scores, transitions, memory=b"m"
        )
        assert self._committer.commit([commit]) == {self.id: CommitOutcome.COMMITTED}
        self._progress = wanted
