"""Workers come and go under live load: how long is a stream left alone, and what of a recording is lost?

Streams play files without end at a camera's pace. Inference goes from one worker to four, to two and back to one, by
SIGTERM, twice; recordings are worked off meanwhile. At last it goes to four again, of which one is killed, and ingest
from one worker to two and back.
"""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from default_layout import NUM_PARTITIONS

from chaos.endings import Ending, end_in_order
from chaos.field import Field, Setup
from chaos.fleet import Worker
from chaos.observed import Observed
from chaos.servers import SingleServer
from chaos.waiting import ChaosFailed
from shared.store.keys import Role
from shared.streams import StreamSpec

SETTLE_SECONDS: Final = 240.0
STEADY_SECONDS: Final = 10.0
ROUNDS: Final = 2
MOST_WORKERS: Final = 4
STEPS: Final = (MOST_WORKERS, 2, 1)
NUM_FAST: Final = ROUNDS * (len(STEPS) - 1) + 1
"""Recordings, one for each time that workers are ended."""
UNDER_WAY_FRAMES: Final = 64
LONGEST_GAP_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Gaps:
    """The longest time between two commits of each live stream, in seconds, over the streams.

    `load_per_core` is the machine's load average at the end, over its cores: beyond 1 the figures tell of the machine.
    """

    phase: str
    planned: bool
    p50_seconds: float
    p99_seconds: float
    max_seconds: float
    load_per_core: float


@dataclass(frozen=True, slots=True)
class ScaleReport:
    """What came of it."""

    gaps: list[Gaps]
    endings: list[Ending]
    fast_frames: dict[str, int]
    """of each recording, frames with scores"""
    fast_frames_wanted: int
    fast_frames_dropped: int
    broke_off: str = ""
    """what did not come in time, if so: the figures are those until then"""

    @property
    def problems(self) -> list[str]:
        """What is not as it must be, in a line each."""
        late = [each for each in self.gaps if each.planned and each.max_seconds >= LONGEST_GAP_SECONDS]
        lines = [f"{each.phase}: a stream was left alone for {each.max_seconds} s" for each in late]
        short = {name: num for name, num in self.fast_frames.items() if num != self.fast_frames_wanted}
        lines += [f"{name}: {num} of {self.fast_frames_wanted} frames" for name, num in short.items()]
        lines += [f"{self.fast_frames_dropped} frames of recordings were dropped"] if self.fast_frames_dropped else []
        lines += [f"broke off: {self.broke_off}"] if self.broke_off else []
        return lines + [problem for each in self.endings for problem in each.problems]


def measure_scale(
    setup: Setup, fast_frames: int, folder: Path, seed: int, on_progress: Callable[[int], None]
) -> ScaleReport:
    """The gaps while nothing happens, while workers come and go as planned, and when one crashes.

    Each of the setup's fast files, NUM_FAST, has so many frames.
    """
    folder.mkdir()
    with Field(setup, SingleServer(folder), folder, random.Random(seed), on_progress) as field:
        course, found, broke_off = Course(field), dict[str, Observed](), ""
        try:
            course.run()
            found = field.see_end_of(course.fast)
        except ChaosFailed as err:
            broke_off = str(err)
    return ScaleReport(
        gaps=course.gaps,
        endings=course.endings,
        fast_frames={name: len(view.scores) for name, view in found.items()},
        fast_frames_wanted=fast_frames,
        fast_frames_dropped=sum(view.frames_dropped for view in found.values()),
        broke_off=broke_off,
    )


class Course:
    """What is done to the workers, and what comes of it."""

    def __init__(self, field: Field) -> None:
        self.gaps: list[Gaps] = []
        self.endings: list[Ending] = []
        self.fast: list[StreamSpec] = []
        self._field = field
        self._live = [spec.id for spec in field.specs[: len(field.setup.files)]]

    def run(self) -> None:
        """Everything, in turn."""
        field = self._field
        field.start(inference=1, ingest=1)
        self._share_out("inference")
        field.admit(len(self._live))
        self._settle("inference")
        self._phase("one worker", lambda: field.hold(STEADY_SECONDS))
        for number in range(1, ROUNDS + 1):
            for former, count in zip((1, *STEPS), STEPS, strict=False):
                self._phase(f"{number}: {former} to {count}", partial(self._scale, "inference", count))
                if count == MOST_WORKERS:
                    self._phase(f"{number}: {count} workers", lambda: field.hold(STEADY_SECONDS))
        self._phase(f"1 to {MOST_WORKERS}", partial(self._scale, "inference", MOST_WORKERS))
        self._phase(f"one of {MOST_WORKERS} killed", self._crash, is_planned=False)
        for former, count in ((1, 2), (2, 1)):
            what = f"ingest: {former} to {count}"
            self._phase(what, partial(self._scale, "ingest", count), is_planned=False)

    def _phase(self, name: str, act: Callable[[], None], *, is_planned: bool = True) -> None:
        self._field.pace.start_anew()
        act()
        by_stream = self._field.pace.gaps()
        gaps = sorted(by_stream[each] for each in self._live)
        p50, p99 = (gaps[min(len(gaps) - 1, int(share * len(gaps)))] for share in (0.5, 0.99))
        load = os.getloadavg()[0] / (os.cpu_count() or 1)
        self.gaps.append(Gaps(name, is_planned, round(p50, 3), round(p99, 3), round(gaps[-1], 3), round(load, 2)))

    def _scale(self, role: Role, count: int) -> None:
        """Starts workers until there are so many, or ends them, the newest first, while a recording is worked off."""
        workers = self._workers(role)
        for _ in range(count - len(workers)):
            self._field.fleet.add(role)
        if count < len(workers):
            self._play_recording()
            self.endings += end_in_order(self._field, workers[count:])
        self._settle(role)

    def _play_recording(self) -> None:
        spec = self._field.admit_next()
        self.fast.append(spec)
        field = self._field
        field.until(lambda: field.pace.frames_of(spec.id) >= UNDER_WAY_FRAMES, f"frames of {spec.id}", SETTLE_SECONDS)

    def _crash(self) -> None:
        self._field.fleet.kill(self._field.draw.choice(self._workers("inference")))
        self._settle("inference")

    def _workers(self, role: Role) -> list[Worker]:
        return [worker for worker in self._field.fleet.workers if worker.role == role]

    def _settle(self, role: Role) -> None:
        """Waits until the partitions are shared out evenly and every live stream has a frame committed after that."""
        self._share_out(role)
        field = self._field
        field.look()
        before = {each: field.pace.frames_of(each) for each in self._live}
        field.until(
            lambda: all(field.pace.frames_of(each) > frames for each, frames in before.items()),
            "a commit of every stream",
            SETTLE_SECONDS,
        )

    def _share_out(self, role: Role) -> None:
        """Waits until the partitions are shared out evenly."""
        field, wanted = self._field, len(self._workers(role))

        def is_shared_out() -> bool:
            loads = [len(partitions) for partitions in field.fleet.owners(field.client, role).values()]
            return len(loads) == wanted and sum(loads) == NUM_PARTITIONS and max(loads) - min(loads) <= 1

        field.until(is_shared_out, f"{wanted} workers that share all partitions", SETTLE_SECONDS)
