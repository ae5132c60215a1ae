"""How the system stands, as the api tells it, from a real Redis."""

import redis
from api_server import RunningApi, running_api
from studio import LARGE

from services.api.media.records import TotalBytes
from services.api.metrics import servers
from services.api.metrics.servers import servers_of
from shared.store.keys import MEDIA_BYTES, MEDIA_LIMIT


def test_redis_and_streams_are_told_as_they_are(server: RunningApi, redis_client: redis.Redis) -> None:
    for stream_id, paused in (("a", False), ("b", False), ("c", True)):
        server.add(stream_id, paused=paused)
    redis_client.config_set("maxmemory", 200_000_000)
    try:
        shown = server.http.get("/v1/system").json()
    finally:
        redis_client.config_set("maxmemory", 0)
    assert (shown["num_streams"], shown["max_streams"]) == (3, 10_000)
    assert sum(shown["streams"].values()) == 3
    assert set(shown["streams"]) <= {"pending", "paused"}
    (node,) = shown["redis"]
    assert (node["node"], node["limit_bytes"], node["policy"]) == ("redis", 200_000_000, "noeviction")
    assert 0 < node["used_bytes"] < 200_000_000
    assert node["is_writing_well"]
    assert server.http.get("/v1/system").json()["redis"][0]["limit_bytes"] is None
    assert shown["version"] == server.http.get("/v1/version").json()["version"]


def test_what_redis_keeps_is_told_in_each_of_its_ways(redis_client: redis.Redis) -> None:
    def kept() -> servers.Persistence | None:
        (found,) = servers_of(redis_client)
        return found.persists

    before = str(redis_client.config_get("save")["save"])
    try:
        redis_client.config_set("save", "")
        assert kept() == "nothing"
        redis_client.config_set("save", "3600 1")
        assert kept() == "snapshots"
        redis_client.config_set("appendonly", "yes")
        assert kept() == "log"
    finally:
        redis_client.config_set("appendonly", "no")
        redis_client.config_set("save", before)


def test_a_server_that_may_not_be_asked_is_no_trouble(redis_url: str, redis_client: redis.Redis) -> None:
    redis_client.acl_setuser("shy", enabled=True, nopass=True, keys="*", commands=["+@all", "-config"])
    shy = redis.Redis.from_url(redis_url, username="shy", password="any")
    try:
        (found,) = servers_of(shy)
        assert found.persists is None or found.persists == "log"
    finally:
        shy.close()
        redis_client.acl_deluser("shy")


def test_the_room_that_media_takes_is_what_recorders_say(server: RunningApi, redis_client: redis.Redis) -> None:
    redis_client.delete(MEDIA_BYTES, MEDIA_LIMIT)
    assert server.http.get("/v1/system").json()["media"] == {"used_bytes": 0, "limit_bytes": None}
    one, other = TotalBytes(redis_client), TotalBytes(redis_client)
    one.tell({0: 1000, 1: 200}, LARGE.num_bytes)
    other.tell({2: 30}, LARGE.num_bytes)
    assert server.http.get("/v1/system").json()["media"] == {"used_bytes": 1230, "limit_bytes": LARGE.num_bytes}
    one.tell({0: 0, 1: 200}, 5000)
    assert one.told() == (230, 5000)


def test_without_redis_it_is_said_in_the_one_shape() -> None:
    with running_api("unix:///nobody/redis.sock") as api:
        assert api.error(503, "GET", "/v1/system")["code"] == "store_unavailable"
