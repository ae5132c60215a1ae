"""People are told with the picture of an event's opening, where there is one in time."""

import asyncio
import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
from api_server import an_event, running_api
from default_layout import keys_of
from deliveries import end, worker
from jpegs import jpeg
from patience import eventually
from staged import Stage
from web_server import Handler, WebServer, web_server

from services.api.delivery.channels.people import REFUSED_PICTURE
from services.api.delivery.channels.posts import Posts
from services.api.delivery.channels.webhooks import DeliveryFailed
from services.api.delivery.outbox import Letter
from services.api.delivery.pictures import NONE, WAIT_SECONDS, Pictures
from services.api.delivery.targets import Target
from services.api.media.places.folder import EventFolder
from services.api.media.places.place import picture_name
from services.api.media.records import MediaRecords
from shared.entries import EntryId
from shared.events import Event
from shared.network.addresses import AddressPolicy

OPENING = b"\xff\xd8 the opening"


@dataclass
class Mailbox:
    """What people got: text, pictures."""

    server: WebServer
    got: list[tuple[str, list[bytes]]] = field(default_factory=list)
    takes_pictures: bool = True
    is_open: bool = True

    def take(self, handler: Handler) -> None:
        said = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        pictures = [base64.b64decode(each["base64"]) for each in said["attachments"]]
        if not self.is_open or (pictures and not self.takes_pictures):
            handler.reply(413)
            return
        self.got.append((said["message"], pictures))
        handler.reply(200)

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server.server_port}/in"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with web_server() as server:
        server.RequestHandlerClass = type("Posted", (Handler,), {"do_POST": Handler.do_GET})
        box = Mailbox(server)
        server.answers["/in"] = box.take
        yield box


@dataclass
class Sending:
    """Sends letters of an event as a worker does."""

    client: redis.Redis
    folder: EventFolder
    mailbox: Mailbox
    event: Event = field(default_factory=lambda: an_event("a", 5, state="open"))

    def send(self, *, is_young: bool = True) -> float:
        """Seconds that it took; raises DeliveryFailed."""
        told_at_ms = round(time.time() * 1000) if is_young else 5
        letter = Letter(0, EntryId(5), "one", "a", "opened", self.event.model_dump_json(), f"0.{told_at_ms}-0")
        target = Target(id="one", kind="apprise", url=self.mailbox.url, secret="none", created_at_ms=0)

        async def send() -> None:
            await Posts(AddressPolicy(), Pictures(self.client, self.folder)).send(target, letter)

        began = time.monotonic()
        asyncio.run(send())
        return time.monotonic() - began

    def keep(self) -> None:
        """As the recorder does when it has cut the clip."""
        self.folder.put(self.event.id, picture_name("opening"), OPENING)


@pytest.fixture
def sending(redis_client: redis.Redis, tmp_path: Path, mailbox: Mailbox) -> Sending:
    return Sending(redis_client, EventFolder(tmp_path), mailbox)


def test_the_opening_picture_comes_along_while_the_event_happens(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path, mailbox: Mailbox
) -> None:
    """A recorder holds the frames, of which the queue would be rid otherwise; its clip is cut much later."""
    with running_api(redis_url, deliver_private=True) as api, ExitStack() as stack:
        api.http.post("/v1/targets", json={"id": "people", "kind": "apprise", "url": mailbox.url})
        log, settings = tmp_path / "log", {"EVENTS_DIR": str(tmp_path)}
        processes = [worker(f"services.api.{each}", redis_url, log, **settings) for each in ("media", "delivery")]
        stack.callback(lambda: end(processes))
        eventually(lambda: redis_client.exists(keys_of("cam").held), "a recorder")
        jpegs = [jpeg(grey) for grey in range(0, 250, 5)]
        cast = Stage(redis_client).stream("cam", jpegs)
        cast.film(21, opens=[20])
        eventually(lambda: mailbox.got, "the event")
        cast.film(3)
    assert mailbox.got == [("opened, score 0.90", [jpegs[20]])]
    assert not list(tmp_path.glob("cam/*/*"))


def test_a_picture_that_the_recorder_has_kept_comes_along(sending: Sending) -> None:
    sending.keep()
    sending.send(is_young=False)
    assert sending.mailbox.got == [("opened, score 0.90", [OPENING])]


def test_a_picture_is_waited_for_a_moment_where_somebody_records(sending: Sending) -> None:
    sending.client.hset(keys_of("a").held, "", "1")
    later = threading.Timer(0.7, sending.keep)
    later.start()
    assert sending.send() >= 0.7
    later.join()
    sending.folder.remove(sending.event.id)
    assert sending.send() >= WAIT_SECONDS
    assert sending.send(is_young=False) < WAIT_SECONDS
    missing = [f"opened, score 0.90\n{NONE}"] * 2
    assert sending.mailbox.got == [("opened, score 0.90", [OPENING]), *((text, []) for text in missing)]


def test_why_there_is_no_picture_is_said_where_a_recorder_says_so(sending: Sending) -> None:
    record: Any = {"state": "none", "reason": "it was dark"}
    sending.client.hset(keys_of("a").media, sending.event.id, json.dumps(record))
    assert MediaRecords(sending.client).get([sending.event.id])
    assert sending.send() < WAIT_SECONDS
    assert sending.mailbox.got == [("opened, score 0.90\nit was dark", [])]


def test_nobody_waits_where_nobody_records(sending: Sending) -> None:
    assert sending.send() < WAIT_SECONDS
    assert sending.mailbox.got == [("opened, score 0.90", [])]


def test_a_service_that_takes_no_pictures_gets_the_text(sending: Sending) -> None:
    sending.keep()
    sending.mailbox.takes_pictures = False
    sending.send()
    assert sending.mailbox.got == [(f"opened, score 0.90\n{REFUSED_PICTURE}", [])]
    sending.mailbox.is_open = False
    with pytest.raises(DeliveryFailed, match="did not take it"):
        sending.send()


pytestmark = pytest.mark.timeout(120)
