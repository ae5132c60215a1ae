"""An HTTP server of a test's own that answers from a table, and notes what it was asked."""

import hashlib
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers with what the server's table has for the path."""

    server: "WebServer"

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        answer = self.server.answers.get(self.path)
        if answer:
            answer(self)
        else:
            self.reply(404)

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


class WebServer(ThreadingHTTPServer):
    """`answers` maps a path to what writes its answer; `asked` are the paths and headers that came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.scheme = "http"

    def url(self, path: str, login: str = "") -> str:
        return f"{self.scheme}://{login}127.0.0.1:{self.server_port}{path}"

    def give(self, path: str, body: bytes, **headers: str) -> None:
        """Answers the path with these bytes."""
        self.answers[path] = lambda handler: handler.reply(200, body, **headers)

    def give_parts(self, path: str, body: bytes) -> None:
        """Answers the path with these bytes, or with the part that is asked for."""

        def answer(handler: Handler) -> None:
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range", ""))
            if not asked:
                handler.reply(200, body, Accept_Ranges="bytes")
                return
            start, end = int(asked[1]), min(int(asked[2] or len(body)), len(body) - 1)
            handler.reply(206, body[start : end + 1], Content_Range=f"bytes {start}-{end}/{len(body)}")

        self.answers[path] = answer

    def speak_tls(self, certificate: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.scheme = "https"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes is no error."""


@contextmanager
def web_server() -> Iterator[WebServer]:
    """Serves as long as the block runs."""
    with WebServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


DIGESTS: dict[str, Callable[[bytes], Any]] = {
    "MD5": hashlib.md5,
    "SHA-256": hashlib.sha256,
    "SHA-512-256": lambda data: hashlib.new("sha512_256", data),
}


def behind_digest(
    answer: Answer,
    user: str,
    password: str,
    algorithm: str = "MD5",
    qop: str = 'qop="auth,auth-int", ',
    others: Sequence[str] = (),
) -> Answer:
    """Lets only this user see the answer (RFC 7616, qop auth; RFC 2069 without); offers `others` before."""
    digest = DIGESTS[algorithm.removesuffix("-sess")]

    def hashed(*parts: str) -> str:
        return str(digest(":".join(parts).encode()).hexdigest())

    def guarded(handler: Handler) -> None:
        said = _fields(handler.headers.get("Authorization", ""))
        secret = hashed(user, "yard", password)
        if algorithm.endswith("-sess"):
            secret = hashed(secret, said.get("nonce", ""), said.get("cnonce", ""))
        parts = [said.get(name, "") for name in (("nonce", "nc", "cnonce", "qop") if qop else ("nonce",))]
        if said.get("response") == hashed(secret, *parts, hashed("GET", handler.path)):
            answer(handler)
            return
        handler.send_response(401)
        for challenge in (*others, f'Digest realm="yard", nonce="abc", {qop}algorithm={algorithm}'):
            handler.send_header("WWW-Authenticate", challenge)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return guarded


def _fields(header: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in header.partition(" ")[2].split(", "))
    return {name: value.strip('"') for name, _, value in pairs}
