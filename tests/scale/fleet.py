"""Streams by the thousand, and frames of as many as are to be live."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from threading import Event

import av
import cv2
import redis
from default_layout import keys_of
from ingest_runner import stream_spec

from services.inference.pipeline.messages import Remembered
from services.inference.pipeline.saved_state import SavedMemory, SavedTracks
from shared.entries import Frame
from shared.manifest import read_manifest
from shared.service.settings import PROJECT_ROOT
from shared.store.keys import PartitionKeys
from shared.store.registry import Registry
from shared.streams import DEFAULT_MODEL, Progress, StreamSpec, StreamState, StreamStatus

GROUPS = tuple(f"site-{number:02d}" for number in range(20))
TRANSPORT = (342, 192)
ENDED_SHARE = 0.2
NUM_FRAMES = 400
"""of a recording that has ended"""
AT_ONCE = 100
"""Streams whose frames go out in one round trip."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is registered: most are paused, the others' recordings have ended."""

    specs: Sequence[StreamSpec]

    @property
    def ids(self) -> list[str]:
        """In their order."""
        return sorted(spec.id for spec in self.specs)

    @property
    def partitions(self) -> set[PartitionKeys]:
        """Those that any of them lies in."""
        return {keys_of(spec.id) for spec in self.specs}

    def is_settled(self, client: redis.Redis) -> bool:
        """Whether ingest and inference have said of each how it stands."""
        pipeline = client.pipeline(transaction=False)
        for keys in self.partitions:
            pipeline.hlen(keys.status)
            pipeline.hlen(keys.inference)
        num_said = int(sum(pipeline.execute()))
        return num_said >= 2 * len(self.specs)


def registered(client: redis.Redis, count: int) -> Fleet:
    """A new fleet, as it is after months of use: twenty groups, names and tags, a camera's source for each."""
    registry, specs = Registry(client), []
    model = read_manifest(PROJECT_ROOT / "models" / DEFAULT_MODEL).reference
    for number in range(count):
        group = GROUPS[number % len(GROUPS)]
        has_ended = number % round(1 / ENDED_SHARE) == 0
        spec = stream_spec(
            f"camera-{number:05d}",
            "ended.mp4" if has_ended else f"rtsp://viewer:secret@10.0.{number // 250}.{number % 250}/Streaming/101",
            name=f"{group} camera {number}",
            groups=(group,),
            tags=("outdoor", f"floor:{number % 5}"),
            paused=not has_ended,
            pace="live",
        )
        if has_ended:
            _end(client, spec, model)
        else:
            registry.add(spec)
        specs.append(spec)
    return Fleet(specs)


def _end(client: redis.Redis, spec: StreamSpec, model: str) -> None:
    """Registers it as ingest and inference leave a recording that was worked off."""
    keys, cursor = keys_of(spec.id), f"{spec.base_ms}-1"
    told = StreamStatus(state=StreamState.ENDED, generation=spec.generation, base_ms=spec.base_ms)
    memory = SavedMemory(model, cursor, NUM_FRAMES, Remembered())
    client.hset(keys.status, spec.id, told.model_dump_json())
    client.hset(keys.state, spec.id, SavedTracks(model).to_bytes())
    client.hset(keys.memory, spec.id, memory.to_bytes())
    client.hset(keys.published, spec.id, NUM_FRAMES)
    Registry(client).add(spec)
    client.hset(keys.progress, spec.id, str(Progress(spec.generation, cursor, NUM_FRAMES, NUM_FRAMES, cursor)))


def pictures_of(film: Path, count: int = 64) -> list[bytes]:
    """A film's first pictures, as ingest puts them into the queue."""
    found: list[bytes] = []
    with av.open(str(film)) as source:
        for frame in source.decode(video=0):
            image = cv2.resize(frame.to_ndarray(format="bgr24"), TRANSPORT)
            found.append(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes())
            if len(found) == count:
                break
    return found


class Film:
    """Puts one film's pictures into many streams' queues, and says that they are live, as ingest does but for its
    leases, its figures and its scripts: no ingest may run."""

    def __init__(self, client: redis.Redis, specs: Sequence[StreamSpec], jpegs: Sequence[bytes], fps: float) -> None:
        self._client = client
        self._specs = specs
        self._jpegs = cycle(jpegs)
        self._fps = fps
        self.num_published = 0
        self.late_seconds = 0.0
        """how far behind it fell at worst"""

    def wake(self) -> None:
        """Has the user want them."""
        registry = Registry(self._client)
        for spec in self._specs:
            assert registry.replace(spec, spec.model_copy(update={"paused": False}))

    def play(self, stop: Event) -> None:
        """Until it is to stop."""
        began, number = time.monotonic(), 0
        while not stop.is_set():
            number += 1
            for group in self._groups():
                self._publish(group, number)
                due = began + (number - 1) / self._fps + self._share_of(group) / self._fps
                self.late_seconds = max(self.late_seconds, time.monotonic() - due)
                stop.wait(max(0.0, due - time.monotonic()))

    def _groups(self) -> Iterator[Sequence[StreamSpec]]:
        for first in range(0, len(self._specs), AT_ONCE):
            yield self._specs[first : first + AT_ONCE]

    def _share_of(self, group: Sequence[StreamSpec]) -> float:
        """How much of a round is over once the group has its frame."""
        return (self._specs.index(group[-1]) + 1) / len(self._specs)

    def _publish(self, group: Sequence[StreamSpec], number: int) -> None:
        at_ms = time.time_ns() // 1_000_000
        pipeline = self._client.pipeline(transaction=False)
        for spec in group:
            keys = keys_of(spec.id)
            fields = [*Frame(at_ms, at_ms, 1, number / self._fps, next(self._jpegs)).fields(), "n", number]
            pipeline.xadd(keys.frames(spec.id), dict(zip(fields[::2], fields[1::2], strict=True)), id=f"{at_ms}-0")
            pipeline.hset(keys.published, spec.id, number)
            status = StreamStatus(state=StreamState.LIVE, generation=spec.generation, last_frame_at_ms=at_ms, epoch=1)
            pipeline.hset(keys.status, spec.id, status.model_dump_json())
        for keys in {keys_of(spec.id) for spec in group}:
            pipeline.incr(keys.arrivals)
        pipeline.execute()
        self.num_published += len(group)
