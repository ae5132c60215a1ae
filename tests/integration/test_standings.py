"""How all streams stand is what their records say at that moment, and what stands as it was is not parsed again."""

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from api_server import RunningApi, running_api
from default_layout import keys_of
from ingest_runner import stream_spec
from leasing import lease_of
from worker_runner import spec_of

from services.api.kept.known import KnownStreams
from services.api.live.standings import Standings, StreamNow
from services.api.schemas.streams import StreamView
from shared.store.registry import Registry
from shared.streams import InferenceStatus, Progress, StreamState, StreamStatus

STATES = (StreamState.LIVE, StreamState.WAITING, StreamState.FAILED, StreamState.ENDED)


@pytest.fixture
def api(redis_url: str, redis_client: redis.Redis) -> Iterator[RunningApi]:
    with running_api(redis_url) as running:
        yield running


def plainly(client: redis.Redis) -> dict[str, tuple[Any, ...]]:
    """The same by reading every record."""
    registry = Registry(client)
    records = registry.records(registry.ids())
    views = [(StreamView.of(record), record.spec.groups) for record in records]
    return {each.id: (groups, each.pace, each.model, each.state, each.lag_frames) for each, groups in views}


def standing(found: list[StreamNow]) -> dict[str, tuple[Any, ...]]:
    return {each.id: (each.groups, each.pace, each.model, each.state, each.lag_frames) for each in found}


def put(client: redis.Redis, stream_id: str, state: StreamState) -> None:
    """Says so in ingest's place."""
    registry = Registry(client)
    status = StreamStatus(state=state, generation=registry.get(stream_id).spec.generation)
    assert registry.set_status(stream_id, status, lease_of(client, "ingest", stream_id))


def disturb(client: redis.Redis, rng: random.Random, stream_id: str, step: int) -> None:
    """Something happens to a stream."""
    registry, keys = Registry(client), keys_of(stream_id)
    found = registry.records([stream_id])
    if not found:
        client.hdel(keys.status, stream_id)
        return registry.add(spec_of(stream_id, groups=(f"g{step % 3}",)))
    spec = found[0].spec
    match rng.randrange(8):
        case 0:
            registry.remove(stream_id)
        case 1:
            client.hset(keys.published, stream_id, step)
        case 2:
            client.hset(keys.progress, stream_id, str(Progress(spec.generation, f"{step}-0", step // 2, step // 2)))
        case 3:
            status = InferenceStatus(reason="no such model" if step % 2 else None)
            registry.set_inference([(spec, status, lease_of(client, "inference", stream_id))])
        case 4:
            client.hset(keys.status, stream_id, "not JSON")
        case 5:
            registry.replace(spec, spec.model_copy(update={"pace": rng.choice(["live", "fast"]), "groups": ()}))
        case _:
            put(client, stream_id, rng.choice(STATES))
    return None


def test_it_equals_the_records_whatever_happens(redis_client: redis.Redis) -> None:
    standings, rng = Standings(redis_client, KnownStreams(redis_client)), random.Random(1)
    for step in range(200):
        disturb(redis_client, rng, f"cam{rng.randrange(30)}", step)
        found = standings.all()
        assert standing(found) == plainly(redis_client)
        assert standings.by_state() == Counter(each.state for each in found)


def test_a_hash_of_another_type_fails_the_streams_of_its_partition_alone(redis_client: redis.Redis) -> None:
    registry, standings = Registry(redis_client), Standings(redis_client, KnownStreams(redis_client))
    for number in range(40):
        registry.add(stream_spec(f"cam{number}", "clip.mp4"))
    redis_client.set(keys_of("cam7").status, "no hash")
    assert standing(standings.all()) == plainly(redis_client)
    assert standings.by_state()[StreamState.FAILED] >= 1


def test_what_stands_is_not_parsed_again(redis_client: redis.Redis) -> None:
    registry, standings = Registry(redis_client), Standings(redis_client, KnownStreams(redis_client))
    for number in range(50):
        registry.add(stream_spec(f"cam{number}", "clip.mp4"))
    before = {each.id: each for each in standings.all()}
    put(redis_client, "cam7", StreamState.LIVE)
    after = {each.id: each for each in standings.all()}
    assert [stream_id for stream_id, each in after.items() if each is not before[stream_id]] == ["cam7"]
    assert after["cam7"].state is StreamState.LIVE


def test_pages_of_a_state_go_on_where_the_last_ended(api: RunningApi, redis_client: redis.Redis) -> None:
    ids = [f"cam{number:02d}" for number in range(25)]
    for stream_id in ids:
        api.add(stream_id)
    waiting = ids[3::5]
    for stream_id in waiting:
        put(redis_client, stream_id, StreamState.WAITING)
    found: list[str] = []
    cursor = ""
    while True:
        page = api.http.get(f"/v1/streams?state=waiting&limit=2{cursor}").json()
        found += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert found == waiting
    both = api.http.get("/v1/streams?state=waiting&state=pending&limit=1000").json()
    assert [each["id"] for each in both["items"]] == ids
    assert api.http.get("/v1/streams?state=live").json() == {"items": [], "next": None}
    assert api.http.get("/v1/system").json()["streams"] == {"pending": 20, "waiting": 5}


def test_streams_that_cannot_be_read_are_listed_in_their_place(api: RunningApi, redis_client: redis.Redis) -> None:
    for stream_id in ("a", "b", "c"):
        api.add(stream_id)
    keys = keys_of("b")
    redis_client.hset(keys.streams, "b", "not JSON")
    redis_client.hset(keys.streams, "no id!", "not JSON")
    redis_client.incr(keys.changes)
    shown = api.http.get("/v1/streams").json()["items"]
    assert [(each["id"], each["state"]) for each in shown] == [("a", "pending"), ("b", "failed"), ("c", "pending")]
