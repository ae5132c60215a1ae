"""Leases and their keepers on a real Redis."""

import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import redis
from default_layout import NUM_PARTITIONS, PARTITIONS
from leasing import lease_of, tenancy
from patience import eventually
from prometheus_client import CollectorRegistry

from shared.service.lease_metrics import LeaseMetrics
from shared.service.settings import ServiceSettings
from shared.service.tenancy import Tenancy, tenancy_of
from shared.store.leases import LEASE_SECONDS, Lease, LeaseBook, living_workers

SHORT_SECONDS = 1.0
ALL = range(NUM_PARTITIONS)


def obey(keeper: Tenancy) -> None:
    """What a worker does that has nothing to finish."""
    keeper.give_back(list(keeper.leaving().values()))


def test_a_lease_is_one_workers_until_it_gives_it_back(redis_client: redis.Redis) -> None:
    one, other = (LeaseBook(redis_client, "inference", name) for name in ("one", "other"))
    [lease] = one.take([5])
    assert (lease.partition, lease.worker_id) == (5, "one")
    assert other.take([5]) == []
    assert one.renew([lease]) == []
    one.release([lease])
    [next_lease] = other.take([5])
    assert next_lease.token > lease.token
    assert one.renew([lease]) == [lease]
    one.release([lease])
    assert redis_client.get(PARTITIONS[5].lease("inference")) == str(next_lease).encode()


@pytest.mark.parametrize(("part", "text"), [("lease", b"of nobody"), ("fence", b"many"), ("fence", b"1.5")])
def test_a_lease_that_is_none_stands_in_the_way_of_its_own_partition_alone(
    redis_client: redis.Redis, part: str, text: bytes
) -> None:
    key, book = getattr(PARTITIONS[5], part)("inference"), LeaseBook(redis_client, "inference", "one")
    for is_text in (True, False):
        redis_client.set(key, text) if is_text else redis_client.lpush(key, text)
        assert [lease.partition for lease in book.take([4, 5, 6])] == [4, 6]
        assert book.damaged.keys() == {5}
        assert key in book.damaged[5]
        redis_client.delete(key)
    assert book.take([5])
    assert book.damaged == {}


def test_taking_again_after_a_lost_reply_draws_a_new_token(redis_client: redis.Redis) -> None:
    book = LeaseBook(redis_client, "inference", "one")
    [first], [second] = book.take([5]), book.take([5])
    assert second.token > first.token
    assert book.renew([first, second]) == [first]


def test_a_lease_that_is_not_renewed_runs_out(redis_client: redis.Redis) -> None:
    one, other = (LeaseBook(redis_client, "ingest", name, ttl_seconds=0.2) for name in ("one", "other"))
    one.take([5])
    assert eventually(lambda: other.take([5]), "the lease is free")[0].worker_id == "other"


def test_roles_do_not_share_leases(redis_client: redis.Redis) -> None:
    assert LeaseBook(redis_client, "ingest", "one").take([5])
    assert LeaseBook(redis_client, "inference", "other").take([5])


def test_the_silent_are_forgotten(redis_client: redis.Redis) -> None:
    LeaseBook(redis_client, "ingest", "silent", ttl_seconds=0.2).beat()
    lively = LeaseBook(redis_client, "ingest", "lively", ttl_seconds=0.2)
    eventually(lambda: lively.beat() == ["lively"], "one is left")


def test_workers_share_the_partitions_and_the_last_one_has_them_all(redis_client: redis.Redis) -> None:
    with tenancy(redis_client, "ingest") as one:
        eventually(lambda: len(one.held()) == NUM_PARTITIONS, "all for one")
        with tenancy(redis_client, "ingest") as two, tenancy(redis_client, "ingest") as three:
            keepers = (one, two, three)

            def is_shared() -> bool:
                for keeper in keepers:
                    obey(keeper)
                return sorted(len(keeper.held()) for keeper in keepers) == [10, 11, 11]

            eventually(is_shared, "a fair share each")
            owned = [partition for keeper in keepers for partition in keeper.held()]
            assert sorted(owned) == list(ALL)
            seen = {view.id: view.partitions for view in living_workers(redis_client, "ingest", LEASE_SECONDS)}
            assert sorted(seen.values()) == sorted(tuple(sorted(keeper.held())) for keeper in keepers)
        eventually(lambda: len(one.held()) == NUM_PARTITIONS, "all for one again")
    assert living_workers(redis_client, "ingest", LEASE_SECONDS) == []
    assert not any(redis_client.exists(keys.lease("ingest")) for keys in PARTITIONS)


def test_what_is_begun_is_finished_before_a_partition_changes_hands(redis_client: redis.Redis) -> None:
    with tenancy(redis_client, "ingest") as one:
        eventually(lambda: len(one.held()) == NUM_PARTITIONS, "all for one")
        before = one.version
        with tenancy(redis_client, "ingest") as two:
            leaving = eventually(one.leaving, "some must leave")
            assert one.version > before
            assert not leaving.keys() & one.held().keys()
            eventually(lambda: len(living_workers(redis_client, "ingest", LEASE_SECONDS)) == 2, "both live")
            assert two.held() == {}
            first = next(iter(leaving))
            one.give_back([leaving[first]])
            eventually(lambda: list(two.held()) == [first], "the one that was given back")
        eventually(lambda: one.leaving() == {} and len(one.held()) == NUM_PARTITIONS, "what was not given back stays")


class Wires:
    """Connections to Redis that may fall silent, as through a switch that lost its power: they stay open."""

    def __init__(self, target: str, listener: socket.socket) -> None:
        self._target = target
        self._listener = listener
        self._generation = 0

    def run(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                callee = socket.socket(socket.AF_UNIX)
                callee.connect(self._target)
                for ends in ((caller, callee), (callee, caller)):
                    threading.Thread(target=self._carry, args=(*ends, self._generation), daemon=True).start()

    def _carry(self, source: socket.socket, drain: socket.socket, generation: int) -> None:
        with source, suppress(OSError):
            while content := source.recv(65536):
                if generation == self._generation:
                    drain.sendall(content)
            drain.shutdown(socket.SHUT_WR)

    def fall_silent(self) -> None:
        """Those that there are now carry nothing any more; those to come do."""
        self._generation += 1


@contextmanager
def wires(redis_url: str) -> Iterator[tuple[str, Wires]]:
    """The URL of a Redis behind such connections, and these."""
    with tempfile.TemporaryDirectory(prefix="afterimage-") as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/wires.sock")
        listener.listen()
        between = Wires(redis_url.removeprefix("unix://"), listener)
        thread = threading.Thread(target=between.run)
        thread.start()
        try:
            yield f"unix://{folder}/wires.sock", between
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_renewal_on_a_dead_connection_fails_in_time_for_another(redis_client: redis.Redis, redis_url: str) -> None:
    key = PARTITIONS[7].lease("ingest")
    with wires(redis_url) as (url, between):
        settings = ServiceSettings.model_validate({"redis_url": url, "lease_seconds": 2})
        with tenancy_of(settings, "ingest", "one", LeaseMetrics(CollectorRegistry())) as keeper:
            before = eventually(lambda: held if len(held := keeper.held()) == NUM_PARTITIONS else None, "all held")
            between.fall_silent()
            left_ms = [redis_client.pttl(key)]

            def is_renewed() -> bool:
                left_ms.append(redis_client.pttl(key))
                assert left_ms[-1] > 0, "it ran out"
                return left_ms[-1] > left_ms[-2]

            eventually(is_renewed, "a renewal")
            assert keeper.held() == before


def test_a_lease_lost_is_taken_again_under_another_token(redis_client: redis.Redis) -> None:
    with tenancy(redis_client, "ingest", ttl_seconds=SHORT_SECONDS) as keeper:
        before = eventually(lambda: held if len(held := keeper.held()) == NUM_PARTITIONS else None, "all held")
        assert before
        stolen = lease_of(redis_client, "ingest", "cam")
        eventually(lambda: stolen.partition not in keeper.held(), "the renewal finds it out")
        LeaseBook(redis_client, "ingest", stolen.worker_id).release([stolen])
        after = eventually(lambda: keeper.held().get(stolen.partition), "taken again")
        assert after
        assert after.token > before[stolen.partition].token


def test_what_a_fenced_write_found_out_counts_at_once(redis_client: redis.Redis) -> None:
    with tenancy(redis_client, "ingest") as keeper:
        lease = eventually(lambda: keeper.held().get(3), "held")
        assert lease
        keeper.lost(lease)
        again = eventually(lambda: keeper.held().get(3), "taken again")
        assert again
        assert again.token > lease.token
        keeper.lost(lease)  # an old one: says nothing of the new
        assert keeper.held()[3] == again


def test_the_living_outlive_a_crash_of_another(redis_client: redis.Redis) -> None:
    dead = LeaseBook(redis_client, "ingest", "dead", SHORT_SECONDS)
    dead.beat()
    dead.take(ALL)
    with tenancy(redis_client, "ingest", ttl_seconds=SHORT_SECONDS) as keeper:
        eventually(lambda: len(keeper.held()) == NUM_PARTITIONS, "all are taken over")


@pytest.mark.parametrize("stored", [b"7 host-1-ab", b"12 a worker with spaces"])
def test_a_lease_reads_as_it_is_written(stored: bytes) -> None:
    assert str(Lease.parse(3, stored)).encode() == stored
