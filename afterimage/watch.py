"""Registers streams, a few at a time, and follows them to their end."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from afterimage.client import Client, RegisteredStream
from afterimage.live import EventSubscription, Message
from afterimage.stack import Stack
from shared.errors import RequestRefused
from shared.streams import StreamState

LOOK_SECONDS = 0.25
STALLED_SECONDS = 3.0
FEED_DELAY_SECONDS = 2.0


@dataclass(slots=True)
class Watched:
    """One stream as far as it has come; `failure` says why it gave nothing or stopped short."""

    wanted: Mapping[str, Any]
    view: RegisteredStream | None = None
    failure: str | None = None
    closed: dict[str, dict[str, Any]] = field(default_factory=dict)
    started_at: float = field(default_factory=time.monotonic)
    moved_at: float = field(default_factory=time.monotonic)

    @property
    def id(self) -> str:
        """The stream's id."""
        return str(self.wanted["id"])

    @property
    def num_frames(self) -> int:
        """Frames processed."""
        return self.view.frames_processed if self.view else 0

    @property
    def seconds(self) -> float:
        """From its registration to its last frame."""
        return self.moved_at - self.started_at

    def see(self, view: RegisteredStream) -> bool:
        """Takes the newest view; returns whether the stream has come to its end."""
        if self.view is None or view.frames_processed != self.view.frames_processed:
            self.moved_at = time.monotonic()
        self.view = view
        if view.state is StreamState.FAILED:
            self.failure = view.reason or "failed"
            return view.finished or time.monotonic() - self.moved_at > STALLED_SECONDS
        if view.state is StreamState.WAITING and view.frames_published == 0 and view.reason:
            self.failure = view.reason
            return True
        if view.finished and view.frames_published != view.frames_processed:
            self.failure = f"{view.frames_published} frames were published, but {view.frames_processed} processed"
        return view.finished


class Watch:
    """Follows streams on a stack; `on_message` gets their openings and closings, `on_look` where they all stand."""

    def __init__(
        self,
        stack: Stack,
        client: Client,
        on_message: Callable[[Message], None],
        on_look: Callable[[Sequence[Watched]], None],
    ) -> None:
        self._stack = stack
        self._client = client
        self._feed = EventSubscription(client.url, client.key)
        self._on_message = on_message
        self._on_look = on_look
        self._streams: dict[str, Watched] = {}

    def run(self, wanted: Sequence[Mapping[str, Any]], max_at_once: int) -> list[Watched]:
        """Follows the streams (bodies of POST /v1/streams, each with an id) until all end or the user wants an end.

        Every closing is reported exactly once, whatever the live feed did. Raises StackFailed, ApiUnavailable.
        """
        self._streams = {str(body["id"]): Watched(body) for body in wanted}
        waiting, running = deque(self._streams.values()), list[Watched]()
        with self._feed:
            while (waiting or running) and self._stack.wait(0):
                while waiting and len(running) < max_at_once:
                    running += self._register(waiting.popleft())
                self._take(LOOK_SECONDS)
                running = [stream for stream in running if not self._has_ended(stream)]
                self._on_look(list(self._streams.values()))
        return list(self._streams.values())

    def _register(self, stream: Watched) -> list[Watched]:
        try:
            self._client.add_stream(dict(stream.wanted))
        except RequestRefused as err:
            stream.failure = str(err)
            return []
        stream.started_at = stream.moved_at = time.monotonic()
        return [stream]

    def _has_ended(self, stream: Watched) -> bool:
        if not stream.see(self._client.stream_view(stream.id)):
            return False
        history = [event for event in self._client.events(stream_id=stream.id) if event["state"] == "closed"]
        deadline = time.monotonic() + FEED_DELAY_SECONDS
        while any(event["id"] not in stream.closed for event in history) and time.monotonic() < deadline:
            self._take(LOOK_SECONDS)
        for event in sorted(history, key=lambda event: event["started_at_ms"]):
            self._report(Message(kind="closed", event=event, position=None))
        return True

    def _take(self, timeout_seconds: float) -> None:
        for message in self._feed.take(timeout_seconds):
            self._report(message)

    def _report(self, message: Message) -> None:
        stream = self._streams.get(message.event["stream_id"])
        if stream is None or message.event["id"] in stream.closed:
            return
        if message.kind == "closed":
            stream.closed[message.event["id"]] = message.event
        self._on_message(message)
