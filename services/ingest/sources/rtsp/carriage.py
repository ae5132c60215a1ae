"""How the tracks' packets travel: between the answers of the RTSP connection, or by UDP ports of their own."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from services.ingest.sources.rtsp.messages import parameter
from services.ingest.sources.rtsp.ports import PortPair
from shared.errors import SourceFailed
from shared.network.addresses import AddressPolicy

REPORT_SECONDS: Final = 5.0

_PAIR: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)


@dataclass(slots=True)
class Carriage:
    """What was agreed on with the camera, track by track; packets of channels that nobody asked for are nobody's."""

    policy: AddressPolicy
    camera: str
    """its numeric address"""
    own_address: str
    by_udp: bool
    report_at: float = float("inf")
    """when the camera must hear by UDP that somebody listens, by the monotonic clock"""
    _channels: dict[int, int] = field(default_factory=dict)
    _ports: dict[int, PortPair] = field(default_factory=dict)

    def wanted(self, track: int, profile: str) -> str:
        """The Transport header that asks for a track."""
        if not self.by_udp:
            return f"{profile}/TCP;unicast;interleaved={2 * track}-{2 * track + 1}"
        if track in self._ports:
            self._ports.pop(track).close()  # those of a track that the camera did not give
        ports = self._ports[track] = PortPair(self.own_address, self.camera)
        return f"{profile}/UDP;unicast;client_port={ports.numbers[0]}-{ports.numbers[1]}"

    def granted(self, track: int, header: str) -> None:
        """Takes the Transport header of the answer; raises SourceFailed where it is not what was asked for."""
        chosen = header.partition(",")[0]
        is_tcp = "/TCP" in chosen.upper() or "interleaved" in chosen.lower()
        if (chosen and is_tcp == self.by_udp) or "multicast" in chosen.lower():
            raise SourceFailed("the camera wants another rtsp_transport: try another (tcp, udp, http, https)")
        if not self.by_udp:
            first, second = _pair(parameter(chosen, "interleaved")) or (2 * track, 2 * track + 1)
            self._channels |= {first: track, second: track}
            return
        first, second = _pair(parameter(chosen, "server_port")) or (0, 0)
        source = parameter(chosen, "source") or ""
        if _is_address(source) and source != self.camera:
            self.policy.check(source, first)
            self._ports[track].also_from(source)
        self._ports[track].towards((first, second))
        self.report_at = time.monotonic() + REPORT_SECONDS

    def track_of(self, channel: int) -> int | None:
        """The track whose packets a channel of the RTSP connection brings."""
        return self._channels.get(channel)

    def filenos(self) -> list[int]:
        """What else than the RTSP connection to wait on."""
        return [number for ports in self._ports.values() for number in ports.filenos()]

    def receive(self) -> Iterator[tuple[int, bytes]]:
        """Tracks and packets that have come by UDP."""
        for track, ports in self._ports.items():
            for data in ports.receive():
                yield track, data

    def report(self, now: float) -> None:
        """Sends what `report_at` says."""
        self.report_at = now + REPORT_SECONDS
        for ports in self._ports.values():
            ports.report()

    def close(self) -> None:
        """Gives the ports back."""
        for ports in self._ports.values():
            ports.close()


def _pair(text: str | None) -> tuple[int, int] | None:
    found = _PAIR.fullmatch(text or "")
    if not found or max(first := int(found[1]), second := int(found[2] or first + 1)) > 65_535:
        return None
    return first, second


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
