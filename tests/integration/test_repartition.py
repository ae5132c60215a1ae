"""Dividing a store anew: killed wherever it may be, it ends as if it had not been, and nobody misses anything."""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import divided
import numpy as np
import pytest
from api_server import RunningApi, running_api
from divided import Contents, History, contents, unread
from patience import TOOL_SECONDS
from redis.connection import AbstractConnection
from redis_cluster import redis_cluster
from websockets.sync.client import connect as connect_socket
from worker_runner import WorkerRunner, pictures, save_random_model, spec_of

from services.api.media.records import TotalBytes
from shared.entries import EntryId
from shared.store.client import connect
from shared.store.keys import LAYOUT, ROLES, workers_key
from shared.store.layout.known import layout_of
from shared.store.layout.partitioning import Partitioning
from shared.store.leases import LeaseBook
from shared.store.registry import Registry
from shared.store.repartition.steps import Repartition, StoreNotReady, stored_layout
from shared.store.repartition.watch import StoreInUse, own_name

NUM_STREAMS = 200
FILM = pictures(30)


class Killed(BaseException):
    """The process is no more, as far as Redis can tell."""


@pytest.fixture
def url(redis_url: str) -> Iterator[str]:
    """A Redis that nobody is connected to."""
    with closing(connect(redis_url)) as client:
        client.flushall()
    yield redis_url
    with closing(connect(redis_url)) as client:
        client.flushall()


def filled(url: str, num_streams: int) -> tuple[Contents, dict[Any, list[bytes]]]:
    """Fills the store; what it holds then, and what its followers have before them."""
    with closing(connect(url)) as client:
        History(client, num_streams).fill()
        return contents(client), unread(client)


def divide(url: str, number: int) -> None:
    """To the end, at once."""
    name = own_name()
    with closing(connect(url, name=name)) as client:
        Repartition(client, name, settle_seconds=0).run(number)


def killed_after(url: str, number: int, num_keys: int) -> bool:
    """Kills the process that divides the store once it has moved so many keys; False: it came to its end before."""
    command = [sys.executable, divided.__file__, url, str(number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            if line == "done\n":
                return False
            if int(line.split()[0]) >= num_keys:
                process.kill()
                return True
    pytest.fail("it ended otherwise")


def is_all_there(url: str, number: int, before: tuple[Contents, dict[Any, list[bytes]]], num_streams: int) -> None:
    """The same is in so many partitions, and nothing of it anywhere else."""
    with closing(connect(url)) as client:
        layout = layout_of(client)
        assert layout.count == number
        assert {key.split(b"}")[0] for key in client.scan_iter(match="{p*")} <= {
            keys.tag[:-1].encode() for keys in layout.all
        }
        found, (was, unread_before) = contents(client), before
        assert {key for key in was.keys() | found.keys() if was.get(key) != found.get(key)} == set()
        after = unread(client)
        for key, events in unread_before.items():
            assert after.get(key, [])[-len(events) :] == events, key
        registry = Registry(client)
        ids = registry.ids()
        assert len(ids) == len(registry.records(ids)) == num_streams
        assert not any(record.problem for record in registry.records(ids))


def test_two_hundred_streams_survive_being_killed_half_way(url: str) -> None:
    before = filled(url, NUM_STREAMS)
    num_kills = sum(killed_after(url, 256, moved) for moved in (450, 700, 1100))
    assert num_kills == 3
    with closing(connect(url)) as client:
        record = stored_layout(client)
        assert (record.partitions, record.moving_to) == (32, 256)
    divide(url, 256)
    is_all_there(url, 256, before, NUM_STREAMS)
    with closing(connect(url)) as client:
        assert unread(client) == before[1], "of partitions that were divided, nobody meets anything again"
        used, _ = TotalBytes(client).told()
        assert used == sum(100 + number for number in range(NUM_STREAMS))


@pytest.mark.parametrize(("number", "step"), [(8, 23), (48, 41)])
def test_killed_at_any_command_it_goes_on(url: str, number: int, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off before a command is sent, or after, so that its answer never comes; a little later each time."""
    before = filled(url, 6)
    send: Callable[..., None] = AbstractConnection.send_packed_command
    left, is_sent, num_kills = [0], [False], 0

    def send_or_die(self: AbstractConnection, *args: Any, **options: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            if is_sent[0]:
                send(self, *args, **options)
            raise Killed
        send(self, *args, **options)

    for allowed in count(20, step):
        left[0], is_sent[0] = allowed, not is_sent[0]
        monkeypatch.setattr(AbstractConnection, "send_packed_command", send_or_die)
        try:
            divide(url, number)
        except Killed:
            num_kills += 1
        else:
            break
        finally:
            monkeypatch.setattr(AbstractConnection, "send_packed_command", send)
    assert num_kills > 5
    is_all_there(url, number, before, 6)


def test_there_and_back_tokens_and_counters_only_rise(url: str) -> None:
    before = filled(url, 20)

    def counters() -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        with closing(connect(url)) as client:
            for keys in layout_of(client).all:
                for name in (keys.changes, keys.arrivals, *map(keys.fence, ROLES)):
                    value: Any = client.get(name)
                    found.setdefault(name.partition(":")[2], []).append(int(value or 0))
        return found

    was = counters()
    for number in (20, 1, 32):
        divide(url, number)
        now = counters()
        for name, values in now.items():
            assert min(values) > max(was[name]) if number == 1 else min(values) > min(was[name]), name
        was = now
    is_all_there(url, 32, before, 20)
    with closing(connect(url)) as client:
        assert layout_of(client).moves == 3
        assert stored_layout(client).moving_to is None


def test_on_a_cluster_each_partition_goes_to_its_slot() -> None:
    with tempfile.TemporaryDirectory(prefix="afterimage-") as folder, redis_cluster(Path(folder)) as cluster:
        before = filled(cluster.url, 12)
        divide(cluster.url, 64)
        is_all_there(cluster.url, 64, before, 12)
        with closing(connect(cluster.url)) as client:
            client.get(LAYOUT)
            with pytest.raises(StoreInUse, match="afterimage:client is connected"):
                divide(cluster.url, 32)


def test_a_worker_goes_on_as_if_nothing_had_been(url: str, tmp_path: Path) -> None:
    save_random_model(tmp_path)
    streams = [f"cam-{number}" for number in range(8)]
    with closing(connect(url)) as client, WorkerRunner(client, tmp_path) as one:
        for stream_id in (*streams, "whole"):
            one.registry.add(spec_of(stream_id))
        one.publish(spec_of("whole"), FILM)
        for stream_id in streams:
            one.publish(spec_of(stream_id), FILM[:13])
        one.start()
        one.wait_processed("whole", len(FILM))
        for stream_id in streams:
            one.wait_processed(stream_id, 13)
        one.stop()
        expected, was = list(one.scores("whole").values()), {each: one.record(each).progress for each in streams}
        pipeline = client.pipeline(transaction=False)
        for keys in layout_of(client).all:
            pipeline.delete(keys.lease("ingest"))  # the test's own
        pipeline.execute()
    divide(url, 256)
    with closing(connect(url)) as client, WorkerRunner(client, tmp_path) as two:
        assert {each: two.record(each).progress for each in streams} == was
        two.start()
        for stream_id in streams:
            two.publish(spec_of(stream_id), FILM[13:], first=13)
        for stream_id in streams:
            record = two.wait_processed(stream_id, len(FILM))
            assert record.progress.frames_processed == len(FILM)
            assert np.allclose(list(two.scores(stream_id).values()), expected, atol=1e-4)
        assert not two.value("afterimage_state_resets_total", reason="gap")
        assert two.value("afterimage_state_restores_total") == len(streams) + 1
        two.stop()


def told(api: RunningApi) -> list[Any]:
    """What the api shows of streams and their history."""
    shown = [api.http.get(path).json() for path in ("/v1/streams?limit=100", "/v1/events?limit=100", "/v1/targets")]
    dead = api.http.get("/v1/targets/hook-1/dead-letters").json()["items"]
    shown.append(sorted(str(each | {"id": ""}) for each in dead))
    for number in range(4):
        stream_id, since = f"cam-{number}", divided.BASE_MS
        shown.append(api.http.get(f"/v1/streams/{stream_id}/scores?since_ms={since}").json())
        shown.append(api.http.get(f"/v1/events/{stream_id}.moved.{since + 125}").json())
    return shown


def test_the_api_shows_the_same_and_a_listener_misses_nothing(url: str) -> None:
    filled(url, 12)
    with closing(connect(url)) as client:
        first: Any = [client.xrange(keys.feed, count=1) for keys in layout_of(client).all]
    with running_api(url) as api:
        before = told(api)
    place = f"3:{min(EntryId.parse(each[0][0]) for each in first if each)}"
    divide(url, 256)
    with running_api(url) as api:
        assert told(api) == before
        address = f"{api.url.replace('http', 'ws', 1)}/v1/events/live?position={place}"
        with connect_socket(address, proxy=None) as socket:
            heard = [json.loads(socket.recv(timeout=60)) for _ in range(2 + 12 + 6 + 7)]
        assert [each["kind"] for each in heard[:2]] == ["position", "gap"]
        assert Counter(each["kind"] for each in heard[2:]) == Counter(opened=12, closed=6, updated=7)
        assert all(each["position"].startswith("1/") for each in heard)


def test_it_is_refused_while_anybody_works(url: str) -> None:
    with closing(connect(url, name="ingest")) as client:
        book = LeaseBook(client, "ingest", "box-1", 60)
        assert book.take([3, 4])
        with pytest.raises(StoreInUse, match=r"afterimage:ingest is connected.*ingest worker box-1 owns 2 partitions"):
            divide(url, 64)
    with pytest.raises(StoreInUse, match="the store is in use: ingest worker box-1 owns 2 partitions; stop all"):
        divide(url, 64)
    with closing(connect(url)) as client:
        client.flushall()
        client.zadd(workers_key("delivery"), {"box-2": round(time.time() * 1000)})
    with pytest.raises(StoreInUse, match="delivery worker box-2 was heard of a moment ago"):
        divide(url, 64)
    with closing(connect(url, name="repartition-other")) as client:
        client.delete(workers_key("delivery"))
        with pytest.raises(StoreInUse, match="afterimage:repartition-other is connected"):
            divide(url, 64)


def test_what_cannot_be_copied_is_named_before_anything_is_done(url: str) -> None:
    keys = Partitioning().all[5]
    with closing(connect(url)) as client:
        client.set(f"{keys.tag}:later:cam", "?")
        client.set(keys.status, "no hash")
    with pytest.raises(StoreNotReady, match=r"does not know: \{p05\}:later:cam; was a later one here"):
        divide(url, 64)
    with closing(connect(url)) as client:
        client.delete(f"{keys.tag}:later:cam")
    with pytest.raises(StoreNotReady, match=r"another type than they should be: \{p05\}:status"):
        divide(url, 64)
    with closing(connect(url)) as client:
        assert client.get(LAYOUT) is None


def test_who_goes_on_goes_to_the_same_number(url: str) -> None:
    filled(url, 5)
    assert killed_after(url, 64, 100)
    with pytest.raises(
        StoreNotReady, match="from 32 to 64 is half-way: first let `afterimage store repartition --to 64`"
    ):
        divide(url, 256)


def test_the_command_divides_and_says_so(url: str) -> None:
    before = filled(url, 5)
    assert killed_after(url, 48, 100)
    with closing(connect(url)) as client:  # as if it had been a while ago
        client.set(LAYOUT, stored_layout(client).model_copy(update={"began_ms": 1}).model_dump_json())

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "afterimage", "store", *arguments, "--redis", url]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=TOOL_SECONDS).stdout

    assert run("show").startswith("32 partitions\nhalf-way to 48: ")
    assert re.fullmatch(r"32 -> 48 partitions; \d+ keys were moved\n", run("repartition", "--to", "48"))
    assert run("repartition", "--to", "48") == "it has 48 partitions already\n"
    assert run("show") == "48 partitions\n"
    is_all_there(url, 48, before, 5)
