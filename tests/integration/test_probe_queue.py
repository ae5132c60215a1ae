"""How a request to try a source travels: to one worker, for a short time, and no longer than needed."""

import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from patience import eventually
from redis_cluster import redis_cluster

from shared.errors import StoreUnavailable
from shared.keys import PROBES_OPEN
from shared.probes import MAX_OPEN, ProbeQueue, ProbeReport, ProbeRequest
from shared.store import connect

SECRET = "swordfish"
REQUEST = ProbeRequest(source=f"rtsp://guard:{SECRET}@camera.invalid/1", rtsp_transport="udp")
REPORT = ProbeReport(took_seconds=0.5, codec="h264", width=64, height=48, fps=10, jpeg=bytes(range(256)))


def kept(client: redis.Redis) -> dict[str, Any]:
    """Every key and what it holds."""
    readers: dict[str, Any] = {
        "hash": client.hgetall,
        "string": client.get,
        "zset": lambda key: client.zrange(key, 0, -1),
    }
    keys: Any = client.keys("*")
    kinds: Any = [client.type(key) for key in keys]
    return {key.decode(): readers[kind.decode()](key) for key, kind in zip(keys, kinds, strict=True)}


def now_ms(client: redis.Redis) -> float:
    now: Any = client.time()
    return float(now[0] * 1000 + now[1] / 1000)


def is_later(client: redis.Redis, at_ms: float) -> bool:
    return now_ms(client) > at_ms


def asked(queue: ProbeQueue, request: ProbeRequest = REQUEST) -> str:
    probe_id = queue.ask(request)
    assert probe_id
    return probe_id


def test_a_request_is_taken_once_and_answered(redis_client: redis.Redis) -> None:
    queue = ProbeQueue(redis_client)
    probe_id = asked(queue)
    assert SECRET in str(kept(redis_client))
    assert queue.take() == (probe_id, REQUEST)
    assert SECRET not in str(kept(redis_client))
    assert queue.take() is None
    assert queue.answer_to(probe_id) is None
    queue.answer(probe_id, REPORT)
    assert queue.answer_to(probe_id) == REPORT
    queue.answer(probe_id, ProbeReport(took_seconds=9, reason="too late"))
    assert queue.answer_to(probe_id) == REPORT


def test_whatever_is_kept_is_kept_for_a_short_time(redis_client: redis.Redis) -> None:
    queue = ProbeQueue(redis_client)
    first, second = asked(queue), asked(queue)
    queue.take()
    queue.answer(first, REPORT)
    times: Any = {key: redis_client.pttl(key) for key in kept(redis_client)}
    assert len(times) == 3
    assert all(0 < milliseconds <= 35_000 for milliseconds in times.values())
    assert second in str(kept(redis_client))


def test_the_first_to_ask_is_the_first_to_be_served(redis_client: redis.Redis) -> None:
    queue = ProbeQueue(redis_client)
    wanted = []
    for number in range(3):
        wanted.append(asked(queue, ProbeRequest(source=f"{number}.mp4")))
        asked_at_ms = now_ms(redis_client)
        eventually(partial(is_later, redis_client, asked_at_ms + 1), "the next millisecond")
    taken = [queue.take() for _ in wanted]
    assert [each[0] for each in taken if each] == wanted


def test_of_many_workers_each_request_has_one(redis_client: redis.Redis) -> None:
    wanted = {asked(ProbeQueue(redis_client)) for _ in range(MAX_OPEN)}
    start = threading.Barrier(4)

    def take_all(_worker: int) -> list[str]:
        queue = ProbeQueue(redis_client)
        start.wait()
        return [taken[0] for taken in iter(queue.take, None)]

    with ThreadPoolExecutor(4) as workers:
        taken = [probe_id for share in workers.map(take_all, range(4)) for probe_id in share]
    assert sorted(taken) == sorted(wanted)


def test_only_so_many_are_waited_for_be_they_taken_or_not(redis_client: redis.Redis) -> None:
    queue = ProbeQueue(redis_client)
    probe_ids = [asked(queue) for _ in range(MAX_OPEN)]
    assert queue.ask(REQUEST) is None
    queue.take()
    assert queue.ask(REQUEST) is None
    queue.answer(probe_ids[0], REPORT)
    asked(queue)


def test_a_request_that_nobody_takes_in_time_is_forgotten(redis_client: redis.Redis) -> None:
    queue = ProbeQueue(redis_client)
    late, in_time = asked(queue), asked(queue)
    redis_client.zadd(PROBES_OPEN, {late: now_ms(redis_client) - 1})  # its time is over
    taken = queue.take()
    assert taken
    assert taken[0] == in_time
    assert queue.take() is None
    asked(queue)
    assert late not in str(kept(redis_client))


@pytest.fixture
def cluster_client() -> Iterator[redis.Redis]:
    with tempfile.TemporaryDirectory(prefix="afterimage-") as folder, redis_cluster(Path(folder)) as cluster:
        client = connect(cluster.url, timeout_seconds=5, retries=1)
        yield client
        client.close()


def test_it_works_on_a_cluster(cluster_client: redis.Redis) -> None:
    queue = ProbeQueue(cluster_client)
    probe_id = asked(queue)
    assert queue.take() == (probe_id, REQUEST)
    queue.answer(probe_id, REPORT)
    assert queue.answer_to(probe_id) == REPORT


def test_without_redis_it_is_said(tmp_path: Path) -> None:
    queue = ProbeQueue(connect(f"unix://{tmp_path}/nobody.sock", timeout_seconds=1, retries=0))
    with pytest.raises(StoreUnavailable):
        queue.ask(REQUEST)
    with pytest.raises(StoreUnavailable):
        queue.take()
