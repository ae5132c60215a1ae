"""The bytes to a camera and back: over TCP, TLS, or two HTTP connections that pass for a web page (Apple's tunnel).

Only numeric addresses that the policy allows are connected to. Certificates are not verified: cameras sign their own.
"""

import secrets
import select
import socket
import ssl
import time
from base64 import b64encode
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit, urlunsplit

from services.ingest.sources.failures import AUTHENTICATION_REFUSED, rtsp_refused
from services.ingest.sources.network.challenges import Authorizer, Login
from services.ingest.sources.rtsp.messages import USER_AGENT, Inbox, Reply, encoded
from shared.errors import SourceFailed
from shared.network.addresses import DEFAULT_PORTS, AddressPolicy
from shared.streams import RtspTransport

LEAST_SECONDS: Final = 0.05
CHUNK_BYTES: Final = 64 << 10
TUNNEL_BYTES: Final = 32_767
"""What the tunnel's second connection says that it will send; everybody says so, and sends on."""
NOT_A_CAMERA: Final = "redirected to an address that is neither rtsp:// nor rtsps://: refused"
NO_ANSWER: Final = "timed out: the camera does not answer"

Endpoint = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Destination:
    """A camera's URL without its login, the login that may go there, and how its media travels."""

    url: str
    login: Login | None
    transport: RtspTransport
    is_elsewhere: bool = False
    """whether a redirect led to another place than the source's, where its login does not go"""

    @classmethod
    def of(cls, location: str, transport: RtspTransport) -> "Destination":
        """What a source's URL says."""
        parts = urlsplit(location)
        user_info, _, address = parts.netloc.rpartition("@")
        return cls(urlunsplit(parts._replace(netloc=address, fragment="")), Login.of(user_info), transport)

    @property
    def tunnel(self) -> str | None:
        """http or https, where RTSP travels inside; never less encrypted than the URL asks for."""
        if self.transport not in ("http", "https"):
            return None
        return "https" if self.url.startswith("rtsps:") else self.transport

    @property
    def endpoint(self) -> Endpoint:
        """Scheme, host and port that are connected to; raises SourceFailed where the URL has none."""
        try:
            parts = urlsplit(self.url)
            scheme = self.tunnel or parts.scheme
            if parts.hostname and parts.scheme in ("rtsp", "rtsps"):
                return scheme, parts.hostname.lower(), parts.port or DEFAULT_PORTS[scheme]
        except ValueError:
            pass
        raise SourceFailed(NOT_A_CAMERA)

    def redirected(self, location: str, peer: str) -> "Destination":
        """Where a camera sends us, maybe to another path of its own.

        The login goes along to the same scheme, host and port only; then it is gone.
        `peer` is the numeric address that we are connected to: the same host, if a camera calls itself by that.
        """
        try:
            is_relative = location and not urlsplit(location).scheme
            other = Destination.of(urljoin(self.url, location) if is_relative else location, self.transport)
        except ValueError:
            raise SourceFailed(NOT_A_CAMERA) from None
        scheme, host, port = self.endpoint
        is_elsewhere = self.is_elsewhere or other.endpoint not in ((scheme, host, port), (scheme, peer, port))
        return Destination(other.url, None if is_elsewhere else self.login, self.transport, is_elsewhere)


class Wire:
    """A connection, plain or encrypted."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._link.setblocking(False)  # noqa: FBT003

    @property
    def peer(self) -> str:
        """The camera's numeric address."""
        return str(self._link.getpeername()[0])

    @property
    def own_address(self) -> str:
        """Ours, as the camera sees it."""
        return str(self._link.getsockname()[0])

    def fileno(self) -> int:
        """What to wait on until `receive` gives something."""
        return self._link.fileno()

    def has_more(self) -> bool:
        """Whether something is here that waiting would not show."""
        return isinstance(self._link, ssl.SSLSocket) and self._link.pending() > 0

    def receive(self) -> bytes | None:
        """What has come: nothing (None), or the end (no bytes). Raises OSError."""
        try:
            return self._link.recv(CHUNK_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None

    def send(self, message: bytes, seconds: float) -> None:
        """Sends all of it within the time; raises OSError."""
        send_all(self._link, message, seconds)

    def close(self) -> None:
        """Ends it at once."""
        self._link.close()


class TunnelWire(Wire):
    """Two HTTP connections: the camera speaks in the answer to a GET, and listens, in base64, to a POST."""

    def __init__(self, link: socket.socket, speaking: socket.socket) -> None:
        super().__init__(link)
        self._speaking = speaking
        self._speaking.setblocking(False)  # noqa: FBT003

    def send(self, message: bytes, seconds: float) -> None:
        """Sends all of it within the time; raises OSError."""
        send_all(self._speaking, b64encode(message), seconds)

    def close(self) -> None:
        """Ends it at once."""
        self._speaking.close()
        super().close()


def open_wire(destination: Destination, policy: AddressPolicy, deadline: float) -> tuple[Wire, Inbox]:
    """A connection to a camera, and what has been received by it; raises SourceFailed or OSError."""
    if destination.tunnel:
        return _open_tunnel(destination, policy, deadline)
    return Wire(_dial(destination.endpoint, policy, deadline)), Inbox()


def send_all(link: socket.socket, message: bytes, seconds: float) -> None:
    """Sends through a socket that does not block; raises TimeoutError where it takes too long."""
    deadline = time.monotonic() + seconds
    rest = memoryview(message)
    while rest:
        try:
            rest = rest[link.send(rest) :]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError) as err:
            poll = select.poll()
            poll.register(link, select.POLLIN if isinstance(err, ssl.SSLWantReadError) else select.POLLOUT)
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise TimeoutError from None


def _dial(endpoint: Endpoint, policy: AddressPolicy, deadline: float) -> socket.socket:
    scheme, host, port = endpoint
    refusal: OSError = ConnectionRefusedError()
    addresses = policy.allowed_addresses(host, port, deadline - time.monotonic())
    for num_left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        try:
            link = socket.create_connection((address, port), _left(deadline) / num_left)
        except OSError as err:
            refusal = err
            continue
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _encrypted(link, host, deadline) if scheme in ("rtsps", "https") else link
    raise refusal


def _encrypted(link: socket.socket, host: str, deadline: float) -> ssl.SSLSocket:
    try:
        link.settimeout(_left(deadline))
        return _tls().wrap_socket(link, server_hostname=host)
    except TimeoutError:
        link.close()
        raise
    except (OSError, ValueError) as err:
        link.close()
        raise ssl.SSLError(str(err)) from err


def _tls() -> ssl.SSLContext:
    """As old as FFmpeg bears it: cameras stay on the wall for ten years."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    return context


def _open_tunnel(destination: Destination, policy: AddressPolicy, deadline: float) -> tuple[Wire, Inbox]:
    authorizer = Authorizer(destination.login) if destination.login else None
    cookie = secrets.token_hex(11)
    scheme, _, port = destination.endpoint
    for is_first in (True, False):
        link = _dial(destination.endpoint, policy, deadline)
        try:
            inbox = Inbox(is_tunnel=True)
            accept = "Accept: application/x-rtsp-tunnelled"
            reply = _greeted(link, _web_head("GET", destination, cookie, authorizer, accept), inbox, deadline)
            if reply.status == 200:
                speaking = _dial((scheme, str(link.getpeername()[0]), port), policy, deadline)
                more = f"Content-Type: application/x-rtsp-tunnelled\r\nContent-Length: {TUNNEL_BYTES}"
                send_all(speaking, _web_head("POST", destination, cookie, authorizer, more), _left(deadline))
                return TunnelWire(link, speaking), inbox
            if reply.status != 401 or not authorizer or not is_first:
                raise rtsp_refused(reply.status)
            if not authorizer.challenged(reply.all("www-authenticate")):
                raise SourceFailed(f"{AUTHENTICATION_REFUSED}, or it wants another way than basic and digest")
        except BaseException:
            link.close()
            raise
        link.close()
    raise SourceFailed(AUTHENTICATION_REFUSED)


def _web_head(method: str, destination: Destination, cookie: str, authorizer: Authorizer | None, more: str) -> bytes:
    parts = urlsplit(destination.url)
    target = encoded(urlunsplit(("", "", parts.path or "/", parts.query, "")))
    lines = [f"{method} {target} HTTP/1.0", f"Host: {parts.netloc}", f"User-Agent: {USER_AGENT}"]
    lines += [f"x-sessioncookie: {cookie}", "Pragma: no-cache", "Cache-Control: no-cache", more]
    if authorizer and (said := authorizer.header(method, target)):
        lines.append(f"Authorization: {said}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _greeted(link: socket.socket, greeting: bytes, inbox: Inbox, deadline: float) -> Reply:
    link.settimeout(_left(deadline))
    link.sendall(greeting)
    while not (reply := inbox.take()):
        link.settimeout(_left(deadline))
        received = link.recv(CHUNK_BYTES)
        if not received:
            raise ConnectionResetError
        inbox.add(received)
    if not isinstance(reply, Reply):
        raise SourceFailed("what answers at this address is no RTSP tunnel")
    return reply


def _left(deadline: float) -> float:
    return max(LEAST_SECONDS, deadline - time.monotonic())
