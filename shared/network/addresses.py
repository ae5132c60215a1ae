"""Which network addresses a source, or a receiver of events, may lead to.

Cameras live in private networks, so those are allowed, and loopback with them. Refused are the places that hand out a
machine's credentials (link-local and cloud metadata addresses), those that are no single machine, and the system's own
Redis.
"""

import queue
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

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
DEFAULT_PORTS: Final = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "mqtt": 1883, "mqtts": 8883}

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Says where one may lead; `forbidden` lists further `host:port`, whatever names or aliases they go by.

    Where `private` is refused, addresses of private networks and this machine's own are.
    """

    forbidden: tuple[str, ...] = ()
    private: bool = True

    def allowed_addresses(self, host: str, port: int, timeout_seconds: float) -> list[str]:
        """The numeric addresses of a host; raises SourceFailed where it has none or one that is not allowed."""
        addresses = resolve(host, port, timeout_seconds)
        for address in addresses:
            self.check(address, port)
        return addresses

    def check(self, address: str, port: int) -> None:
        """Raises SourceFailed where an address and port may not be reached."""
        place = _unwrapped(ip_address(address))
        if any(place in network for network in REFUSED):
            raise SourceFailed(f"the address {place} is refused: link-local, metadata, multicast or reserved")
        if not self.private and (not place.is_global or place_of(place) == "here"):
            raise SourceFailed(
                f"the address {place} is refused: it is private; AFTERIMAGE_DELIVER_PRIVATE allows those"
            )
        if self._is_forbidden(place, port):
            raise SourceFailed(f"the address {place} port {port} is refused: this system's own Redis answers there")

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
