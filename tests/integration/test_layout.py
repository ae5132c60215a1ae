"""Into how many partitions a store is divided: whoever comes first says it, and all others go by it."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import redis
from leasing import seize
from patience import TOOL_SECONDS

from shared.errors import SettingsInvalid, StoreUnavailable, StoreUnfit
from shared.store.client import connect
from shared.store.keys import LAYOUT
from shared.store.layout import known
from shared.store.layout.known import LayoutRecord, check_layout, layout_of, partition_for_logs
from shared.store.layout.partitioning import Partitioning
from shared.store.leases import living_workers

SERVICES = ("services.ingest", "services.inference", "services.api", "services.api.media", "services.api.delivery")


def test_who_comes_first_divides_a_fresh_store_and_all_others_follow(redis_url: str, redis_client: redis.Redis) -> None:
    assert layout_of(redis_client) == Partitioning(32)
    assert not redis_client.exists(LAYOUT), "who only looks says nothing"
    for wanted in (256, 0, None, 256):
        with closing(connect(redis_url, partitions=wanted)) as client:
            check_layout(client)
            assert layout_of(client) == Partitioning(256)
            assert len(seize(client, "ingest")) == 256
            assert living_workers(client, "ingest", 5) == []
    with closing(connect(redis_url, partitions=64)) as client:
        said = (
            "AFTERIMAGE_PARTITIONS: 64, but the store has 256 partitions: leave it out, or stop all services and run "
        )
        with pytest.raises(SettingsInvalid, match=f"{said}`afterimage store repartition --to 64`"):
            check_layout(client)
        with pytest.raises(StoreUnfit):
            layout_of(client)


def test_of_many_who_come_at_once_one_is_first(redis_url: str, redis_client: redis.Redis) -> None:
    def come(number: int) -> int | None:
        with closing(connect(redis_url, partitions=32 + number % 4)) as client:
            try:
                return layout_of(client).count
            except StoreUnfit:
                return None

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(come, range(40))) - {None}
    assert found == {LayoutRecord.parse(redis_client.get(LAYOUT) or b"").partitions}  # type: ignore[arg-type]


def test_a_store_of_an_earlier_version_has_32(redis_url: str, redis_client: redis.Redis) -> None:
    redis_client.incr(Partitioning().all[31].fence("delivery"))
    with closing(connect(redis_url, partitions=64)) as client, pytest.raises(SettingsInvalid, match="the store has 32"):
        check_layout(client)
    with closing(connect(redis_url, partitions=32)) as client:
        check_layout(client)


def test_what_is_known_is_asked_for_again(
    redis_url: str, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(connect(redis_url, partitions=0)) as client:
        tell = partition_for_logs(client)
        assert tell("cam") is None
        assert layout_of(client).count == 32
        assert tell("cam") == Partitioning().of("cam")
        redis_client.set(LAYOUT, LayoutRecord(partitions=64, moves=1).model_dump_json())
        assert layout_of(client).count == 32
        monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + known.TRUST_SECONDS)
        with pytest.raises(StoreUnavailable, match="was repartitioned and has 64 partitions now: restart this process"):
            layout_of(client)
        redis_client.set(LAYOUT, LayoutRecord(moving_to=64).model_dump_json())
        with pytest.raises(StoreUnavailable, match="from 32 to 64 partitions, and that is half-way"):
            layout_of(client)
        redis_client.set(LAYOUT, '{"version":2}')
        with pytest.raises(StoreUnavailable, match="a later version of Afterimage wrote it"):
            layout_of(client)
        redis_client.delete(LAYOUT)
        assert layout_of(client).count == 32
        assert redis_client.exists(LAYOUT), "a store that was emptied is divided as before"


def test_no_service_starts_with_another_number(redis_url: str, redis_client: redis.Redis) -> None:
    redis_client.set(LAYOUT, LayoutRecord().model_dump_json())
    settings = {"REDIS_URL": redis_url, "PARTITIONS": "256", "API_PORT": "0", "DEVICE": "cpu"}
    environment = os.environ | {f"AFTERIMAGE_{name}": value for name, value in settings.items()}
    started = [
        subprocess.Popen([sys.executable, "-m", module], env=environment, stderr=subprocess.PIPE) for module in SERVICES
    ]
    for process in started:
        said = process.communicate(timeout=TOOL_SECONDS)[1].decode()
        assert process.returncode == 2, said
        assert "error: AFTERIMAGE_PARTITIONS: 256, but the store has 32 partitions" in said
