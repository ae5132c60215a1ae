"""Which network addresses a source may lead to.

Cameras live in private networks, so those are allowed, and loopback with them. Refused are the places that hand out a
machine's credentials (link-local and cloud metadata addresses), those that are no single machine, and the system's own
Redis.
"""

import os
import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from shared.errors import SourceFailed

REFUSED: Final = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/3",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "192.0.0.192/32",
        "::/128",
        "fe80::/10",
        "ff00::/8",
        "fd00:ec2::254/128",
        "fd20:ce::254/128",
    )
)
"""This host's nameless address, link-local, multicast and reserved, and the metadata services of Alibaba Cloud, Azure,
Oracle, AWS and Google that lie elsewhere."""
NAT64: Final = ip_network("64:ff9b::/96")
DEFAULT_PORTS: Final = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
OWN_SOCKETS: Final = Path("/proc/self/fd")

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Says where a source may lead; `forbidden` lists further `host:port`, whatever names or aliases they go by."""

    forbidden: tuple[str, ...] = ()

    def allowed_addresses(self, host: str, port: int, timeout_seconds: float) -> list[str]:
        """The numeric addresses of a host; raises SourceFailed where it has none or one that is not allowed."""
        addresses = resolve(host, port, timeout_seconds)
        for address in addresses:
            self.check(address, port)
        return addresses

    def check_url(self, url: str, timeout_seconds: float) -> None:
        """Raises SourceFailed where a URL's host is unknown or may not be reached."""
        parts = urlsplit(url)
        self.allowed_addresses(parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme], timeout_seconds)

    def check(self, address: str, port: int) -> None:
        """Raises SourceFailed where an address and port may not be reached."""
        place = _unwrapped(ip_address(address))
        if any(place in network for network in REFUSED):
            raise SourceFailed(f"the address {place} is refused: link-local, metadata, multicast or reserved")
        if self._is_forbidden(place, port):
            raise SourceFailed(f"the address {place} port {port} is refused: this system's own Redis answers there")

    def check_peers(self, before: frozenset[str]) -> None:
        """Raises SourceFailed where a socket that was not open `before` leads to where none may.

        FFmpeg resolves names anew and follows an RTSP server's redirects by itself; whatever it did, its sockets show.
        """
        for fd, name in _sockets():
            if name not in before and (peer := _peer(fd)):
                self.check(*peer)

    def _is_forbidden(self, place: Address, port: int) -> bool:
        for entry in self.forbidden:
            host, _, entry_port = entry.rpartition(":")
            if entry_port == str(port) and place_of(place) in _places(host, port):
                return True
        return False


def resolve(host: str, port: int, timeout_seconds: float) -> list[str]:
    """A host's numeric addresses, the preferred one first; raises SourceFailed.

    The name service is asked on a thread that is left alone when it does not answer: it may take a minute. An address
    needs neither, which spares a reader two megabytes.
    """
    with suppress(ValueError):
        return [str(ip_address(host))]
    answers: queue.SimpleQueue[list[str] | None] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found)))
        except (OSError, UnicodeError):
            answers.put(None)

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        addresses = answers.get(timeout=max(0.0, timeout_seconds))
    except queue.Empty:
        raise SourceFailed("host not found: the name service does not answer") from None
    if not addresses:
        raise SourceFailed("host not found")
    return addresses


def open_sockets() -> frozenset[str]:
    """Names of this process's sockets, for `check_peers`; nothing where the system does not tell."""
    return frozenset(name for _, name in _sockets())


def place_of(address: Address) -> Address | str:
    """The address, or one name for all those that lead back to this machine."""
    address = _unwrapped(address)
    return "here" if address.is_loopback or _is_own(address) else address


def _places(host: str, port: int) -> set[Address | str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return set()
    return {place_of(ip_address(sockaddr[0])) for *_, sockaddr in found}


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, otherwise the address."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_own(address: Address) -> bool:
    """Whether it is an address of this machine: only those can be bound."""
    family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


def _sockets() -> Iterator[tuple[int, str]]:
    if not OWN_SOCKETS.is_dir():
        return
    for entry in OWN_SOCKETS.iterdir():
        try:
            name = str(entry.readlink())
        except OSError:
            continue
        if name.startswith("socket:"):
            yield int(entry.name), name


def _peer(fd: int) -> tuple[str, int] | None:
    """Address and port that a socket is connected to, if it is one of the internet."""
    try:
        with socket.socket(fileno=os.dup(fd)) as own:
            if own.family not in (socket.AF_INET, socket.AF_INET6):
                return None
            peer: Any = own.getpeername()
    except OSError:
        return None
    return str(peer[0]), int(peer[1])
