"""How a source's server is spoken to: whom the login and the cookies are for, what sloppy answers are understood."""

import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from web_server import Handler, WebServer, behind_digest, web_server

from services.ingest.sources.network.challenges import Authorizer, Login, parsed
from services.ingest.sources.network.http_body import HttpBody, fetch
from services.ingest.sources.network.http_client import NOT_MODIFIED, HttpClient
from shared.errors import SourceFailed
from shared.network.addresses import AddressPolicy

USER, PASSWORD = 'wäch"ter', "p@w:r/d?ü"
LOGIN = "w%C3%A4ch%22ter:p%40w%3Ar%2Fd%3F%C3%BC@"


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


def client(url: str) -> HttpClient:
    return HttpClient(url, AddressPolicy(), 5.0)


def content(url: str) -> bytes:
    asking = client(url)
    body = fetch(asking, asking.url)
    try:
        return body.read_whole(1 << 20, "it")
    finally:
        body.close()
        asking.close()


def greeting(handler: Handler) -> None:
    handler.reply(200, b"hello")


@pytest.mark.parametrize("qop", ['qop="auth,auth-int", ', "qop=auth, ", ""])
@pytest.mark.parametrize("algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256"])
def test_every_kind_of_digest_is_answered(web: WebServer, algorithm: str, qop: str) -> None:
    web.answers["/a?b=c&d"] = behind_digest(greeting, USER.replace('"', ""), PASSWORD, algorithm, qop)
    assert content(web.url("/a?b=c&d", LOGIN.replace("%22", ""))) == b"hello"
    with pytest.raises(SourceFailed, match="authentication refused"):
        content(web.url("/a?b=c&d", "w:wrong@"))


@pytest.mark.parametrize(
    "others",
    [
        ('Basic realm="yard"', 'Digest realm="yard", nonce="abc", qop="auth", algorithm=MD5'),
        ('Digest realm="yard", nonce="abc", qop="auth", algorithm=WHIRLPOOL-9, Basic realm="yard"',),
        ('Digest realm="yard", nonce="abc", qop="auth-conf", algorithm=SHA-512-256', "Negotiate YWJj=="),
    ],
)
def test_of_several_challenges_the_strongest_that_is_known_counts(web: WebServer, others: tuple[str, ...]) -> None:
    web.answers["/cam"] = behind_digest(greeting, "guard", PASSWORD, "SHA-256", others=others)
    assert content(web.url("/cam", "guard:p%40w%3Ar%2Fd%3F%C3%BC@")) == b"hello"
    assert not any(headers.get("Authorization", "").startswith("Basic") for _, headers in web.asked)


def test_one_header_may_hold_several_challenges() -> None:
    digest = 'DIGEST Realm="a, \\"b\\"", nonce=n, qop="auth,auth-int", opaque=""'
    assert parsed(f'Basic realm="x", {digest}, Negotiate') == [
        ("basic", {"realm": "x"}),
        ("digest", {"realm": 'a, "b"', "nonce": "n", "qop": "auth,auth-int", "opaque": ""}),
        ("negotiate", {}),
    ]
    assert parsed("") == []


def test_an_answer_counts_its_requests_and_escapes_what_it_quotes() -> None:
    authorizer = Authorizer(Login(USER, PASSWORD))
    assert authorizer.header("GET", "/") is None
    assert not authorizer.challenged(["Negotiate", 'Digest realm="no nonce"'])
    assert authorizer.challenged(['Digest realm="yard", nonce="n", qop="auth"'])
    for count in ("00000001", "00000002"):
        header = authorizer.header("GET", "/") or ""
        assert f"nc={count}" in header
        assert r'username="wäch\"ter"' in header.encode("latin-1").decode()
        assert "algorithm" not in header
    assert authorizer.challenged(["Basic"])
    assert (authorizer.header("GET", "/") or "").startswith("Basic ")


def test_a_body_of_nothing_is_answered_for_where_a_server_wants_no_less() -> None:
    authorizer = Authorizer(Login("u", "p"))
    assert authorizer.challenged(['Digest realm="r", nonce="n", qop="auth-int"'])
    header = authorizer.header("GET", "/x") or ""
    fields = dict(re.findall(r'(\w+)="?([^",]+)', header))

    def hashed(*parts: str) -> str:
        return hashlib.md5(":".join(parts).encode(), usedforsecurity=False).hexdigest()

    request = hashed("GET", "/x", hashed(""))
    assert fields["qop"] == "auth-int"
    assert fields["response"] == hashed(hashed("u", "r", "p"), "n", fields["nc"], fields["cnonce"], "auth-int", request)


def test_a_cookie_goes_back_to_the_origin_that_set_it(web: WebServer) -> None:
    def greet(handler: Handler) -> None:
        handler.reply(200, (handler.headers.get("Cookie") or "").encode())

    with web_server() as other:
        asking = client(web.url("/login"))
        web.answers["/login"] = lambda handler: handler.reply(
            302, Set_Cookie="session=abc; Path=/; HttpOnly", Location="/cam"
        )
        web.answers["/cam"] = other.answers["/cam"] = greet
        assert fetch(asking, asking.url).read(100) == b"session=abc"
        assert fetch(asking, web.url("/cam")).read(100) == b"session=abc"
        assert fetch(asking, other.url("/cam")).read(100) == b""
        asking.close()


def test_cookies_without_end_are_forgotten(web: WebServer) -> None:
    def bake(handler: Handler) -> None:
        handler.send_response(200)
        for number in range(40):
            handler.send_header("Set-Cookie", f"c{len(web.asked)}-{number}=1")
        handler.end_headers()

    asking = client(web.url("/cam"))
    web.answers["/cam"] = bake
    for _ in range(6):
        fetch(asking, asking.url).close()
    asking.close()
    assert max(headers.get("Cookie", "").count("=") for _, headers in web.asked) == 40


@contextmanager
def speaking(answer: bytes) -> Iterator[str]:
    """A server of one answer, byte by byte as given."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def speak() -> None:
            with server.accept()[0] as caller:
                caller.recv(10_000)
                caller.sendall(answer)

        thread = threading.Thread(target=speak)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        thread.join()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.0 200 OK\r\nContent-Type: x/y\r\n",
        b"HTTP/1.1 200\nContent-Type: x/y\nServer : odd\n",
        b"HTTP/1.1  200  Fine by me\r\nContent Type: x/y\r\nno colon here\r\nX-Folded: a\r\n b\r\n",
        b"ICY 200 OK\r\nicy-name: cam\r\n",
        b"HTTP/1.1 200 \xffOK\r\nContent-Length: 5\r\nContent-Length: 7\r\nX: \x00\x01\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nConnection: keep-alive\r\n",
    ],
)
def test_a_sloppy_head_is_understood(head: bytes) -> None:
    with speaking(head + (b"\r\n" if b"\r" in head else b"\n") + b"hello") as url:
        assert content(url) == b"hello"


def test_what_breaks_off_says_so() -> None:
    with speaking(b"") as url, pytest.raises(SourceFailed, match="the connection broke"):
        content(url)
    with speaking(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello") as url, pytest.raises(SourceFailed) as caught:
        content(url)
    assert str(caught.value) == "the connection broke"
    with speaking(b"SSH-2.0-camera\r\n") as url, pytest.raises(SourceFailed, match="does not speak HTTP"):
        content(url)
    with speaking(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 10_000) as url, pytest.raises(SourceFailed, match="HTTP"):
        content(url)


def test_nothing_new_is_an_answer_where_it_is_accepted(web: WebServer) -> None:
    web.answers["/still"] = lambda handler: handler.reply(304)
    asking = client(web.url("/still"))
    assert HttpBody(asking, asking.get(asking.url, None, {"If-None-Match": '"a"'}, {NOT_MODIFIED})).status == 304
    with pytest.raises(SourceFailed, match="HTTP status 304"):
        asking.get(asking.url)
    asking.close()


def test_a_refusal_without_end_is_not_read(web: WebServer) -> None:
    over = threading.Event()

    def refuse(handler: Handler) -> None:
        if handler.headers.get("Authorization"):
            greeting(handler)
            return
        handler.send_response(401)
        handler.send_header("WWW-Authenticate", "Basic")
        handler.end_headers()
        while not over.wait(0.01):
            handler.wfile.write(b"no" * 1000)

    web.answers["/cam"] = refuse
    try:
        assert content(web.url("/cam", "a:b@")) == b"hello"
    finally:
        over.set()


def test_no_byte_is_lost_where_a_server_gives_no_parts(web: WebServer) -> None:
    """It is asked for one while some was read already, and then sends the whole again."""
    whole, may_go_on = bytes(range(256)) * 4, threading.Event()

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(whole)))
        handler.end_headers()
        handler.wfile.write(whole[:300])
        if "Range" not in handler.headers:
            may_go_on.wait(30)  # so that only this much is read
        handler.wfile.write(whole[300:])

    web.answers["/film"] = answer
    asking = client(web.url("/film"))
    body = fetch(asking, asking.url)
    assert body.peek(100) == whole[:100]
    assert not body.seekable()
    assert body.read_whole(1 << 20, "it") == whole
    may_go_on.set()
    body.close()
    asking.close()
