"""What a key for some groups is shown when a stream leaves them, and of workers that have the streams of all."""

import asyncio
import threading
from collections.abc import Iterator
from itertools import count

import httpx
import pytest
import redis
from api_server import BASE_MS, RunningApi, publish, running_api
from default_layout import NUM_PARTITIONS

from services.api.metrics.requests import ApiMetrics
from services.api.protocol.door import Door
from services.api.schemas.streams import StreamChange, StreamCreate
from services.api.tiles.reader import TileReader
from shared.store.client import connect_async
from shared.store.leases import LeaseBook


@pytest.fixture
def api(redis_url: str, redis_client: redis.Redis) -> Iterator[RunningApi]:
    redis_client.flushall()
    with running_api(redis_url) as running:
        for stream_id, group in (("door", "north"), ("shed", "south"), ("yard", "south")):
            wanted = StreamCreate(name="Camera", source="rtsp://camera.invalid/1", id=stream_id, groups=(group,))
            running.context.registrar.add(wanted)
        yield running


@pytest.fixture
def southern(api: RunningApi) -> dict[str, str]:
    """The headers of who sees the group south."""
    api.context.keyring.create("first", "admin")
    key, _ = api.context.keyring.create("south", "viewer", ("south",))
    return {"Authorization": f"Bearer {key.text}"}


def test_pictures_end_when_a_stream_leaves_ones_groups(
    api: RunningApi, southern: dict[str, str], redis_client: redis.Redis
) -> None:
    ended = threading.Event()

    def film() -> None:
        for at in count():
            publish(redis_client, "shed", BASE_MS + at)
            if ended.wait(0.02):
                return

    camera = threading.Thread(target=film)
    camera.start()
    try:
        url = f"{api.url}/v1/streams/shed/live.mjpeg?fps=15"
        with httpx.stream("GET", url, headers=southern, timeout=60) as reply:
            parts = reply.iter_raw()
            assert b"image/jpeg" in next(parts)
            api.context.registrar.change("shed", StreamChange(groups=("north",)), lambda _: None)
            assert list(parts) is not None, "it ends, while the camera goes on"
    finally:
        ended.set()
        camera.join()


def test_of_workers_it_is_told_how_many_of_its_own_streams_they_have(
    api: RunningApi, southern: dict[str, str], redis_client: redis.Redis
) -> None:
    book = LeaseBook(redis_client, "ingest", "box")
    book.beat()
    assert len(book.take(range(NUM_PARTITIONS))) == NUM_PARTITIONS
    seen = api.http.get("/v1/workers", headers=southern).json()["items"]
    assert sum(each["num_streams"] for each in seen) == 2, seen


@pytest.mark.parametrize(
    ("query", "found"),
    [("", {"north": 1, "south": 2}), ("?text=ORT", {"north": 1}), ("?limit=1", {"north": 1}), ("?text=x", {})],
    ids=["all", "text", "limit", "none"],
)
def test_groups_are_found_by_name(api: RunningApi, query: str, found: dict[str, int]) -> None:
    items = api.http.get(f"/v1/groups{query}").json()["items"]
    assert {each["name"]: each["num_streams"] for each in items} == found


def test_what_was_read_for_who_has_left_is_not_shown_to_who_comes_next(
    api: RunningApi, redis_url: str, redis_client: redis.Redis
) -> None:
    publish(redis_client, "door", BASE_MS)

    async def left_too_soon() -> TileReader:
        client = connect_async(redis_url)
        reader = TileReader(client, ApiMetrics(), Door("viewers", 4, 4))
        viewer = reader.join("somebody")
        reader.show(viewer, {"door": 1.0})
        looking = asyncio.create_task(reader._look(asyncio.get_running_loop().time() + 1))
        await asyncio.sleep(0)  # it waits for Redis now
        reader.leave(viewer)
        await looking
        await client.aclose()
        return reader

    assert asyncio.run(left_too_soon())._newest == {}
