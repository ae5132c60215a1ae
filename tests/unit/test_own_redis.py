"""Who asks where Redis answers, how often, and who waits for it."""

import itertools
import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from services.ingest.own_redis import REFRESH_SECONDS, OwnRedis
from shared.store.client import connect

NAMED = ("sentinel.example:26379",)
PATIENCE_SECONDS = 30.0


class Sentinel:
    """Takes connections, and answers or hangs up when the test says so."""

    def __init__(self, server: socket.socket) -> None:
        self.port = server.getsockname()[1]
        self.callers: queue.SimpleQueue[socket.socket] = queue.SimpleQueue()
        self._server = server

    def take(self) -> None:
        """Hands callers over until the server is closed."""
        while True:
            try:
                caller = self._server.accept()[0]
            except OSError:
                return
            self.callers.put(caller)


@contextmanager
def sentinel() -> Iterator[Sentinel]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        waiting = Sentinel(server)
        taker = threading.Thread(target=waiting.take)
        taker.start()
        try:
            yield waiting
        finally:
            server.shutdown(socket.SHUT_RDWR)
            taker.join()
            while not waiting.callers.empty():
                waiting.callers.get().close()


@pytest.fixture
def silent() -> Iterator[Sentinel]:
    with sentinel() as running:
        yield running


def asking(own: OwnRedis, told: list[tuple[str, ...]]) -> threading.Thread:
    thread = threading.Thread(target=lambda: told.append(own.addresses()))
    thread.start()
    return thread


def test_a_sentinel_that_says_nothing_holds_up_nobody_but_who_asks(silent: Sentinel) -> None:
    hours = itertools.count(0, 3600)
    told: list[tuple[str, ...]] = []
    with closing(connect(f"redis+sentinel://127.0.0.1:{silent.port}/main", PATIENCE_SECONDS, retries=0)) as client:
        own = OwnRedis(client, NAMED, lambda: next(hours))
        first = asking(own, told)
        silent.callers.get(timeout=PATIENCE_SECONDS).close()
        first.join(PATIENCE_SECONDS)
        second = asking(own, told)
        caller = silent.callers.get(timeout=PATIENCE_SECONDS)
        assert own.addresses() == NAMED
        assert second.is_alive()
        caller.close()
        second.join(PATIENCE_SECONDS)
        assert told == [NAMED, NAMED]


def test_it_asks_again_after_a_while_and_not_before(silent: Sentinel) -> None:
    now = [0.0]
    num_asked = 0
    with closing(connect(f"redis+sentinel://127.0.0.1:{silent.port}/main", PATIENCE_SECONDS, retries=0)) as client:
        own = OwnRedis(client, NAMED, lambda: now[0])
        for seconds in (0.0, 1.0, REFRESH_SECONDS - 1, REFRESH_SECONDS, REFRESH_SECONDS + 1):
            now[0] = seconds
            told: list[tuple[str, ...]] = []
            asker = asking(own, told)
            while asker.is_alive():
                try:
                    silent.callers.get(timeout=0.05).close()
                    num_asked += 1
                except queue.Empty:
                    continue
            assert told == [NAMED]
    assert num_asked == 2


def test_a_single_server_leads_nowhere_else() -> None:
    with closing(connect("redis://127.0.0.1:1/0")) as client:
        assert OwnRedis(client, ("127.0.0.1:1",)).addresses() == ("127.0.0.1:1",)
