"""A connection to an MQTT broker: to an address that was checked, under the name that its certificate is for."""

import asyncio
import json
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import unquote

import aiomqtt

from services.api.delivery.channels.webhooks import TIMEOUT_SECONDS
from shared.errors import SourceFailed
from shared.network.addresses import DEFAULT_PORTS, AddressPolicy
from shared.words.urls import URL, split_rest

DEFAULT_PREFIX: Final = "afterimage"
DISCOVERY: Final = "homeassistant/binary_sensor"
MAX_HEARD: Final = 10_000
"""Messages that wait to be looked at: a broker may know many sensors of others."""
ONLINE, OFFLINE = "online", "offline"


class ShakenSocket(ssl.SSLSocket):
    """Closed where the other side is not who it should be: paho-mqtt would leave it open."""

    def do_handshake(self, block: bool = False) -> None:
        """As ssl has it."""
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


class NamedContext(ssl.SSLContext):
    """TLS, wherever one connects to, with whoever has a certificate for a name."""

    name = ""
    sslsocket_class = ShakenSocket

    @classmethod
    def of(cls, name: str) -> Self:
        """As strict as Python's own default."""
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        context.load_default_certs()
        context.name = name
        return context

    def wrap_socket(
        self,
        sock: socket.socket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,  # noqa: ARG002
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLSocket:
        """For the name, whatever the caller takes for one."""
        return super().wrap_socket(sock, server_side, do_handshake_on_connect, suppress_ragged_eofs, self.name, session)


@dataclass(slots=True)
class Broker:
    """A connection to a target's broker; `announced` are the discovery topics that it has of this system, with what."""

    url: str
    prefix: str
    client: aiomqtt.Client
    announced: dict[str, str] = field(default_factory=dict)
    listening: asyncio.Task[None] | None = None

    @classmethod
    async def connected(cls, url: str, policy: AddressPolicy) -> "Broker":
        """One that is online; raises SourceFailed, MqttError, TimeoutError and OSError."""
        found = URL.fullmatch(url)
        parts = split_rest(found["rest"]) if found else None
        if not found or not parts:
            raise SourceFailed("its URL names no broker")
        scheme, host = found["scheme"].lower(), parts.host.strip("[]")
        port, prefix = int(parts.port or DEFAULT_PORTS[scheme]), parts.tail.strip("/") or DEFAULT_PREFIX
        user, _, password = parts.login.partition(":")
        context = await asyncio.to_thread(NamedContext.of, host) if scheme == "mqtts" else None
        refusal: Exception = SourceFailed("host not found")
        for address in await asyncio.to_thread(policy.allowed_addresses, host, port, TIMEOUT_SECONDS):
            client = aiomqtt.Client(
                address,
                port,
                username=unquote(user) or None,
                password=unquote(password) or None,
                will=aiomqtt.Will(f"{prefix}/availability", OFFLINE, qos=1, retain=True),
                tls_context=context,
                timeout=TIMEOUT_SECONDS,
                keepalive=15,
                max_queued_incoming_messages=MAX_HEARD,
            )
            try:
                await client.__aenter__()
            except aiomqtt.MqttError as err:
                refusal = err
                continue
            return cls(url, prefix, client)
        raise refusal

    async def open(self) -> None:
        """Says that it is online, and begins to hear what the broker kept of this system."""
        await self.client.subscribe([(self.availability, 1), (f"{DISCOVERY}/+/+/config", 1)])
        await self.publish(self.availability, ONLINE, retain=True)
        self.listening = asyncio.create_task(self._listen())

    async def publish(self, topic: str, text: str, *, retain: bool = False) -> None:
        """Until the broker has it."""
        await self.client.publish(topic, text, qos=1, retain=retain, timeout=TIMEOUT_SECONDS)

    async def announce(self, topic: str, text: str) -> None:
        """A discovery topic, where the broker does not have it so."""
        if self.announced.get(topic) != text:
            await self.publish(topic, text, retain=True)
            self.announced[topic] = text

    async def forget(self, topic: str) -> None:
        """Has the broker drop a discovery topic, and the state that it names."""
        await self.publish(topic, "", retain=True)
        state = _config(self.announced.pop(topic, "")).get("state_topic")
        if isinstance(state, str) and state.startswith(f"{self.prefix}/"):
            await self.publish(state, "", retain=True)

    @property
    def availability(self) -> str:
        """The topic that says whether anybody delivers."""
        return f"{self.prefix}/availability"

    @property
    def is_dead(self) -> bool:
        """Whether the connection has ended."""
        return self.listening is not None and self.listening.done()

    async def close(self) -> None:
        """Says goodbye."""
        if self.listening:
            self.listening.cancel()
            await asyncio.gather(self.listening, return_exceptions=True)
        with suppress(aiomqtt.MqttError, TimeoutError, OSError):
            await self.client.publish(self.availability, OFFLINE, qos=1, retain=True, timeout=1.0)
        with suppress(aiomqtt.MqttError, TimeoutError, OSError):
            await self.client.__aexit__(None, None, None)

    async def _listen(self) -> None:
        """Another worker's last will is not this one's; what was announced before may have to be taken back."""
        with suppress(aiomqtt.MqttError):
            async for message in self.client.messages:
                topic, payload = str(message.topic), message.payload
                if topic == self.availability:
                    if payload == OFFLINE.encode():
                        await self.publish(self.availability, ONLINE, retain=True)
                elif message.retain and isinstance(payload, bytes):
                    self._recall(topic, payload.decode(errors="replace"))

    def _recall(self, topic: str, text: str) -> None:
        if stream_announced(topic) and _config(text).get("availability_topic") == self.availability:
            self.announced.setdefault(topic, text)


def discovery_topic(stream_id: str, label: str) -> str:
    """Where Home Assistant looks for a sensor."""
    return f"{DISCOVERY}/afterimage_{stream_id}/{label}/config"


def stream_announced(topic: str) -> str:
    """The stream that a discovery topic is of; "" where it is another system's."""
    node = topic.removeprefix(f"{DISCOVERY}/").partition("/")[0]
    return node.removeprefix("afterimage_") if node.startswith("afterimage_") else ""


def _config(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
