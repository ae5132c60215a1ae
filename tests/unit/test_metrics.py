from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from services.inference.latency import LATENCY_BUCKETS
from services.inference.metrics import InferenceMetrics
from services.ingest.metrics import IngestMetrics
from shared.errors import SourceFailed


def test_an_opening_after_a_failure_is_a_reconnect() -> None:
    metrics = IngestMetrics()
    metrics.add("door")
    metrics.connected("door")
    metrics.failed("door", SourceFailed("gone"))
    metrics.failed("door", SourceFailed("gone"))
    metrics.connected("door")
    metrics.connected("door")
    values = {
        name: metrics.registry.get_sample_value(f"afterimage_{name}_total", {"stream_id": "door"})
        for name in ("connections", "reconnects", "source_failures", "reader_crashes")
    }
    assert values == {"connections": 3, "reconnects": 1, "source_failures": 2, "reader_crashes": 0}


def told_of_latency(registry: CollectorRegistry) -> Iterator[str]:
    lines = generate_latest(registry).decode().splitlines()
    return (line for line in lines if "decode_to_commit" in line and "_sum" not in line and "# HELP" not in line)


@given(st.lists(st.lists(st.sampled_from(LATENCY_BUCKETS) | st.floats(0, 1000)), max_size=4))
def test_a_batch_of_latencies_counts_as_each_by_itself(batches: list[list[float]]) -> None:
    metrics, registry = InferenceMetrics(), CollectorRegistry()
    usual = Histogram("afterimage_decode_to_commit_seconds", "", ["pace"], buckets=LATENCY_BUCKETS, registry=registry)
    for batch in filter(None, batches):
        metrics.latency.note("live", batch)
        for seconds in batch:
            usual.labels("live").observe(seconds)
    assert list(told_of_latency(metrics.registry)) == list(told_of_latency(registry))
