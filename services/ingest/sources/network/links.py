"""The network below HTTP: only addresses that the policy allows, and no wait longer than patience lasts."""

import math
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import httpcore
import httpx

from services.ingest.sources.failures import BROKE, http_failed
from services.ingest.sources.network.heads import is_whole, mended
from shared.errors import RequestFailed, SourceFailed
from shared.network.addresses import AddressPolicy

LEAST_SECONDS: Final = 0.05
NUM_STALLS: Final = 6
"""So many times as long as a source may be silent its opening may take where it sends little at a time."""


def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT@SECLEVEL=1")  # old cameras' short keys
    return context


TLS: Final = _tls()
"""Made once for all readers that are forked from here: each of its own would cost megabytes."""


def unheard() -> None:
    """Where nobody listens."""


class HttpPatience:
    """How long a server may be silent: until the source is open, what is left for that; later `stall_seconds` anew.

    What comes before an answer's body has that long in all: looking up, connecting, every byte of the head. `heard` is
    called whenever something comes while the source `may_trickle`.
    """

    def __init__(self, stall_seconds: float, heard: Callable[[], object] = unheard) -> None:
        self.stall_seconds = stall_seconds
        self._heard = heard
        self._trickles_until: float | None = None
        self._open_until: float | None = time.monotonic() + stall_seconds
        self._answer_until: float | None = None

    @property
    def seconds(self) -> float:
        """How long may pass now without a word."""
        limits = [limit for limit in (self._open_until, self._answer_until) if limit is not None]
        return max(LEAST_SECONDS, min(min(limits, default=math.inf) - time.monotonic(), self.stall_seconds))

    def may_trickle(self) -> float:
        """What comes may be little: until the source is open, much more time may pass.

        Returns how long at most, in seconds: whoever waits for longer will have been told before why it was too long.
        """
        self._open_until = None
        self._trickles_until = time.monotonic() + NUM_STALLS * self.stall_seconds
        return (NUM_STALLS + 1) * self.stall_seconds

    def came(self) -> None:
        """Something came; raises SourceFailed where a source that trickles should have been open before."""
        if self._trickles_until is None:
            return
        if time.monotonic() >= self._trickles_until:
            raise SourceFailed(f"no picture yet, though data came for {NUM_STALLS * self.stall_seconds:g} s")
        self._heard()

    def opened(self) -> None:
        """The source is open: from now on each wait counts by itself."""
        self._open_until = self._trickles_until = None

    def asking(self) -> None:
        """A request begins."""
        self._answer_until = time.monotonic() + self.seconds

    def answered(self) -> None:
        """The head of its answer is here."""
        self._answer_until = None


class CheckedTransport(httpx.HTTPTransport):
    """httpx's transport over a network that goes where the policy allows, one connection for each request.

    Certificates are not verified, as with FFmpeg and every recorder: cameras sign their own. So TLS keeps listeners
    out, but not a stranger who answers in the camera's place.
    """

    def __init__(self, policy: AddressPolicy, patience: HttpPatience) -> None:
        super().__init__(verify=TLS, trust_env=False)
        self._pool = httpcore.ConnectionPool(
            TLS, max_connections=None, max_keepalive_connections=0, network_backend=CheckedNetwork(policy, patience)
        )


class CheckedNetwork(httpcore.NetworkBackend):
    """Looks a name up, checks every address that it has, and connects to one of those, not to the name."""

    def __init__(self, policy: AddressPolicy, patience: HttpPatience) -> None:
        self._policy = policy
        self._patience = patience

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 (patience says it)
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> "Link":
        """A connection; raises SourceFailed with the reason."""
        refusal: OSError = ConnectionRefusedError()
        for address in self._policy.allowed_addresses(host, port, self._patience.seconds):
            try:
                connection = _connected(address, port, self._patience.seconds)
            except OSError as err:
                refusal = err
                continue
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                peer = connection.getpeername()[:2]
                self._policy.check(*peer)
            except (OSError, SourceFailed):
                connection.close()
                raise
            return Link(connection, self._patience, peer)
        raise http_failed(refusal, self._patience.stall_seconds, connected=False) from refusal


class Link(httpcore.NetworkStream):
    """One connection, for one request; raises SourceFailed with the reason."""

    def __init__(self, connection: socket.socket, patience: HttpPatience, peer: tuple[str, int]) -> None:
        self._peer = peer
        self._connection = connection
        self._patience = patience
        self._has_answered = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 (patience says it)
        """What comes next, the head of the answer in one piece."""
        if self._has_answered:
            return self._receive(max_bytes)
        head = b""
        while not is_whole(head) and (data := self._receive(max_bytes)):
            head += data
        if not head:
            raise RequestFailed(BROKE)
        self._has_answered = True
        return mended(head)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Sends all of it."""
        try:
            self._connection.settimeout(self._patience.seconds)
            self._connection.sendall(buffer)
        except OSError as err:
            raise http_failed(err, self._patience.stall_seconds, connected=True) from err

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> "Link":
        """The same, encrypted."""
        try:
            self._connection.settimeout(self._patience.seconds)
            encrypted = ssl_context.wrap_socket(self._connection, server_hostname=server_hostname)
        except (OSError, ValueError) as err:
            self.close()
            raise http_failed(err, self._patience.stall_seconds, connected=True) from err
        return Link(encrypted, self._patience, self._peer)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 (as httpcore has it)
        """The address and port that answers here is its `server_addr`."""
        return self._peer if info == "server_addr" else None

    def close(self) -> None:
        """Ends it."""
        self._connection.close()

    def _receive(self, max_bytes: int) -> bytes:
        try:
            self._connection.settimeout(self._patience.seconds)
            data = self._connection.recv(max_bytes)
        except OSError as err:
            raise http_failed(err, self._patience.stall_seconds, connected=True) from err
        self._patience.came()
        return data


def _connected(address: str, port: int, seconds: float) -> socket.socket:
    """A connection to a numeric address, which `socket.create_connection` would look up once more."""
    connection = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect((address, port))
    except OSError:
        connection.close()
        raise
    return connection
