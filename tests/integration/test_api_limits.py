"""What no client can do to the others: hold a connection without using it, fill the house, keep the api busy."""

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import redis
from api_server import BASE_MS, NUM_LABELS, RunningApi, add_scores, running_api
from patience import eventually
from websockets.sync.client import connect

from services.api import connections, server
from services.api.protocol import middleware

CUT = "afterimage_api_connections_cut_total"


@pytest.fixture(scope="module")
def api(redis_url: str) -> Iterator[RunningApi]:
    with running_api(redis_url) as running:
        yield running


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes ten seconds takes a fraction of one."""
    for name in ("HEAD_SECONDS", "BODY_SECONDS", "SEND_SECONDS", "LAST_WORDS_SECONDS"):
        monkeypatch.setattr(connections, name, 0.3)
    monkeypatch.setattr(middleware, "BODY_SECONDS", 0.1)


def caller(api: RunningApi, sent: bytes = b"", source: str = "127.0.0.1") -> socket.socket:
    port = httpx.URL(api.url).port
    assert port
    made = socket.create_connection(("127.0.0.1", port), timeout=60, source_address=(source, 0))
    made.sendall(sent)
    return made


def heard(made: socket.socket) -> tuple[int, str]:
    """The status of the answer and its code, once the other side has closed the connection."""
    with made, made.makefile("rb") as lines:
        head, _, body = lines.read().partition(b"\r\n\r\n")
    return (int(head.split()[1]), json.loads(body)["errors"][0]["code"]) if head else (0, "")


def cut(api: RunningApi, reason: str) -> float:
    value = api.context.metrics.registry.get_sample_value(CUT, {"reason": reason})
    assert value is not None
    return value


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", (408, "request_timeout")),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", (408, "request_timeout")),
        (b"POST /v1/streams HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{", (408, "request_timeout")),
        (b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{", (404, "not_found")),
    ],
    ids=["nothing", "half a head", "half a body", "a body that nobody waits for"],
)
def test_a_request_that_does_not_arrive_loses_its_connection(
    api: RunningApi, sent: bytes, answer: tuple[int, str]
) -> None:
    assert heard(caller(api, sent)) == answer
    eventually(lambda: api.context.metrics.registry.get_sample_value("afterimage_api_connections") == 0, "it is gone")


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("path", ["/v1/events/live", "/v1/live"])
def test_a_socket_that_is_silent_stays(api: RunningApi, path: str) -> None:
    with connect(f"{api.url.replace('http', 'ws', 1)}{path}", proxy=None) as made:
        assert heard(caller(api)) == (408, "request_timeout")  # it came later, and had no longer to wait
        body = b"POST /v1/streams HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
        assert heard(caller(api, body)) == (408, "request_timeout")
        assert made.ping().wait(timeout=60)


@pytest.mark.usefixtures("hasty")
def test_so_does_the_next_request_of_a_connection(api: RunningApi) -> None:
    before = cut(api, "late")
    with caller(api, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") as made:
        assert b"200 OK" in made.recv(4096)
        made.sendall(b"GET /he")
        assert heard(made) == (408, "request_timeout")
    assert cut(api, "late") == before + 1


def test_a_full_house_says_so_and_keeps_places_for_other_addresses(redis_url: str) -> None:
    with running_api(redis_url, api_connections=16, api_connections_per_client=10) as api:
        mine = [caller(api) for _ in range(10)]
        assert heard(caller(api)) == (503, "too_many_connections")
        others = [caller(api, source="127.0.0.2") for _ in range(6)]
        assert heard(caller(api, source="127.0.0.3")) == (503, "too_many_connections")
        assert cut(api, "full") == 2
        for made in (*mine, *others):
            made.close()
        eventually(lambda: api.http.get("/healthz").status_code == 200, "a place")


@pytest.mark.usefixtures("hasty")
def test_an_answer_that_is_not_taken_is_given_up(api: RunningApi, redis_client: redis.Redis) -> None:
    api.add("one")
    add_scores(redis_client, "one", 10_000)
    before = cut(api, "slow")
    request = b"GET /v1/streams/one/scores?limit=10000 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.socket() as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.connect(("127.0.0.1", httpx.URL(api.url).port))
        made.sendall(request)
        eventually(lambda: cut(api, "slow") == before + 1, "the connection cut")
    with api.http.stream("GET", "/v1/streams/one/scores?limit=10000") as reply:
        assert "Content-Length" not in reply.headers
        page = json.loads(reply.read())
    assert (len(page["items"]), page["next_since_ms"]) == (10_000, BASE_MS + 10_000)
    assert page["items"][9_999] == {"at_ms": BASE_MS + 9_999, "scores": {f"label{n}": 0.5 for n in range(NUM_LABELS)}}
    assert api.http.get("/v1/streams/one/scores?until_ms=0").json() == {"items": [], "next_since_ms": None}


def test_health_is_told_while_everything_else_waits_for_redis() -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
    with silent, running_api(url) as api, ThreadPoolExecutor(60) as callers:
        arrived = threading.Semaphore(0)
        waiting = [callers.submit(ask, api, arrived) for _ in range(60)]
        for _ in waiting:
            arrived.acquire()
        assert api.http.get("/healthz").status_code == 200
        assert not any(each.done() for each in waiting)
        silent.close()
        assert {each.result() for each in waiting} == {503}


def ask(api: RunningApi, arrived: threading.Semaphore) -> int:
    request = b"GET /v1/streams HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    made = caller(api, request)
    arrived.release()
    return heard(made)[0]


def test_connections_inherit_what_tells_the_dead() -> None:
    with server.listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            for level, name, value in server.INHERITED:
                had = accepted.getsockopt(level, getattr(socket, name))
                assert had == (2 * value if name == "SO_SNDBUF" else value), name  # Linux counts its own needs, too
