"""Clocks that are set while something goes on before a camera: it is one event, and no memory is lost."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import redis
from cameras import camera_server
from default_layout import keys_of
from faked_time import FakedTime
from films import VideoFile
from ingest_runner import stream_spec
from patience import eventually
from redis_process import redis_process
from service_process import ServiceProcess, inference_process, ingest_process
from worker_runner import LABELS, save_random_model

from services.ingest.captures.clock import SLEW
from shared.entries import EntryId
from shared.events import Event
from shared.records import StreamRecord
from shared.store.client import connect
from shared.store.registry import Registry
from shared.streams import DEFAULT_MODEL, StreamSpec

FPS = 8
STEP_MS = 1000 / FPS
SLACK_MS = SLEW * STEP_MS + 0.1 * STEP_MS
STREAM_ID = "camera"
KEPT_SECONDS = 9
"""Frames that were looked at are kept for 10 s."""
LONGEST_SECONDS = 3000
"""All latencies together, on a slow machine, are less than an hour."""


@dataclass(frozen=True, slots=True)
class Host:
    """A camera that is looked at, on a host whose clock the test sets, and that of Redis, here or elsewhere."""

    client: redis.Redis
    clock: FakedTime
    redis_clock: FakedTime
    ingest: ServiceProcess
    inference: ServiceProcess

    def record(self) -> StreamRecord:
        return Registry(self.client).get(STREAM_ID)

    def look_on(self, num_frames: int) -> None:
        """Waits until so many more frames are committed."""
        wanted = self.record().progress.frames_processed + num_frames
        eventually(lambda: self.record().progress.frames_processed >= wanted, f"{wanted} frames")

    def set_clocks(self, seconds: float, redis_seconds: float) -> None:
        """Both at one moment, as far as that goes."""
        self.clock.set(seconds)
        self.redis_clock.set(redis_seconds)

    def judge_all_as_nothing(self) -> None:
        """From now on no score is enough for an event."""
        registry, spec = Registry(self.client), self.record().spec
        thresholds = {label: {"enter": 0.99, "exit": 0.98} for label in LABELS}
        assert registry.replace(spec, StreamSpec.model_validate({**spec.model_dump(), "thresholds": thresholds}))

    def times(self, kind: str = "scores") -> list[int]:
        """Of all frames that are kept, or have scores."""
        keys = keys_of(STREAM_ID)
        key = keys.scores(STREAM_ID) if kind == "scores" else keys.frames(STREAM_ID)
        entries: Any = self.client.xrange(key)
        return [EntryId.parse(entry).ms for entry, _ in entries]

    def events(self, state: str) -> list[Event]:
        """What is kept of them, by label."""
        stored: Any = self.client.hvals(keys_of(STREAM_ID).event_data(STREAM_ID))
        found = [Event.model_validate_json(text) for text in stored]
        return sorted((event for event in found if event.state == state), key=lambda event: event.label)

    def told(self) -> list[tuple[str, str]]:
        """What live listeners heard: kind and event, in alphabetical order."""
        entries: Any = self.client.xrange(keys_of(STREAM_ID).feed)
        news = [(fields[b"kind"].decode(), Event.model_validate_json(fields[b"event"])) for _, fields in entries]
        return sorted((kind, event.id) for kind, event in news)


@pytest.fixture
def host(video_file: VideoFile, tmp_path: Path) -> Iterator[Host]:
    film = video_file("film.mp4", seconds=120, fps=FPS)
    save_random_model(tmp_path, DEFAULT_MODEL, enter=0.02)  # whatever it sees, everything goes on
    (tmp_path / "redis").mkdir()
    clock, redis_clock = FakedTime(tmp_path), FakedTime(tmp_path / "redis")
    with ExitStack() as stack:
        server = stack.enter_context(camera_server(film))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="afterimage-"))
        url = stack.enter_context(redis_process(Path(folder), environment=redis_clock.environment))
        client = stack.enter_context(closing(connect(url)))
        Registry(client).add(stream_spec(STREAM_ID, server.url(), pace="live", fps=FPS))
        logs, lives = [tmp_path / "ingest.log", tmp_path / "inference.log"], {"KEEP_EVENTS_SECONDS": "3600"}
        inference = stack.enter_context(inference_process(url, tmp_path, logs[1], clock.environment, **lives))
        ingest = stack.enter_context(ingest_process(url, tmp_path, logs[0], clock.environment))
        yield Host(client, clock, redis_clock, ingest, inference)


def test_an_event_goes_on_while_the_clock_is_set(host: Host) -> None:
    eventually(lambda: len(host.events("open")) == len(LABELS), "an event for each label")
    host.look_on(2 * FPS)
    begun, began_ms = host.events("open"), host.times()[-1]
    ids = [event.id for event in begun]
    steps = [(-40, 0), (0, 0), (-3600, -3600), (0, 0), (3600, 3600), (3600, 0)]
    for seconds, redis_seconds in steps:
        host.set_clocks(seconds, redis_seconds)
        host.look_on(2 * FPS)
        assert host.events("open") == begun
        assert host.told() == [("opened", event_id) for event_id in ids]
    host.judge_all_as_nothing()
    eventually(lambda: not host.events("open"), "their end")

    ended = host.events("closed")
    assert [(event.id, event.close_reason, event.memory_reset) for event in ended] == [
        (event_id, "score", event.memory_reset) for event_id, event in zip(ids, begun, strict=True)
    ]
    assert host.told() == sorted((kind, event_id) for kind in ("opened", "closed") for event_id in ids)
    _assert_that_time_went_on(host, began_ms, ended[0].ended_at_ms or 0)
    _assert_that_it_is_told_once(host)


def _assert_that_time_went_on(host: Host, began_ms: int, ended_ms: int) -> None:
    progress, times = host.record().progress, host.times()
    assert len(times) >= progress.frames_processed == progress.sequence
    seen = times[times.index(began_ms) :]
    assert [later - earlier for earlier, later in pairwise(seen) if abs(later - earlier - STEP_MS) > SLACK_MS] == []
    lasted_ms = seen.index(ended_ms) * STEP_MS
    assert ended_ms - began_ms == pytest.approx(lasted_ms, rel=SLEW, abs=SLACK_MS)
    assert len(host.times("frames")) >= KEPT_SECONDS * FPS


def _assert_that_it_is_told_once(host: Host) -> None:
    ingest, inference = host.ingest.samples(), host.inference.samples()
    assert (ingest.total("clock_steps", way="back"), ingest.total("clock_steps", way="forward")) == (2, 3)
    assert ingest.total("connections") == 1
    assert inference.total("state_resets", reason="gap") == inference.total("state_restores") == 0
    assert inference.values["afterimage_decode_to_commit_seconds_sum", frozenset({("pace", "live")})] < LONGEST_SECONDS
    assert [inference.total("events", label=label) for label in LABELS] == [1] * len(LABELS)
    for samples in (ingest, inference):
        assert samples.total("rebalances", way="lost") == samples.total("frames_dropped") == 0
    told = [line for line in host.ingest.log.read_text().splitlines() if "INFO" not in line]
    assert [line.partition("WARNING ")[2][:31] for line in told] == [
        "this host's clock was set back ",
        "this host's clock was set forwa",
        "this host's clock was set back ",
        "this host's clock was set forwa",
        "this host's clock was set forwa",
    ]
    assert [line for line in host.inference.log.read_text().splitlines() if "INFO" not in line] == []
