"""Which streams have series of their own; nothing is counted twice, and nothing is lost, whichever they are."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from services.inference.metrics import InferenceMetrics
from services.ingest.metrics import IngestMetrics
from services.ingest.sources.decoding.tally import Tally
from shared.errors import SettingsInvalid
from shared.service.settings import ServiceSettings, read_settings
from shared.service.stream_series import LINGER_SECONDS, MAX_GROUPS, StreamSeries

LABELS = ("moved", "covered")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def own(registry: CollectorRegistry) -> set[str]:
    """The streams that have series."""
    lines = generate_latest(registry).decode().splitlines()
    found = {line.partition('stream_id="')[2].partition('"')[0] for line in lines if 'stream_id="' in line}
    return found - {""}


def total(registry: CollectorRegistry, name: str) -> float:
    """A counter's sum over all its series."""
    return sum(each.value for family in registry.collect() for each in family.samples if each.name == name)


@pytest.mark.parametrize("wanted", ["all", "none", "north", "north,south", " north , south ", "North", "allotment"])
def test_the_setting_takes(wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERIMAGE_METRICS_STREAMS", wanted)
    assert read_settings(ServiceSettings).metrics_streams == wanted.replace(" ", "")


@pytest.mark.parametrize("wanted", ["ALL", "None", " NONE "], ids=["all", "none", "with spaces"])
def test_the_two_words_are_known_however_they_are_written(wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERIMAGE_METRICS_STREAMS", wanted)
    assert read_settings(ServiceSettings).metrics_streams == wanted.strip().lower()


@pytest.mark.parametrize(("wanted", "word"), [("all,lobby", "all"), ("lobby,NONE", "none"), ("none,all", "all")])
def test_neither_stands_beside_others(wanted: str, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERIMAGE_METRICS_STREAMS", wanted)
    with pytest.raises(SettingsInvalid, match=f"AFTERIMAGE_METRICS_STREAMS: .*not {word} beside others"):
        read_settings(ServiceSettings)


WRONG = ["", ",", "a group", "north;south", "x" * 65, ",".join(f"g{number}" for number in range(MAX_GROUPS + 1))]


@pytest.mark.parametrize("wanted", WRONG, ids=count())
def test_the_setting_refuses(wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERIMAGE_METRICS_STREAMS", wanted)
    with pytest.raises(SettingsInvalid, match=r"AFTERIMAGE_METRICS_STREAMS: .*allowed are all, none, or names of"):
        read_settings(ServiceSettings)


CASES: dict[str, set[str]] = {"all": {"door", "yard", "roof"}, "none": set(), "north": {"door"}, "north,top": {"door"}}
GROUPS = {"door": ("north", "south"), "yard": ("south",), "roof": ()}


def ingest_counts(series: StreamSeries) -> Iterator[CollectorRegistry]:
    metrics = IngestMetrics(series)
    for stream_id, groups in GROUPS.items():
        metrics.add(stream_id, groups)
    yield metrics.registry
    for stream_id in GROUPS:
        metrics.set_up(stream_id, up=True)
        metrics.tell_ahead(stream_id, float)
        metrics.counted(stream_id, Tally(decoded=3, dropped=1), "busy")
    yield metrics.registry
    for stream_id in GROUPS:
        metrics.forget(stream_id)
    yield metrics.registry


def inference_counts(series: StreamSeries) -> Iterator[CollectorRegistry]:
    metrics = InferenceMetrics(series)
    for stream_id, groups in GROUPS.items():
        metrics.add_stream(stream_id, LABELS, groups)
    yield metrics.registry
    for stream_id in GROUPS:
        metrics.count_processed(stream_id, 3)
        metrics.count_dropped(stream_id, 1)
        metrics.count_unreadable(stream_id, "damaged")
        metrics.count_event(stream_id, "moved")
        metrics.note_checkpoint(stream_id, 1)
        metrics.note_scores(stream_id, LABELS, (0.5, 0.25))
    yield metrics.registry
    for stream_id in GROUPS:
        metrics.forget_stream(stream_id)
    yield metrics.registry


Counts = Callable[[StreamSeries], Iterator[CollectorRegistry]]
NAMES: dict[Counts, tuple[str, str]] = {
    ingest_counts: ("frames_decoded", "frames_dropped"),
    inference_counts: ("frames_processed", "frames_dropped"),
}


@pytest.mark.parametrize("wanted", CASES)
@pytest.mark.parametrize("counts", NAMES, ids=lambda each: each.__name__)
def test_all_is_counted_once(counts: Counts, wanted: str) -> None:
    first, second = (f"afterimage_{name}_total" for name in NAMES[counts])
    done = counts(StreamSeries(wanted))
    before = next(done)
    assert own(before) == CASES[wanted]
    lines = generate_latest(before).decode().splitlines()
    assert any(line.startswith(first) and line.endswith(" 0.0") for line in lines), "a first count shows as a rise"
    after = next(done)
    assert own(after) == CASES[wanted]
    assert (total(after, first), total(after, second)) == (9, 3)
    assert own(next(done)) == set()


def test_a_stream_whose_groups_change_gets_or_loses_its_series() -> None:
    ingest, inference = IngestMetrics(StreamSeries("north")), InferenceMetrics(StreamSeries("north"))
    for groups, has in ((("south",), False), (("north",), True), (("south",), False), (("north", "south"), True)):
        ingest.add("door", groups)
        ingest.published("door", 1)
        inference.add_stream("door", LABELS, groups)
        inference.count_processed("door", 1)
        assert ("door" in own(ingest.registry), "door" in own(inference.registry)) == (has, has)


def test_the_series_of_a_stream_at_rest_are_told_for_a_minute() -> None:
    clock = Clock()
    ingest = IngestMetrics(StreamSeries(clock=clock))
    inference = InferenceMetrics(StreamSeries(clock=clock))
    for stream_id in ("door", "yard", "back"):
        ingest.add(stream_id)
        inference.add_stream(stream_id, LABELS)
    for stream_id in ("door", "back"):
        ingest.rest(stream_id)
        inference.rest([stream_id])
    clock.now += LINGER_SECONDS - 1
    ingest.rest("door")  # it rests no longer for being said again
    ingest.add("back")
    inference.add_stream("back", LABELS)
    ingest.sweep()
    assert inference.sweep() == []
    assert own(ingest.registry) == own(inference.registry) == {"door", "yard", "back"}
    clock.now += 1
    ingest.sweep()
    assert inference.sweep() == ["door"]
    assert own(ingest.registry) == own(inference.registry) == {"yard", "back"}
    ingest.add("door")
    assert "door" in own(ingest.registry)
