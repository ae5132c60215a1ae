import socket
import threading
from ipaddress import ip_address

import pytest

from shared.errors import SourceFailed
from shared.network.addresses import AddressPolicy, place_of, resolve


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.1.1",
        "0.0.0.0",
        "0.1.2.3",
        "224.0.0.1",
        "239.255.255.250",
        "255.255.255.255",
        "100.100.100.200",
        "168.63.129.16",
        "fe80::1",
        "fe80::1%lo",
        "ff02::1",
        "::",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "::ffff:0.0.0.0",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
    ],
)
def test_where_no_camera_is(address: str) -> None:
    with pytest.raises(SourceFailed, match="is refused: link-local, metadata, multicast or reserved"):
        AddressPolicy().check(address, 80)


@pytest.mark.parametrize("address", ["10.0.0.5", "192.168.1.5", "172.17.0.2", "127.0.0.1", "::1", "fd00::5", "8.8.8.8"])
def test_cameras_live_in_private_networks(address: str) -> None:
    AddressPolicy(("10.0.0.6:554", "cache.invalid:554")).check(address, 554)


@pytest.mark.parametrize("alias", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("name", ["localhost:6379", "127.0.0.1:6379", "::1:6379"])
def test_the_systems_own_redis_by_any_name(alias: str, name: str) -> None:
    policy = AddressPolicy((name,))
    with pytest.raises(SourceFailed, match="port 6379 is refused: this system's own Redis"):
        policy.check(alias, 6379)
    policy.check(alias, 6380)


def test_an_address_of_this_machine_is_this_machine() -> None:
    own = socket.gethostbyname(socket.gethostname())
    assert place_of(ip_address(own)) == "here"
    assert place_of(ip_address("192.0.2.1")) == ip_address("192.0.2.1")
    with pytest.raises(SourceFailed):
        AddressPolicy(("localhost:6379",)).check(own, 6379)


def test_names_are_resolved_in_time() -> None:
    assert "127.0.0.1" in resolve("localhost", 80, 5)
    assert resolve("127.1", 80, 5) == ["127.0.0.1"]
    for host in ("camera.invalid", "a" * 70 + ".example", ""):
        with pytest.raises(SourceFailed, match="host not found"):
            resolve(host, 80, 5)


def test_a_name_service_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def ask(*_question: object, **_options: object) -> list[tuple[object, ...]]:
        over.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", ask)
    try:
        with pytest.raises(SourceFailed, match="the name service does not answer"):
            resolve("camera.example", 80, 0.01)
    finally:
        over.set()


@pytest.mark.parametrize("address", ["10.0.0.5", "fd00::5"])
def test_an_address_is_not_looked_up(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "getaddrinfo")
    assert resolve(address, 80, 0) == [address]
