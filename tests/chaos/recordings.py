"""Pictures and clips under attack: events on real footage while the recorder is killed, and while there is little room.

`PYTHONPATH=tests python -m chaos.recordings`, or `make recordings`.
"""

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Annotated

import av
import redis
import typer
from conftest import REFERENCE_DATA
from patience import eventually
from redis_process import redis_process
from rich.console import Console
from staged import FPS, Stage, StagedStream, footage

from chaos.processes import Child
from chaos.waiting import until
from services.api.media.places.folder import UNFINISHED
from services.api.media.places.opening import place_of
from services.api.media.places.place import CLIP, TIMES, Sizes
from services.api.media.records import MediaRecord, MediaRecords
from shared.events import Event
from shared.store.client import connect

FILMS = ("vtest.avi", "car-detection.mp4", "one-by-one-person-detection.mp4", "bottle-detection.mp4")
PRE, POST = 3, 5
CUT_SECONDS = 300.0
FIRST, SPACING, LASTS = 5 * FPS, 9 * FPS, 2 * FPS
"""In frames: when a stream's first event opens, when each next one does, and how long each lasts."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many events on how many streams, how quickly they are played, and what is done to the recorder."""

    num_streams: int
    num_events: int
    num_kills: int
    speed: float
    lease_seconds: float
    short_side: int = 192
    limit_mb: int = 1000

    @property
    def events_each(self) -> int:
        """Of a stream."""
        return -(-self.num_events // self.num_streams)

    @property
    def num_frames(self) -> int:
        """Of a stream."""
        return FIRST + self.num_streams + self.events_each * SPACING


@dataclass(slots=True)
class Report:
    """What became of the events."""

    outcomes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    most_bytes: int = 0
    num_kills: int = 0

    def __str__(self) -> str:
        said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.outcomes.items()))
        return f"{said}; recorder killed {self.num_kills} times; at most {self.most_bytes / 1e6:.1f} MB"


class Attack:
    """One run on a Redis of its own."""

    def __init__(self, client: redis.Redis, url: str, folder: Path, where: str, plan: Plan) -> None:
        self._client, self._url, self._plan = client, url, plan
        self._log, self._where, self._place = folder / "recorder.log", where, place_of(where, 20)
        self._bench = folder / "bench"
        self._bench.mkdir()
        self._report = Report()
        self._events: list[Event] = []

    def run(self) -> Report:
        """Plays the streams, then waits until all is cut, and looks at it."""
        stage, plan = Stage(self._client), self._plan
        count = min(plan.num_frames, 300)
        pictures = [footage(REFERENCE_DATA / "video" / film, count, plan.short_side) for film in FILMS]
        cast = [stage.stream(f"cam-{each}", pictures[each % len(pictures)]) for each in range(plan.num_streams)]
        recorder = self._recorder()
        try:
            eventually(self._is_heard, "the recorder")
            began, kill_every = time.monotonic(), plan.num_frames // (plan.num_kills + 1)
            for number in range(plan.num_frames):
                for each, stream in enumerate(cast):
                    self._events += stream.film(1, *self._script(each))
                assert recorder.exit_code() is None, recorder.last_words()
                if number and number % kill_every == 0 and self._report.num_kills < plan.num_kills:
                    recorder.kill()
                    recorder = self._recorder()
                    self._report.num_kills += 1
                self._measure()
                time.sleep(max(0.0, began + number / FPS / plan.speed - time.monotonic()))
            for stream in cast:
                stream.end()
            until(lambda: self._is_done(recorder), "all events cut", CUT_SECONDS)
        finally:
            recorder.kill()
        self._judge()
        return self._report

    def _script(self, stream: int) -> tuple[list[int], list[tuple[int, int]]]:
        """The frames at which a stream's events open, and those at which they have ended."""
        opens = [FIRST + stream + each * SPACING for each in range(self._plan.events_each)]
        return opens, [(first, first + LASTS) for first in opens]

    def _recorder(self) -> Child:
        settings = {
            "REDIS_URL": self._url,
            "EVENTS_DIR": self._where,
            "PRE_SECONDS": str(PRE),
            "POST_SECONDS": str(POST),
            "KEEP_MEDIA_MB": str(self._plan.limit_mb),
            "LEASE_SECONDS": str(self._plan.lease_seconds),
        }
        environment = {f"AFTERIMAGE_{name}": value for name, value in settings.items()} | {"TMPDIR": str(self._bench)}
        return Child("recorder", [sys.executable, "-m", "services.api.media"], self._log, environment)

    def _is_heard(self) -> bool:
        return len(list(self._client.scan_iter("*:held"))) > 0

    def _records(self) -> dict[str, MediaRecord]:
        return MediaRecords(self._client).get(event.id for event in self._events)

    def _is_done(self, recorder: Child) -> bool:
        assert recorder.exit_code() is None, recorder.last_words()
        self._measure()
        records = self._records()
        return len(records) == len(self._events) and all(each.state != "recording" for each in records.values())

    def _measure(self) -> None:
        before, after = self._lying(), self._lying()  # what is in both was there all the time between
        both = before.keys() & after.keys()
        total = sum(min(sum(before[each].values()), sum(after[each].values())) for each in both)
        self._report.most_bytes = max(self._report.most_bytes, total)

    def _lying(self) -> dict[str, Sizes]:
        """The files of all events."""
        return {event_id: each for name in self._place.streams() for event_id, each in self._place.files(name).items()}

    def _judge(self) -> None:
        records, lying = self._records(), self._lying()
        for event in self._events:
            record = records[event.id]
            self._report.outcomes[f"{record.state}: {record.reason}" if record.reason else record.state] += 1
            self._report.problems += self._problems(event, record, lying.get(event.id, {}))
        self._report.problems += [f"{event_id}: lies there unknown" for event_id in lying.keys() - records.keys()]
        halves = [name for sizes in lying.values() for name in sizes if name.endswith(UNFINISHED)]
        self._report.problems += [f"{name}: half a file" for name in halves]
        if len(list(self._bench.iterdir())) != 1:
            self._report.problems.append("what a killed recorder was cutting lies there still")
        if self._report.most_bytes > self._plan.limit_mb * 1_000_000:
            self._report.problems.append(f"{self._report.most_bytes} bytes at once")

    def _problems(self, event: Event, record: MediaRecord, sizes: Sizes) -> Iterator[str]:
        """What is wrong with what was recorded of an event."""
        names = sizes.keys()
        if record.state in {"none", "removed"}:
            if names or not record.reason:
                yield f"{event.id}: {record.state} for {record.reason}, and has {sorted(names)}"
            return
        expected = {CLIP, TIMES, *(f"{kind}.jpg" for kind in record.pictures)}
        if names != expected or sum(sizes.values()) != record.num_bytes:
            yield f"{event.id}: {sorted(names)} instead of {sorted(expected)}"
            return
        span = range(event.started_at_ms - PRE * 1000, event.started_at_ms + POST * 1000 + 1)
        wanted = [ms for number in range(self._plan.num_frames) if (ms := StagedStream.at_ms(number)) in span]
        told = json.loads(self._place.read(event.id, TIMES))["captured_at_ms"]
        with av.open(BytesIO(self._place.read(event.id, CLIP)), "r") as film:
            shown = [told[0] + round((frame.time or 0) * 1000) for frame in film.decode(video=0)]
        if shown != told:
            yield f"{event.id}: frames are shown at {shown}, not {told}"
        if record.reason is None and told != wanted:
            yield f"{event.id}: {len(told)} frames of {len(wanted)}, and nothing is said"
        if not set(told) <= set(wanted):
            yield f"{event.id}: frames that are none of its own"
        if record.reason is None and record.pictures.get("opening") != event.started_at_ms:
            yield f"{event.id}: opening of {record.pictures}"


@contextmanager
def attacked(plan: Plan, folder: Path, where: str) -> Iterator[Report]:
    """What a run comes to, with its files as long as the block lasts."""
    with redis_process(folder) as url:
        client = connect(url)
        try:
            yield Attack(client, url, folder, where, plan).run()
        finally:
            client.close()


def main(
    num_events: Annotated[int, typer.Option("--events", min=1)] = 50,
    num_streams: Annotated[int, typer.Option("--streams", min=1)] = 10,
    num_kills: Annotated[int, typer.Option("--kills", min=0)] = 5,
    speed: Annotated[float, typer.Option(help="Of the footage; 1: as the clock.")] = 1.0,
    limit_mb: Annotated[int, typer.Option(help="What all media may take.")] = 1000,
    short_side: Annotated[int, typer.Option(help="Of the pictures.")] = 192,
    where: Annotated[
        str, typer.Option(help="An empty folder or s3://…, by AWS_* variables; none: one of its own.")
    ] = "",
) -> None:
    """Record events on real footage while the recorder is killed, and look at what was kept."""
    plan = Plan(num_streams, num_events, num_kills, speed, 5.0, short_side, limit_mb)
    with (
        tempfile.TemporaryDirectory(prefix="af-") as name,
        attacked(plan, Path(name), where or f"{name}/events") as report,
    ):
        Console().print(str(report), markup=False)
        for problem in report.problems:
            Console().print(f"problem: {problem}", markup=False)
        sys.exit(bool(report.problems))


if __name__ == "__main__":
    typer.run(main)
