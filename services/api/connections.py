"""Connections under limits: how many there are, how long a request may take to arrive, and how long an answer to leave.

uvicorn bounds none of it. Each connection has a place; one too many, in all or from one address, gets a 503 and is
closed. Whoever is slow loses the connection: a head or body that does not arrive in time, an answer that is not taken.
A WebSocket has the same place as the request that became one.
"""

import asyncio
import ipaddress
from collections.abc import Callable
from functools import cache
from typing import Any, Final, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from services.api.metrics.requests import ApiMetrics
from services.api.protocol.door import Door
from services.api.protocol.errors import ErrorDetail, error_response

HEAD_SECONDS: Final = 10.0
BODY_SECONDS: Final = 12.0
"""A little more than the app itself waits: it answers, and this only closes."""
SEND_SECONDS: Final = 10.0
LAST_WORDS_SECONDS: Final = 2.0
WRITE_BUFFER_BYTES: Final = 64 * 1024
POLICY_VIOLATION: Final = 1008
TOO_SLOW: Final = f"too slow: nothing was taken for {SEND_SECONDS:g} s"
WAITING: Final = (h11.IDLE, h11.SEND_BODY)


class ConnectionDoor(Door):
    """The places of connections, with their metrics."""

    def __init__(self, most: int, most_per_client: int, metrics: ApiMetrics) -> None:
        super().__init__("connections", most, most_per_client)
        self.metrics = metrics

    def enter(self, address: str) -> str | None:
        """Takes a place, which is to be left; or says why there is none."""
        reason = super().enter(address)
        if reason:
            self.metrics.cut("full")
        self.metrics.connections.set(self.total)
        return reason

    def leave(self, address: str) -> None:
        """Gives the place back."""
        super().leave(address)
        self.metrics.connections.set(self.total)


class Alarm:
    """At most one moment at which something happens unless it is called off."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_set(self) -> bool:
        """Whether it runs."""
        return self._timer is not None

    def start(self, seconds: float) -> None:
        """Runs anew from now."""
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._expire)

    def stop(self) -> None:
        """Calls it off."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        self._act()


class TakenInTime(asyncio.Protocol):
    """What is sent to a client is taken by it within SEND_SECONDS, or it is too slow."""

    _leaving: Alarm

    def pause_writing(self) -> None:
        """The client does not take what there is for it."""
        super().pause_writing()
        self._leaving.start(SEND_SECONDS)

    def resume_writing(self) -> None:
        """The client does."""
        super().resume_writing()
        self._leaving.stop()


class HttpConnection(TakenInTime, H11Protocol):
    """An HTTP connection that has a place and deadlines."""

    def __init__(self, *, door: ConnectionDoor, **options: Any) -> None:  # noqa: ANN401  (uvicorn's)
        super().__init__(**options)
        self._door = door
        self._has_place = False
        self._arriving = Alarm(self._on_late)
        self._leaving = Alarm(self._on_slow)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes a place, or refuses the connection."""
        super().connection_made(cast(asyncio.Transport, transport))
        self.client = plain(self.client)
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        reason = self._door.enter(host_of(self.client))
        self._has_place = reason is None
        if reason is None:
            self._arriving.start(HEAD_SECONDS)
        else:
            self._refuse(503, "too_many_connections", reason)

    def connection_lost(self, exc: Exception | None) -> None:
        """Leaves the place."""
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Takes bytes in; the first of a request begins its time."""
        if self.transport.is_closing():
            return
        before = self.conn.their_state
        if before is h11.IDLE and not self._arriving.is_set:
            self._arriving.start(HEAD_SECONDS)
        super().data_received(data)
        if self._has_place:  # it is no WebSocket now, whose bytes come to that
            self._watch_arrival(before)

    def on_response_complete(self) -> None:
        """Goes on with the next request, which may be here in part."""
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0] and not self._arriving.is_set:
            self._arriving.start(HEAD_SECONDS)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Becomes a WebSocket, which takes a place of its own."""
        self._leave()
        super().handle_websocket_upgrade(event)

    def _watch_arrival(self, before: object) -> None:
        if self.conn.their_state is h11.SEND_BODY:
            if before is not h11.SEND_BODY:
                self._arriving.start(BODY_SECONDS)
        elif self.conn.their_state is not h11.IDLE:
            self._arriving.stop()

    def _leave(self) -> None:
        self._arriving.stop()
        self._leaving.stop()
        if self._has_place:
            self._has_place = False
            self._door.leave(host_of(self.client))

    def _on_late(self) -> None:
        self._door.metrics.cut("late")
        if self.conn.their_state is h11.IDLE and self.conn.our_state is h11.IDLE:
            self._refuse(408, "request_timeout", f"the request's head did not arrive within {HEAD_SECONDS:g} s")
        else:
            self.transport.close()

    def _on_slow(self) -> None:
        self._door.metrics.cut("slow")
        self.transport.abort()

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Says so without having been asked, and closes."""
        self.transport.write(_answer(status, code, message))
        self.transport.close()


class WebSocketConnection(TakenInTime, WebSocketsSansIOProtocol):
    """A WebSocket that has a place; one that takes nothing is told so, and closed."""

    def __init__(self, *, door: ConnectionDoor, **options: Any) -> None:  # noqa: ANN401  (uvicorn's)
        super().__init__(**options)
        self._door = door
        self._leaving = Alarm(self._on_slow)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes over the place of the request that it was, which has left it at this moment."""
        super().connection_made(transport)
        self.client = plain(self.client)
        self._door.enter(host_of(self.client))

    def connection_lost(self, exc: Exception | None) -> None:
        """Leaves the place."""
        self._leaving.stop()
        self._door.leave(host_of(self.client))
        super().connection_lost(exc)

    def _on_slow(self) -> None:
        self._door.metrics.cut("slow")
        self.queue.put_nowait({"type": "websocket.disconnect", "code": POLICY_VIOLATION, "reason": TOO_SLOW})
        if not self.close_sent:
            self.conn.send_close(POLICY_VIOLATION, TOO_SLOW)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        self.transport.close()
        self.loop.call_later(LAST_WORDS_SECONDS, self.transport.abort)


@cache
def _answer(status: int, code: str, message: str) -> bytes:
    """A whole answer; hundreds of connections may be given the same at one moment."""
    response = error_response(status, ErrorDetail(code=code, message=message), headers={"Connection": "close"})
    head = h11.Response(status_code=status, headers=response.raw_headers)
    events = (head, h11.Data(data=bytes(response.body)), h11.EndOfMessage())
    connection = h11.Connection(h11.SERVER)
    return b"".join(connection.send(event) or b"" for event in events)


def plain(client: tuple[str, int] | None) -> tuple[str, int] | None:
    """A client's address as others write it: a socket of both families calls 10.0.0.1 ::ffff:10.0.0.1."""
    try:
        mapped = ipaddress.IPv6Address(client[0]).ipv4_mapped if client else None
    except ValueError:
        mapped = None
    return (str(mapped), client[1]) if client and mapped else client


def host_of(client: tuple[str, int] | None) -> str:
    """The address that a client's places are counted under."""
    return client[0] if client else ""
