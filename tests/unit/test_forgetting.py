"""Forgetting a stream costs what the stream itself has, however many others there are."""

from collections.abc import Callable, Iterator
from typing import Any, NoReturn, get_args

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from services.inference.metrics import InferenceMetrics
from services.ingest.metrics import DropReason, IngestMetrics
from services.ingest.sources.decoding.tally import Tally
from shared.errors import SourceCrashed

NUM_STREAMS = 10_000
NAMES = [f"cam-{number}" for number in range(NUM_STREAMS)]
LABELS = ("moved", "covered")


class Unsearchable(dict[Any, Any]):
    """Series that are found by their labels alone: whoever goes through them fails."""

    def _refuse(self) -> NoReturn:
        pytest.fail("searched through the series of all streams")

    def __iter__(self) -> Iterator[Any]:
        self._refuse()

    keys = items = values = _refuse


def series(registry: CollectorRegistry) -> list[str]:
    """The lines of the page that name a stream."""
    return [line for line in generate_latest(registry).decode().splitlines() if 'stream_id="' in line]


def forgotten_unsearched(registry: CollectorRegistry, forget: Callable[[str], None]) -> None:
    """Forgets all streams while nobody may look through the series."""
    labelled: set[Any] = {metric for metric in registry._names_to_collectors.values() if hasattr(metric, "_metrics")}
    assert labelled
    for metric in labelled:
        metric._metrics = Unsearchable(metric._metrics)
    for name in NAMES:
        forget(name)
    for metric in labelled:
        metric._metrics = {labels: metric._metrics[labels] for labels in dict.__iter__(metric._metrics)}


def test_ingest_forgets_ten_thousand_streams_without_a_search() -> None:
    metrics = IngestMetrics()
    for name in (*NAMES, "stays"):
        metrics.add(name)
        metrics.set_up(name, up=True)
        metrics.counted(name, Tally(decoded=3, dropped=1), "busy")
        metrics.failed(name, SourceCrashed("gone"))
        metrics.tell_ahead(name, float)
    before = [line for line in series(metrics.registry) if '"stays"' in line]
    assert len(series(metrics.registry)) == (NUM_STREAMS + 1) * len(before)
    assert sum("frames_dropped" in line for line in before) == len(get_args(DropReason))
    forgotten_unsearched(metrics.registry, metrics.forget)
    assert series(metrics.registry) == before
    metrics.forget("cam-1")  # once more changes nothing


def test_inference_forgets_ten_thousand_streams_without_a_search() -> None:
    metrics = InferenceMetrics()
    for name in (*NAMES, "stays"):
        metrics.add_stream(name, LABELS)
        metrics.checkpointed_at.labels(name).set(1)
        metrics.scores.note(name, LABELS, (0.5, 0.25))
    metrics.add_stream("cam-7", ("a_label_of_another_model",))
    before = [line for line in series(metrics.registry) if '"stays"' in line]
    forgotten_unsearched(metrics.registry, metrics.forget_stream)
    assert series(metrics.registry) == before
    metrics.forget_stream("never-seen")
