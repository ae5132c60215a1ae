"""TLS before a server that speaks none, at a port where it can be reached without as well."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

HANDSHAKE = b"\x16"
"""What a client begins with that speaks TLS."""


@contextmanager
def tls_front(port: int, behind: int, certificate: Path) -> Iterator[list[bool]]:
    """Passes on what comes to a port of this machine as long as the block runs; gives whether each caller spoke TLS.

    Sentinels tell the port that they themselves use: so it has to take both.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    callers: list[bool] = []
    listener = socket.create_server(("127.0.0.1", port))

    def serve(caller: socket.socket) -> None:
        with suppress(OSError), caller:
            is_tls = caller.recv(1, socket.MSG_PEEK) == HANDSHAKE
            callers.append(is_tls)
            plain = context.wrap_socket(caller, server_side=True) if is_tls else caller
            with plain, socket.create_connection(("127.0.0.1", behind)) as server:
                back = threading.Thread(target=_pass_on, args=(server, plain), daemon=True)
                back.start()
                _pass_on(plain, server)
                back.join()

    def accept() -> None:
        with suppress(OSError):
            while True:
                caller, _ = listener.accept()
                threading.Thread(target=serve, args=(caller,), daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield callers
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    """Until one has no more to say or either is gone."""
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    with suppress(OSError):
        other.shutdown(socket.SHUT_RDWR)
