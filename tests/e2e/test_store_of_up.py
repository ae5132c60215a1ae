"""The Redis of an `afterimage up`, which runs only with it: another number of partitions is refused with the way to it,
and that way leads there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from divided import History, contents
from running import running

from afterimage.data_folder import open_data_folder
from afterimage.local_redis import redis_of_stopped
from shared.store.client import connect
from shared.store.keys import LAYOUT
from shared.store.layout.known import LayoutRecord, layout_of


@contextmanager
def stored(data: Path) -> Iterator[redis.Redis]:
    """What the folder's Redis holds, while nothing else runs there."""
    with redis_of_stopped(data) as url, connect(url) as client:
        yield client


def ended(*arguments: str, home: Path, **settings: str) -> tuple[int, list[str], str]:
    """A command's exit code, its lines, and the last of its errors."""
    with running(*arguments, home=home, guest=False, **settings) as command:
        return command.wait(60), command.lines, command.errors[-1] if command.errors else ""


def test_its_store_is_divided_while_it_is_stopped(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with open_data_folder(data):
        pass
    with stored(data) as client:
        History(client, 3).fill()
        before = contents(client)
        client.set(LAYOUT, LayoutRecord().model_dump_json())
    up = ("up", "--port", "0", "--data", str(data), "--media-root", str(tmp_path), "--device", "cpu")
    code, lines, error = ended(*up, home=tmp_path, AFTERIMAGE_PARTITIONS="64")
    assert (code, lines) == (1, [])
    assert error == (
        "error: AFTERIMAGE_PARTITIONS: 64, but the store has 32 partitions: leave it out, or stop all services and run "
        f"`afterimage store repartition --to 64`, with `--data {data}`"
    )
    with stored(data) as client:  # begun, and broken off a while ago
        client.set(LAYOUT, LayoutRecord(moving_to=64, began_ms=1).model_dump_json())
    code, _, error = ended(*up, home=tmp_path)
    assert code == 1
    assert f"`afterimage store repartition --to 64` goes on with it, with `--data {data}`" in error
    store = ("--data", str(data))
    assert ended("store", "show", *store, home=tmp_path)[1][0] == "32 partitions"
    code, [line], _ = ended("store", "repartition", "--to", "64", *store, home=tmp_path)
    assert code == 0
    assert line.startswith("32 -> 64 partitions; ")
    with stored(data) as client:
        assert layout_of(client).count == 64
        assert contents(client) == before
