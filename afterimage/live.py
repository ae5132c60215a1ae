"""The live feed of events: server-sent events, resumed where the connection broke."""

import json
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from afterimage.client import Client
from shared.errors import AfterimageError, ApiUnavailable

RETRY_SECONDS = 1.0
MAX_RETRY_SECONDS = 60.0
CONNECT_TIMEOUT_SECONDS = 15.0
MAX_WAITING = 1000


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the feed: `kind` is opened or closed, of an event; or gap, full, or empty where it only tells a
    position. `event` is the event's JSON, or what a gap or a full feed is about.

    `retry_seconds`: when to come back if the connection ends now.
    """

    kind: str
    event: dict[str, Any]
    position: str | None
    retry_seconds: float = RETRY_SECONDS


def parse_feed(lines: Iterable[str]) -> Iterator[Message]:
    """The messages in the lines of a server-sent event stream; comments are passed over."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
            continue
        kind = fields.get("event", "")
        if kind in ("opened", "closed", "gap", "full"):
            seconds = _retry_seconds(fields.get("retry", ""))
            yield Message(kind, json.loads(fields["data"]), fields.get("id"), seconds)
        elif "id" in fields:
            yield Message(kind="", event={}, position=fields["id"])
        fields = {}


def follow_feed(
    client: Client,
    connected: threading.Event,
    ended: threading.Event,
    tell: Callable[[str], None],
    **filters: str | None,
) -> Iterator[Message]:
    """Openings and closings as they happen, until `ended`; goes on after the last one when the connection breaks.

    `connected` is set once nothing that happens from now on can be missed; `tell` gets, in a line, what has been
    missed, that there is no place, and that the connection is lost; `filters` as the API names them. Raises
    ApiUnavailable where the first connection fails, RequestRefused.
    """
    position: str | None = None
    is_lost = False
    while not ended.is_set():
        wait_seconds = RETRY_SECONDS
        try:
            for message in parse_feed(client.live_lines(position, **filters)):
                if message.kind == "full":
                    wait_seconds = message.retry_seconds
                    tell(f"{message.event['reason']}; again in {wait_seconds:g} s")
                    continue
                connected.set()
                is_lost = False
                position = message.position or position
                if message.kind == "gap":
                    tell(_missed(message.event))
                elif message.kind:
                    yield message
        except ApiUnavailable as err:
            if not connected.is_set():
                raise
            if not is_lost:
                tell(f"{err}; trying again until it is back")
            is_lost = True
        ended.wait(wait_seconds)


def _retry_seconds(text: str) -> float:
    known = text.isascii() and text.isdecimal() and len(text) < 10
    return min(int(text) / 1000, MAX_RETRY_SECONDS) if known else RETRY_SECONDS


def _missed(gap: dict[str, Any]) -> str:
    """What a gap means for who follows."""
    since_ms = int(gap["since_ms"])
    since = datetime.fromtimestamp(since_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    why = "was put back from a backup" if gap["reason"] == "ahead" else "keeps no more what came then"
    return (
        f"events since {since} may be missing here, as the feed {why}: "
        f"`afterimage events export --since-ms {since_ms}` prints them"
    )


class EventSubscription:
    """Follows the feed in a thread while the context lasts; at most MAX_WAITING messages wait, then it waits."""

    def __init__(self, url: str, key: str | None) -> None:
        self._url = url
        self._key = key
        self._messages: queue.Queue[Message] = queue.Queue(MAX_WAITING)
        self._connected = threading.Event()
        self._ended = threading.Event()
        self._failure: AfterimageError | None = None
        self._said = "no answer"

    def __enter__(self) -> Self:
        threading.Thread(target=self._run, name="live-feed", daemon=True).start()
        if not self._connected.wait(CONNECT_TIMEOUT_SECONDS) or self._failure:
            raise self._failure or ApiUnavailable(f"the live feed of {self._url} does not open: {self._said}")
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ended.set()

    def take(self, timeout_seconds: float) -> list[Message]:
        """What has come; waits for the first message at most so long. Raises what ended the feed, if anything did."""
        if self._failure:
            raise self._failure
        try:
            messages = [self._messages.get(timeout=timeout_seconds)]
        except queue.Empty:
            return []
        while not self._messages.empty():
            messages.append(self._messages.get_nowait())
        return messages

    def _run(self) -> None:
        try:
            with Client(self._url, self._key) as client:
                for message in follow_feed(client, self._connected, self._ended, self._hear):
                    self._put(message)
        except AfterimageError as err:
            self._failure = err
            self._connected.set()

    def _hear(self, said: str) -> None:
        self._said = said

    def _put(self, message: Message) -> None:
        while not self._ended.is_set():
            try:
                self._messages.put(message, timeout=1.0)
            except queue.Full:
                continue
            return
