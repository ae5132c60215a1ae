"""`afterimage events --follow`: what it says beside the events."""

from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
from api_server import BASE_MS, LiveClient, RunningApi, an_event, running_api, write_event
from default_layout import keys_of
from patience import eventually
from redis_cluster import free_port
from running import Running, running

from services.api.protocol import later


def following(url: str, home: Path, stack: ExitStack) -> Running:
    return stack.enter_context(running("events", "--follow", "--json", "--url", url, home=home))


def is_heard(api: RunningApi) -> bool:
    return "afterimage_api_live_clients 1.0" in api.metrics()


def take(follower: Running, client: redis.Redis, at_ms: int) -> None:
    """Has it tell of one more event."""
    before = len(follower.lines)
    event_id = write_event(client, an_event("a", at_ms))
    eventually(lambda: len(follower.lines) > before, "the event")
    assert f'"id": "{event_id}"' in follower.lines[-1]


def end(follower: Running, num_said: int) -> None:
    follower.interrupt()
    assert follower.wait(60) == 0
    assert len(set(follower.errors)) == num_said


def test_that_the_feed_has_no_place_is_told_and_it_comes_back_when_asked_to(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(later, "RETRY_MS", 3000)
    with running_api(redis_url, api_listeners=1) as api, ExitStack() as stack:
        with LiveClient(api.url):
            follower = following(api.url, tmp_path, stack)
            (said,) = eventually(lambda: follower.errors, "a line")
            assert said.startswith("the live feed takes no more listeners: there are 1 listeners")
            assert said.endswith("; again in 3 s")
        eventually(lambda: is_heard(api), "a place")
        take(follower, redis_client, BASE_MS)
        end(follower, 1)


def test_what_may_have_been_missed_is_told(redis_url: str, redis_client: redis.Redis, tmp_path: Path) -> None:
    port = free_port()
    with ExitStack() as stack:
        with running_api(redis_url, api_port=port) as api:
            follower = following(api.url, tmp_path, stack)
            eventually(lambda: is_heard(api), "somebody follows")
            take(follower, redis_client, BASE_MS)
        (lost,) = eventually(lambda: follower.errors, "that the connection is lost")
        assert lost.endswith("; trying again until it is back")
        feed = keys_of("a").feed
        redis_client.delete(feed)  # an older backup was put back
        redis_client.xadd(feed, {"kind": "x"}, id="5000-0")
        with running_api(redis_url, api_port=port) as api:
            eventually(lambda: len(follower.errors) > 1, "two lines")
            said = follower.errors[-1]
            assert said == (
                "events since 1970-01-01 00:00:05 UTC may be missing here, as the feed was put back from a backup: "
                "`afterimage events export --since-ms 5000` prints them"
            )
            take(follower, redis_client, BASE_MS + 1)
            end(follower, 2)
