"""How a request to try a source travels: to one worker, for a short time, and no longer than needed."""

import json
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from cryptography.exceptions import InvalidTag
from patience import eventually
from redis_cluster import redis_cluster
from redis_process import redis_process

from shared.errors import StoreUnavailable
from shared.probes import MAX_OPEN, ProbeQueue, ProbeReport, ProbeRequest
from shared.store.client import connect
from shared.store.keys import PROBE_DESKS, PROBES_OPEN, PROBES_WAITING

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


def desk_of(client: redis.Redis) -> ProbeQueue:
    """One that has said that it takes requests."""
    desk = ProbeQueue(client)
    assert desk.take() is None
    return desk


def asked(queue: ProbeQueue, request: ProbeRequest = REQUEST) -> str:
    probe_id = queue.ask(request, queue.desks())
    assert probe_id
    return probe_id


def test_a_request_is_taken_once_and_answered(redis_client: redis.Redis) -> None:
    queue = desk_of(redis_client)
    probe_id = asked(queue)
    assert probe_id in str(kept(redis_client))
    assert queue.take() == (probe_id, REQUEST)
    assert SECRET not in str(kept(redis_client))
    assert queue.take() is None
    assert queue.answer_to(probe_id) is None
    queue.answer(probe_id, REPORT)
    assert queue.answer_to(probe_id) == REPORT
    queue.answer(probe_id, ProbeReport(took_seconds=9, reason="too late"))
    assert queue.answer_to(probe_id) == REPORT


def test_whatever_is_kept_is_kept_for_a_short_time(redis_client: redis.Redis) -> None:
    queue = desk_of(redis_client)
    first, second = asked(queue), asked(queue)
    queue.take()
    queue.answer(first, REPORT)
    times: Any = {key: redis_client.pttl(key) for key in kept(redis_client)}
    assert len(times) == 4
    assert all(0 < milliseconds <= 35_000 for milliseconds in times.values())
    assert second in str(kept(redis_client))


def test_the_first_to_ask_is_the_first_to_be_served(redis_client: redis.Redis) -> None:
    queue = desk_of(redis_client)
    wanted = []
    for number in range(3):
        wanted.append(asked(queue, ProbeRequest(source=f"{number}.mp4")))
        asked_at_ms = now_ms(redis_client)
        eventually(partial(is_later, redis_client, asked_at_ms + 1), "the next millisecond")
    taken = [queue.take() for _ in wanted]
    assert [each[0] for each in taken if each] == wanted


def test_of_many_workers_each_request_has_one(redis_client: redis.Redis) -> None:
    desks = [desk_of(redis_client) for _ in range(4)]
    wanted = {asked(ProbeQueue(redis_client)) for _ in range(MAX_OPEN)}
    start = threading.Barrier(4)

    def take_all(queue: ProbeQueue) -> list[str]:
        start.wait()
        return [taken[0] for taken in iter(queue.take, None)]

    with ThreadPoolExecutor(4) as workers:
        taken = [probe_id for share in workers.map(take_all, desks) for probe_id in share]
    assert sorted(taken) == sorted(wanted)


def test_only_so_many_are_waited_for_be_they_taken_or_not(redis_client: redis.Redis) -> None:
    queue = desk_of(redis_client)
    probe_ids = [asked(queue) for _ in range(MAX_OPEN)]
    assert queue.ask(REQUEST, queue.desks()) is None
    queue.take()
    assert queue.ask(REQUEST, queue.desks()) is None
    queue.answer(probe_ids[0], REPORT)
    asked(queue)


def test_a_request_that_nobody_takes_in_time_is_forgotten(redis_client: redis.Redis) -> None:
    queue = desk_of(redis_client)
    late, in_time = asked(queue), asked(queue)
    redis_client.zadd(PROBES_OPEN, {late: now_ms(redis_client) - 1})  # its time is over
    taken = queue.take()
    assert taken
    assert taken[0] == in_time
    assert queue.take() is None
    asked(queue)
    assert late not in str(kept(redis_client))


def test_only_the_desks_that_a_request_is_sealed_for_can_read_it(redis_client: redis.Redis) -> None:
    first = desk_of(redis_client)
    there = first.desks()
    probe_id = asked(first)
    later = desk_of(redis_client)
    assert len(later.desks()) == 2
    sealed: Any = redis_client.hget(PROBES_WAITING, probe_id)
    assert list(json.loads(sealed)) == there
    assert first.take() == (probe_id, REQUEST)


def test_what_is_copied_to_another_id_is_refused(redis_client: redis.Redis) -> None:
    desk = desk_of(redis_client)
    probe_id = asked(desk)
    sealed: Any = redis_client.hget(PROBES_WAITING, probe_id)
    assert desk.take() == (probe_id, REQUEST)
    other = asked(desk)
    redis_client.hset(PROBES_WAITING, mapping={other: sealed})
    with pytest.raises(InvalidTag):
        desk.take()
    assert desk.take() is None


def test_a_worker_that_is_gone_is_no_desk(redis_client: redis.Redis) -> None:
    gone = desk_of(redis_client).desks()
    living = desk_of(redis_client)
    assert len(living.desks()) == 2
    redis_client.zincrby(PROBE_DESKS, -5_001, gone[0])
    assert len(living.desks()) == 1
    assert living.desks() != gone


def test_no_file_of_redis_holds_a_request(tmp_path: Path) -> None:
    """Neither its append-only file nor its snapshot, before and after it is taken."""
    with tempfile.TemporaryDirectory(prefix="afterimage-") as folder:
        options = ("--appendonly", "yes", "--appendfsync", "always", "--slowlog-log-slower-than", "0")
        with redis_process(Path(folder), *options) as url:
            client = connect(url)
            desk = desk_of(client)
            probe_id = asked(desk)
            client.save()
            files = [path for path in Path(folder).rglob("*") if path.is_file()]
            waiting = [path.read_bytes() for path in files]
            assert desk.take() == (probe_id, REQUEST)
            desk.answer(probe_id, REPORT)
            client.save()
            kept_after = [path.read_bytes() for path in files]
            slow: Any = client.slowlog_get()
            client.close()
    assert sum(probe_id.encode() in content for content in waiting) >= 2  # both were looked at
    assert not [content for content in waiting + kept_after if SECRET.encode() in content]
    assert SECRET not in str(slow)


@pytest.fixture
def cluster_client() -> Iterator[redis.Redis]:
    with tempfile.TemporaryDirectory(prefix="afterimage-") as folder, redis_cluster(Path(folder)) as cluster:
        client = connect(cluster.url, timeout_seconds=5, retries=1)
        yield client
        client.close()


def test_it_works_on_a_cluster(cluster_client: redis.Redis) -> None:
    queue = desk_of(cluster_client)
    probe_id = asked(queue)
    assert queue.take() == (probe_id, REQUEST)
    queue.answer(probe_id, REPORT)
    assert queue.answer_to(probe_id) == REPORT


def test_without_redis_it_is_said(tmp_path: Path) -> None:
    queue = ProbeQueue(connect(f"unix://{tmp_path}/nobody.sock", timeout_seconds=1, retries=0))
    with pytest.raises(StoreUnavailable):
        queue.desks()
    with pytest.raises(StoreUnavailable):
        queue.ask(REQUEST, [])
    with pytest.raises(StoreUnavailable):
        queue.take()
