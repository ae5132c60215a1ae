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
