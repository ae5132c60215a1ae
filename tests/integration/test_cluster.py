"""Everything that Afterimage keeps in Redis, kept in a real Redis Cluster of three masters and through its troubles."""

import asyncio
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import redis
import redis.asyncio
from api_server import BASE_MS, LiveClient, an_event, running_api, write_event
from cluster_pipeline import STREAMS, Pipeline, spec
from default_layout import PARTITIONS, keys_of
from leasing import seize
from patience import eventually
from redis_cluster import Cluster, free_port, redis_cluster

from services.api.delivery.outbox import Letter, Outbox
from services.api.delivery.targets import Target, TargetBook
from services.api.followers.cursors import BEFORE_ALL, Cursors
from services.ingest.own_redis import OwnRedis
from shared.entries import EntryId
from shared.errors import SourceFailed, StoreUnavailable
from shared.network.addresses import AddressPolicy
from shared.store.address import addresses_of
from shared.store.client import connect, connect_async, translated
from shared.store.leases import LEASE_SECONDS, LeaseBook, living_workers
from shared.store.registry import Registry

KEYS = [keys_of(stream_id).streams for stream_id in STREAMS]
KEY = keys_of("cam1").streams


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    durable = ("--appendonly", "yes", "--appendfsync", "no")
    with tempfile.TemporaryDirectory(prefix="afterimage-") as folder, redis_cluster(Path(folder), *durable) as running:
        yield running


@pytest.fixture
def client(cluster: Cluster) -> Iterator[redis.Redis]:
    """A client of the cluster, emptied and filled with streams; it gives up early."""
    client = connect(cluster.url, timeout_seconds=5, retries=1)
    client.flushall()
    for stream_id in STREAMS:
        Registry(client).add(spec(stream_id))
    yield client
    client.close()


def in_the_end(action: Callable[[], object]) -> None:
    """Repeats it until Redis lets it through, as services do."""

    def done() -> bool:
        with suppress(StoreUnavailable):
            action()
            return True
        return False

    eventually(done, "the cluster's answer")


def test_targets_and_their_letters(client: redis.Redis) -> None:
    book, outbox, lease = TargetBook(client), Outbox(client), seize(client, "delivery", [5])[5]
    fields = {"id": "home", "kind": "webhook", "url": "http://x", "secret": "s", "created_at_ms": book.now_ms()}
    target = Target.model_validate(fields)
    book.add(target)
    assert book.current() == {"home": target}
    letter = Letter(5, EntryId(7), "home", "a", "opened", "{}", "5.7-0")
    assert outbox.put(lease, letter.entry_id, [letter], {"a moved": 7})
    assert outbox.put(lease, letter.entry_id, [letter], {"a moved": 7})
    [waiting] = outbox.read({5: EntryId(0)})
    assert outbox.delivered(5) == {"a moved": 7}
    assert outbox.take(lease, waiting, "it is away")
    [dead] = outbox.dead_letters("home")
    assert (dead.message_id, dead.why) == ("5.7-0", "it is away")
    assert outbox.replay([dead, dead]) == 1
    assert [each.message_id for each in outbox.read({5: EntryId(0)})] == ["5.7-0"]
    book.remove("home")
    assert book.current() == {}


def test_followers_read_feeds_on_every_node(client: redis.Redis) -> None:
    for keys in PARTITIONS:
        client.xadd(keys.feed, {"kind": "opened", "event": f'{{"stream_id": "a", "label": "{keys.partition}"}}'})
    cursors = Cursors(client, "delivery")
    found = cursors.read({keys.partition: (BEFORE_ALL, 64) for keys in PARTITIONS})
    assert {each: [entry.label for entry in entries] for each, entries in found.items()} == {
        keys.partition: [str(keys.partition)] for keys in PARTITIONS
    }
    client.delete(PARTITIONS[3].feed)
    client.set(PARTITIONS[3].feed, "no stream")
    passed = {each: (entries[-1].entry_id, 64) for each, entries in found.items()}
    assert cursors.read(passed | {9: (BEFORE_ALL, 64)}) == {9: found[9]}


def test_no_source_may_lead_to_any_node(cluster: Cluster, client: redis.Redis) -> None:
    [named] = addresses_of(cluster.url)
    own = OwnRedis(client, ("{}:{}".format(*named),))
    policy = AddressPolicy(own.addresses())
    for node in cluster.nodes:
        with pytest.raises(SourceFailed, match="this system's own Redis"):
            policy.check("127.0.0.1", node.port)
    policy.check("127.0.0.1", free_port())


def test_everything_works(cluster: Cluster, client: redis.Redis) -> None:
    registry = Registry(client)
    assert set(registry.specs()) == set(STREAMS)
    assert registry.replace(spec("cam1"), spec("cam1").model_copy(update={"name": "door"}))
    registry.remove("cam0")
    assert [record.spec.name for record in registry.records(["cam0", "cam1"])] == ["door"]
    registry.add(spec("cam0"))
    pipeline = Pipeline(client)
    assert [pipeline.try_step() for _ in range(3)] == [True, True, True]
    pipeline.check()
    book = LeaseBook(client, "inference", "me")
    assert book.beat() == ["me"]
    leases = book.take(range(32))
    assert book.renew(leases) == []
    assert {worker.id: len(worker.partitions) for worker in living_workers(client, "inference", LEASE_SECONDS)} == {
        "me": len(leases)
    }
    book.release(leases)
    book.sign_off()
    assert living_workers(client, "inference", LEASE_SECONDS) == []


def test_a_pipeline_is_one_question_to_each_node(cluster: Cluster, client: redis.Redis) -> None:
    pipeline = Pipeline(client)
    pipeline.try_step()
    for node in cluster.nodes:
        node.ask("CONFIG RESETSTAT")
    pipeline.try_step()
    commands = [set(node.ask("INFO", "commandstats")) for node in cluster.nodes]
    assert all({"cmdstat_xread", "cmdstat_evalsha"} <= each for each in commands)
    assert not any({"cmdstat_command", "cmdstat_cluster"} & each for each in commands)


def test_the_api_shows_what_lies_in_a_cluster(cluster: Cluster, client: redis.Redis) -> None:
    with running_api(cluster.url) as api:
        api.add("front-door")
        with LiveClient(api.url) as live:
            written = [write_event(client, an_event(each, BASE_MS + n)) for n, each in enumerate(STREAMS)]
            eventually(lambda: len(live.received) == len(written), "all events")
        assert sorted(live.ids) == sorted(written)
        page = api.http.get("/v1/events", params={"limit": 10}).json()
        assert [event["id"] for event in page["items"]] == written[:-11:-1]
        streams = api.http.get("/v1/streams").json()["items"]
        assert len(streams) == len(STREAMS) + 1


def test_work_goes_on_through_a_slot_migration_to_a_new_node(cluster: Cluster, client: redis.Redis) -> None:
    pipeline = Pipeline(client)
    assert pipeline.try_step()
    for keys in PARTITIONS:  # a script that names a key that is not there is refused as well
        client.hset(keys.open, "another", "another.moved.1")
        client.hset(keys.kept, "another.moved.1", "{}")
        client.hset(keys.held, "another", "1-0")
    with running_api(cluster.url) as api, LiveClient(api.url) as live:
        elsewhere = next(key for key in KEYS if cluster.owner(key) not in (cluster.owner(KEY), cluster.nodes[0]))
        for key, target in ((KEY, cluster.add()), (elsewhere, cluster.nodes[0])):
            cluster.wait()
            cluster.begin_move(key, target)
            assert pipeline.try_step()
            cluster.move_keys(key, target, most=3)
            assert not pipeline.try_step()  # keys here and there: until they are together again, Redis refuses
            while cluster.move_keys(key, target):
                pass
            assert pipeline.try_step()
            cluster.end_move(key, target)
            assert pipeline.try_step()
        pipeline.check()
        late = write_event(client, an_event("cam1", BASE_MS + 1_000_000))
        eventually(lambda: late in live.ids, "the event")
        told = pipeline.done * len(STREAMS) + 1 - len(STREAMS)
        assert (len(set(live.ids)), len(live.received)) == (told, 2 * told - 1)


def test_a_silent_node_is_waited_for_once_a_pipeline(cluster: Cluster, client: redis.Redis) -> None:
    hasty = connect(cluster.url, timeout_seconds=0.2, retries=1)
    registry = Registry(hasty)
    in_the_end(lambda: registry.records(STREAMS))
    node = cluster.owner(KEY)
    node.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            registry.records(STREAMS)
        assert time.monotonic() - began < 15  # 0.2 s for each of its hundred commands would be 20 s at least
    finally:
        node.send_signal(signal.SIGCONT)
    in_the_end(lambda: registry.records(STREAMS))
    hasty.close()


def test_work_goes_on_after_nodes_were_killed(cluster: Cluster, client: redis.Redis) -> None:
    pipeline = Pipeline(client)
    assert pipeline.try_step()
    for killed in ([cluster.owner(KEY)], cluster.nodes):
        for node in killed:
            node.kill()
        assert not pipeline.try_step()
        for node in killed:
            node.start()
        eventually(pipeline.try_step, "the cluster's return")
    pipeline.check()


def test_clients_find_a_cluster_that_is_not_there_yet_and_one_that_moved(cluster: Cluster) -> None:
    for node in cluster.nodes:
        node.kill()
    old, new = cluster.nodes[0].port, free_port()
    url = f"redis+cluster://127.0.0.1:{old},127.0.0.1:{new}"
    with closing(connect(url, timeout_seconds=5, retries=1)) as client, asyncio.Runner() as loop:
        async_client = connect_async(url, timeout_seconds=5)
        book = LeaseBook(client, "ingest", "me")

        def use() -> None:
            book.beat()
            with translated():
                loop.run(_get(async_client))

        refused(use)
        for node in cluster.nodes:
            node.start()
        in_the_end(use)
        for node in cluster.nodes:
            node.kill()
        refused(use)
        cluster.move([new, *(free_port() for _ in cluster.nodes[1:])])
        in_the_end(use)
        loop.run(async_client.aclose())


def refused(action: Callable[[], object]) -> None:
    with pytest.raises(StoreUnavailable):
        action()


async def _get(client: redis.asyncio.Redis) -> None:
    await client.get("a")
