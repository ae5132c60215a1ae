"""Delivery goes to the address that was checked, whatever a name says later, and wherever a receiver leads."""

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from api_server import an_event
from brokers import listening, mosquitto
from certificates import self_signed
from patience import eventually
from redis_cluster import free_port
from web_server import Handler, WebServer, web_server

from services.api.delivery.channels.guard import guarded
from services.api.delivery.channels.posts import Posts
from services.api.delivery.channels.webhooks import DeliveryFailed
from services.api.delivery.outbox import Letter
from services.api.delivery.targets import Target, TargetKind
from shared.entries import EntryId
from shared.network.addresses import AddressPolicy

Names = dict[str, list[list[str]]]
PUBLIC = "93.184.216.34"


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Name → its addresses at each look-up, the last ones from then on: a name service that changes its mind."""
    known: Names = {}
    real: Callable[..., Any] = socket.getaddrinfo

    def look_up(host: Any, *rest: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in known:
            return real(host, *rest, **options)
        answers = known[name]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [each for address in addresses for each in real(address, *rest, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


@pytest.fixture
def receiver() -> Iterator[WebServer]:
    with web_server() as server:
        server.RequestHandlerClass = type("Posted", (Handler,), {"do_POST": Handler.do_GET})
        yield server


def sent(kind: TargetKind, url: str, policy: AddressPolicy) -> str:
    """Why a letter to a URL was not taken; "" where it was."""
    target = Target(id="one", kind=kind, url=url, secret="whsec_" + "A" * 44, created_at_ms=0)
    letter = Letter(0, EntryId(5), "one", "a", "opened", an_event("a", 5).model_dump_json(), "0.5-0")

    async def send() -> str:
        post = Posts(policy)
        try:
            await post.send(target, letter)
        except DeliveryFailed as err:
            return str(err)
        finally:
            await post.close()
        return ""

    return asyncio.run(send())


def test_a_broker_is_reached_where_it_was_checked_and_by_its_own_name(
    tmp_path: Path, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, secure = free_port(), free_port()
    path = self_signed(tmp_path, "DNS:broker.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    tls = (f"listener {secure} 127.0.0.1", f"certfile {path}", f"keyfile {tmp_path / 'key.pem'}")
    with ExitStack() as stack:
        stack.enter_context(mosquitto(tmp_path, port, *tls))
        trap = stack.enter_context(closing(socket.create_server(("127.0.0.2", secure))))
        trap.settimeout(0.1)
        heard = stack.enter_context(listening(port))
        names["broker.test"] = [["::1", "127.0.0.1"], ["127.0.0.2"]]  # nobody listens at ::1
        assert sent("mqtt", f"mqtts://broker.test:{secure}", AddressPolicy()) == ""
        eventually(lambda: "afterimage/a/moved/event" in [topic for topic, *_ in heard], "the event")
        names["other.test"] = [["127.0.0.1"]]
        assert "the broker failed" in sent("mqtt", f"mqtts://other.test:{secure}", AddressPolicy())
        with pytest.raises(TimeoutError):
            trap.accept()


def test_people_are_told_where_the_address_is_allowed_when_it_is_used(names: Names, receiver: WebServer) -> None:
    said: list[str] = []

    def take(handler: Handler) -> None:
        said.append(json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))["title"])
        handler.reply(200)

    receiver.answers["/in"] = take
    url = f"json://people.test:{receiver.server_port}/in"
    names["people.test"] = [["127.0.0.1"]]
    assert sent("apprise", url, AddressPolicy()) == ""
    names["people.test"] = [[PUBLIC], ["127.0.0.1"]]
    assert "it is private" in sent("apprise", url, AddressPolicy(private=False))
    assert said == ["a: moved"]


def test_people_are_not_told_where_a_receiver_leads_astray(receiver: WebServer) -> None:
    receiver.answers["/in"] = lambda handler: handler.reply(302, Location="http://169.254.169.254/latest")
    refusal = sent("apprise", f"json://127.0.0.1:{receiver.server_port}/in", AddressPolicy())
    assert "169.254.169.254 is refused" in refusal


def test_nothing_leaves_for_a_name_or_a_socket_file_and_no_longer_than_it_is_guarded(tmp_path: Path) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as caller, socket.socket(socket.AF_UNIX) as local:
        with guarded(AddressPolicy()) as guard:
            for address in (("localhost", 9), ("169.254.1.1", 9)):
                with pytest.raises(PermissionError):
                    caller.sendto(b"x", address)
            with pytest.raises(PermissionError):
                local.connect(str(tmp_path / "socket"))
            caller.sendto(b"x", ("127.0.0.1", 9))
        caller.sendto(b"x", ("localhost", 9))
    assert ["in numbers" in each for each in guard.refused] == [True, False, True]


def test_webhooks_go_where_the_address_was_checked(names: Names, receiver: WebServer) -> None:
    receiver.answers["/in"] = lambda handler: handler.reply(200)
    names["hook.test"] = [["127.0.0.1"], ["127.0.0.2"]]
    assert sent("webhook", f"http://hook.test:{receiver.server_port}/in", AddressPolicy()) == ""
    assert len(receiver.asked) == 1


pytestmark = pytest.mark.timeout(120)
