"""How packets travel: what is agreed on, whose packets are taken, and how a second session joins the first."""

import socket
import struct

import pytest

from services.ingest.sources.network.challenges import Login
from services.ingest.sources.rtsp.carriage import Carriage
from services.ingest.sources.rtsp.splice import Splice, is_rtp
from services.ingest.sources.rtsp.wires import Destination
from shared.errors import SourceFailed
from shared.network.addresses import AddressPolicy

HERE = "127.0.0.1"
REPORT = struct.pack("!BBHI", 0x80, 200, 6, 7) + bytes(20)


def packet(number: int, ticks: int, sender: int = 7) -> bytes:
    return struct.pack("!BBHII", 0x80, 0xE1, number, ticks, sender) + b"picture"


def udp(address: str) -> socket.socket:
    link = socket.socket(type=socket.SOCK_DGRAM)
    link.bind((address, 0))
    link.settimeout(10)
    return link


def test_channels_are_those_that_the_camera_grants() -> None:
    carriage = Carriage(AddressPolicy(), HERE, HERE, by_udp=False)
    assert carriage.wanted(1, "RTP/AVP") == "RTP/AVP/TCP;unicast;interleaved=2-3"
    carriage.granted(0, "RTP/AVP/TCP;interleaved=6-7;ssrc=1")
    carriage.granted(1, "")
    assert [carriage.track_of(channel) for channel in (6, 7, 2, 3, 0)] == [0, 0, 1, 1, None]


@pytest.mark.parametrize(
    ("by_udp", "header"),
    [
        (False, "RTP/AVP;unicast;client_port=1-2"),
        (True, "RTP/AVP/TCP;interleaved=0-1"),
        (True, "RTP/AVP;multicast;destination=239.0.0.1"),
        (True, "RTP/AVP;unicast;server_port=9-10;source=169.254.169.254"),
    ],
)
def test_another_way_than_was_asked_for_fails(by_udp: bool, header: str) -> None:
    carriage = Carriage(AddressPolicy(), HERE, HERE, by_udp)
    carriage.wanted(0, "RTP/AVP")
    with pytest.raises(SourceFailed, match=r"rtsp_transport|refused"):
        carriage.granted(0, header)
    carriage.close()


def test_by_udp_only_the_camera_is_heard() -> None:
    carriage = Carriage(AddressPolicy(), "127.0.0.1", "127.0.0.1", by_udp=True)
    port = int(carriage.wanted(0, "RTP/AVP").rpartition("=")[2].partition("-")[0])
    assert port % 2 == 0
    with udp("127.0.0.1") as media, udp("127.0.0.1") as reports, udp("127.0.0.2") as stranger:
        carriage.granted(0, f"RTP/AVP;unicast;server_port={media.getsockname()[1]}-{reports.getsockname()[1]}")
        assert [link.recvfrom(100)[0][1] for link in (media, reports)] == [201, 201]
        stranger.sendto(packet(1, 1), ("127.0.0.1", port))
        media.sendto(packet(2, 2), ("127.0.0.1", port))
        assert list(carriage.receive()) == [(0, packet(2, 2))]
        carriage.report(0.0)
        assert reports.recvfrom(100)[0][1] == 201
    carriage.close()


def test_a_second_session_goes_on_where_the_first_was() -> None:
    splice = Splice(packet(65_535, 2**32 - 90), 10.0, 96, 90_000)
    joined = [splice.joined(packet(5 + index, 1000 + 90 * index, sender=9), 10.002) for index in range(2)]
    assert [struct.unpack_from("!BBHII", head or b"") for head in joined] == [
        (0x80, 0xE0, 0, 90, 7),
        (0x80, 0xE0, 1, 180, 7),
    ]
    assert splice.joined(REPORT, 10.003) is None


def test_media_is_told_from_reports() -> None:
    assert is_rtp(packet(1, 1))
    assert not is_rtp(REPORT)
    assert not is_rtp(b"\x80\x60")


def test_a_login_stays_with_its_place() -> None:
    source = Destination.of("rtsp://u:p%40@camera:8554/a?b=1#c", "tcp")
    assert (source.url, source.login) == ("rtsp://camera:8554/a?b=1", Login("u", "p@"))
    for same in ("rtsp://CAMERA:8554/b", "rtsp://10.0.0.5:8554/b", "rtsp://x:y@camera:8554/"):
        assert source.redirected(same, "10.0.0.5").login == source.login
    for elsewhere in ("rtsp://other:8554/a", "rtsp://camera/a", "rtsps://camera:8554/a", "rtsp://10.0.0.6:8554/"):
        moved = source.redirected(elsewhere, "10.0.0.5")
        assert (moved.login, moved.is_elsewhere) == (None, True)
        assert moved.redirected("rtsp://camera:8554/a", "10.0.0.6").login is None
    secure = Destination.of("rtsps://u:p@camera/a", "http")
    assert secure.endpoint == ("https", "camera", 443)
    assert secure.redirected("rtsp://camera/a", HERE).login is None
    assert Destination.of("rtsp://camera/a", "http").endpoint == ("http", "camera", 80)
    assert Destination.of("rtsp://camera/a", "udp").endpoint == ("rtsp", "camera", 554)
