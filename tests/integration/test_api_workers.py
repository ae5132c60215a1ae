"""Who does the work, as the api tells it."""

from pathlib import Path
from typing import Any, get_args

import pytest
import redis
from api_server import RunningApi, running_api
from default_layout import partition_of

from shared.store.keys import Role, workers_key
from shared.store.leases import LeaseBook


@pytest.fixture
def api(server: RunningApi, redis_client: redis.Redis) -> RunningApi:
    return server


def join(client: redis.Redis, role: Role, worker_id: str, partitions: list[int]) -> LeaseBook:
    """A worker that has just beaten and owns these partitions."""
    book = LeaseBook(client, role, worker_id)
    book.beat()
    assert len(book.take(partitions)) == len(partitions)
    return book


def workers(api: RunningApi) -> list[dict[str, Any]]:
    reply = api.http.get("/v1/workers")
    assert reply.status_code == 200, reply.text
    return reply.json()["items"]  # type: ignore[no-any-return]


def test_without_workers_the_list_is_empty_and_nothing_is_ready(api: RunningApi) -> None:
    assert workers(api) == []
    assert api.error(503, "GET", "/readyz")["message"] == "no living worker for: ingest, inference"


def test_every_worker_is_shown_with_what_it_owns(api: RunningApi, redis_client: redis.Redis) -> None:
    streams = [f"cam-{number}" for number in range(20)]
    for stream_id in streams:
        api.add(stream_id)
    shares: dict[tuple[Role, str], list[int]] = {
        ("ingest", "box-9"): list(range(32)),
        ("inference", "box-2"): list(range(1, 32, 2)),
        ("inference", "box-10"): list(range(0, 30, 2)),
        ("inference", "idle"): [],
    }
    for (role, worker_id), partitions in shares.items():
        join(redis_client, role, worker_id, partitions)
    found = workers(api)
    assert [(one["role"], one["id"]) for one in found] == sorted(shares)
    for one in found:
        assert one["partitions"] == shares[one["role"], one["id"]]
        assert one["num_streams"] == sum(partition_of(stream_id) in one["partitions"] for stream_id in streams)
        assert 0 <= one["silent_seconds"] < 5
    assert api.http.get("/readyz").json() == {"status": "ready", "workers": {"ingest": 1, "inference": 3}}


def test_the_silent_and_those_that_signed_off_are_not_shown(api: RunningApi, redis_client: redis.Redis) -> None:
    for worker_id in ("living", "silent", "leaving"):
        book = join(redis_client, "ingest", worker_id, [])
    book.sign_off()
    redis_client.zincrby(workers_key("ingest"), -60_000, "silent")
    assert [one["id"] for one in workers(api)] == ["living"]


def test_a_worker_lives_as_long_as_its_lease(redis_url: str, redis_client: redis.Redis) -> None:
    for role in get_args(Role):
        join(redis_client, role, "slow", [])
        redis_client.zincrby(workers_key(role), -20_000, "slow")
    with running_api(redis_url) as api:
        assert api.error(503, "GET", "/readyz")["message"] == "no living worker for: ingest, inference"
    with running_api(redis_url, lease_seconds=40) as api:
        assert [one["id"] for one in workers(api)] == ["slow"] * len(get_args(Role))
        assert api.http.get("/readyz").status_code == 200
        page = api.metrics()
    assert 'afterimage_workers{role="ingest"} 1.0' in page


def test_without_redis_it_is_said_in_the_one_shape(tmp_path: Path) -> None:
    with running_api(f"unix://{tmp_path}/nobody.sock") as api:
        assert api.error(503, "GET", "/v1/workers")["code"] == "store_unavailable"
