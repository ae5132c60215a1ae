"""RTP over UDP: a pair of our own ports, which take packets from the camera only."""

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from typing import Final

from shared.errors import SourceFailed

BUFFER_BYTES: Final = 1 << 20
MAX_DATAGRAM: Final = 65_536
MAX_AT_ONCE: Final = 256
NUM_TRIES: Final = 50
REPORT: Final = struct.Struct("!BBHI")
RECEIVER_REPORT: Final = 201


class PortPair:
    """An even port for RTP and the next for RTCP, at the address that the camera knows us by."""

    def __init__(self, own_address: str, camera: str) -> None:
        self._family = socket.AF_INET6 if ":" in own_address else socket.AF_INET
        self._senders = {_plain(camera)}
        self._camera = camera
        self._server_ports = (0, 0)
        self._sockets = self._bound(own_address)

    @property
    def numbers(self) -> tuple[int, int]:
        """The two ports, for the camera."""
        rtp, rtcp = self._sockets
        return rtp.getsockname()[1], rtcp.getsockname()[1]

    def filenos(self) -> list[int]:
        """What to wait on."""
        return [link.fileno() for link in self._sockets]

    def also_from(self, sender: str) -> None:
        """Takes packets from another address of the camera's too, which the policy allows."""
        self._senders.add(_plain(sender))
        self._camera = sender

    def towards(self, server_ports: tuple[int, int]) -> None:
        """Says where the camera's ports are, and opens the way to ours through firewalls between."""
        self._server_ports = server_ports
        self._say(self._sockets[0], server_ports[0])
        self.report()

    def report(self) -> None:
        """Tells the camera that somebody listens still."""
        self._say(self._sockets[1], self._server_ports[1])

    def _say(self, link: socket.socket, port: int) -> None:
        """Sends a receiver report that reports nothing (RFC 3550, 6.4.2)."""
        if port:
            with suppress(OSError):  # the camera's host says that nobody is there: its packets will show it
                link.sendto(REPORT.pack(0x80, RECEIVER_REPORT, 1, 0), (self._camera, port))

    def receive(self) -> Iterator[bytes]:
        """What has come, RTP and RTCP."""
        for link in self._sockets:
            for _ in range(MAX_AT_ONCE):
                try:
                    data, sender = link.recvfrom(MAX_DATAGRAM)
                except BlockingIOError:
                    break
                except OSError:
                    continue  # an earlier report was refused
                if _plain(sender[0]) in self._senders:
                    yield data

    def close(self) -> None:
        """Gives the ports back."""
        for link in self._sockets:
            link.close()

    def _bound(self, own_address: str) -> tuple[socket.socket, socket.socket]:
        for _ in range(NUM_TRIES):
            rtp = self._socket()
            rtcp = self._socket()
            try:
                rtp.bind((own_address, 0))
                port = rtp.getsockname()[1]
                if port % 2 == 0:
                    rtcp.bind((own_address, port + 1))
                    return rtp, rtcp
            except OSError:
                pass
            rtp.close()
            rtcp.close()
        raise SourceFailed("no two neighbouring UDP ports are free here")

    def _socket(self) -> socket.socket:
        link = socket.socket(self._family, socket.SOCK_DGRAM)
        link.setblocking(False)  # noqa: FBT003
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        return link


def _plain(address: str) -> str:
    """An address without scope, an IPv4 one that travels as IPv6 as itself."""
    place = ip_address(address.partition("%")[0])
    return str(getattr(place, "ipv4_mapped", None) or place)
