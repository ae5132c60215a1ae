"""A small crowd in a process of its own; `make crowd` is the large one."""

import asyncio

import redis
from crowd.run import api_process, gallery, siege


def test_who_holds_on_keeps_nobody_waiting_and_all_who_watch_are_shown(
    redis_url: str, redis_client: redis.Redis
) -> None:
    with api_process(redis_url) as api:
        besieged = asyncio.run(siege(api, redis_client, idle=100, readers=4, frames=2000, silent=40))
        watched = asyncio.run(gallery(api, redis_client, listeners=20, sockets=4, seconds=1.0, streams=4))
    assert besieged.pages_bytes > 4 * 2000 * 100
    assert len(watched.events) == 20 * 10
    assert len(watched.tiles) > 4 * 4
    for health in (besieged.health, watched.health):
        assert health.most_rss_mb < 200, str(health)
        assert health.slowest_work_ms <= 100, str(health)
