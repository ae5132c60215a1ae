from dataclasses import dataclass, field
from typing import Any, cast

from worker_runner import spec_of

from services.inference.pipeline.batcher import Batcher
from services.inference.pipeline.messages import Item, Silence, Stream
from services.inference.pipeline.places import LATE_SECONDS, Lane, Place
from shared.entries import EntryId
from shared.store.leases import Lease

STEP_SECONDS = 0.125
SILENT_SECONDS = 2.0


@dataclass
class Queues:
    """A camera and a file that are read over and over, and what is said of them: (when, what)."""

    now: float = 1000.0
    said: list[tuple[float, Silence]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lane = Lane(Batcher[Stream, Item](1, 0.0), SILENT_SECONDS, self.now)
        self.places = {
            spec.id: Place(Stream(spec, Lease(0, 1, "w"), cast(Any, None)), spec, "0-0", EntryId(0))
            for spec in (spec_of("cam", pace="live", reset_after_seconds=10.0), spec_of("film"))
        }

    def read(self, seconds: float, *heard: str, step_seconds: float = STEP_SECONDS) -> None:
        """So long, finding something in the queues of those that are heard."""
        ends_at = self.now + seconds
        while self.now < ends_at:
            self.now += step_seconds
            found, empty = [self.places[each] for each in heard], self.places.values()
            self.said += [(self.now - 1000, each) for each in self.lane.silences(found, empty, self.now)]

    def told(self) -> list[tuple[float, list[str], bool]]:
        """To the second, and forgotten."""
        said, self.said = self.said, []
        return [(int(at), [stream.id for stream in each.streams], each.away) for at, each in said]


def test_a_camera_falls_silent_and_then_is_away_once_each_and_a_film_is_only_silent() -> None:
    queues = Queues()
    queues.read(100.0)
    assert queues.told() == [(2, ["cam", "film"], False), (10 + LATE_SECONDS, ["cam"], True)]
    queues.read(5.0, "cam")
    queues.read(20.0)
    assert queues.told() == [(107, ["cam"], False), (115 + LATE_SECONDS, ["cam"], True)]


def test_a_camera_that_goes_on_is_never_away() -> None:
    queues = Queues()
    for _ in range(10):
        queues.read(9.0)
        queues.read(STEP_SECONDS, "cam")
    assert not any(silence.away for _, silence in queues.said)


def test_time_in_which_nobody_could_look_is_no_silence() -> None:
    queues = Queues()
    queues.read(5.0, "cam", "film")
    queues.read(3600.0, step_seconds=3600.0)
    assert queues.told() == []
    queues.read(10 + LATE_SECONDS)
    assert [away for _, _, away in queues.told()] == [False, True]
