"""All odd files at once: broken, truncated, encrypted, rotated, without video."""

import csv
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import redis
from ingest_runner import OVER, Passing, stream_spec
from patience import eventually
from process_tree import Usage, usage
from service_process import ServiceProcess, ingest_process

from shared.records import StreamRecord
from shared.registry import Registry
from shared.store import connect
from shared.streams import StreamSpec, StreamState

DEVIATIONS: dict[str, tuple[int, str]] = {}
"""By file: pictures decoded where ffmpeg 5.1 decoded another number, and why. There are none."""

PATIENCE_SECONDS = 540.0
NUM_WARM = 24


@pytest.mark.timeout(600)
def test_every_odd_file_ends_and_leaves_nothing(reference_data: Path, redis_url: str, tmp_path: Path) -> None:
    odd = (reference_data / "odd").resolve()
    with (odd / "expected.csv").open() as file:
        rows = sorted(csv.DictReader(file), key=lambda row: -(odd / row["file"]).stat().st_size)
    with closing(connect(redis_url)) as client:
        client.flushall()
        with ingest_process(redis_url, odd, tmp_path / "log") as ingest:
            first = rows[-1]["file"]
            with played(client, [stream_spec(f"warm-{n}", first) for n in range(NUM_WARM)]):
                pass
            before = settled(ingest, client)
            specs = [stream_spec(f"odd-{n}", row["file"], skip="none") for n, row in enumerate(rows)]
            with played(client, specs) as records:
                samples = ingest.samples()
            eventually(lambda: numbers(settled(ingest, client)) == numbers(before), "as much as before")
            after = settled(ingest, client)
    found = {record.spec.source: samples.total("frames_decoded", stream_id=record.spec.id) for record in records}
    known = {row["file"]: int(row["frames_ffmpeg_5_1"] or 0) for row in rows}
    assert {name: num for name, num in found.items() if num != known[name]} == {
        name: num for name, (num, _why) in DEVIATIONS.items()
    }
    assert [record.spec.source for record in records if samples.unaccounted(record.spec.id)] == []
    for record in records:
        check_end(record, found[record.spec.source])
        assert record.frames_published == samples.total("frames_published", stream_id=record.spec.id)
    assert samples.total("reader_crashes") == 0
    assert after.rss_mb < 1.1 * before.rss_mb, (before, after)


def numbers(seen: Usage) -> tuple[int, int, int]:
    """What must not grow; who asked for the metrics last may still have its thread."""
    return seen.num_descriptors, seen.num_threads, seen.num_processes


def check_end(record: StreamRecord, num_decoded: int) -> None:
    """Whatever had a picture gave one and ended; all else says why not."""
    status = record.status
    if num_decoded:
        assert (status.state, status.reason) == (StreamState.ENDED, None), record
        assert 0 < record.frames_published <= num_decoded
    else:
        assert status.state is StreamState.FAILED, record
        assert record.spec.source in (status.reason or "")
        assert "internal error" not in (status.reason or "")
        assert record.frames_published == 0


@contextmanager
def played(client: redis.Redis, specs: list[StreamSpec]) -> Iterator[list[StreamRecord]]:
    """The streams at their ends; they are removed after the block."""
    registry, passing = Registry(client), Passing(client, specs)
    for spec in specs:
        registry.add(spec)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        passing.step()
        records = registry.records(spec.id for spec in specs)
        if left := [record.spec.source for record in records if record.status.state not in OVER]:
            assert time.monotonic() < deadline, left
            time.sleep(0.05)
            continue
        break
    yield records
    for spec in specs:
        registry.remove(spec.id)


def settled(ingest: ServiceProcess, client: redis.Redis) -> Usage:
    """What the service takes up once it has forgotten the streams, without its connections to Redis: they stay open."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while "stream_id=" in ingest.page() or usage(ingest.pid).num_processes > 1:
        assert time.monotonic() < deadline, usage(ingest.pid)
        time.sleep(0.05)
    seen = usage(ingest.pid)
    num_connections = len(client.client_list())
    return Usage(seen.rss_mb, seen.pss_mb, seen.num_descriptors - num_connections, seen.num_threads, seen.num_processes)
