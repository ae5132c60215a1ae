"""MQTT: what happens goes to an event topic, how things stand to a state topic, and Home Assistant finds both.

Topics, under the prefix that ends a target's URL: `STREAM/LABEL/event` (as webhooks have it), `STREAM/LABEL/state` (ON
or OFF, retained), `availability` (online or offline, retained; offline is the connection's last will). Home Assistant's
discovery is retained, too, so that a camera appears with its labels.
"""

import asyncio
import json
import ssl
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

import aiomqtt

from services.api.delivery.channels.webhooks import TIMEOUT_SECONDS, DeliveryFailed, body_of
from services.api.delivery.outbox import Letter
from services.api.delivery.targets import Target
from shared.errors import SourceFailed
from shared.network.addresses import AddressPolicy
from shared.streams import StreamSpec
from shared.words.urls import URL, split_rest

DEFAULT_PREFIX: Final = "afterimage"
DISCOVERY: Final = "homeassistant"
PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
STATES: Final = {"opened": "ON", "closed": "OFF"}
ONLINE, OFFLINE = "online", "offline"
Streams = Sequence[tuple[StreamSpec, Sequence[str]]]
"""With the labels of each."""


@dataclass(slots=True)
class Broker:
    """A connection to a target's broker; `announced` are the discovery topics that were told, with what."""

    url: str
    prefix: str
    client: aiomqtt.Client
    announced: dict[str, str] = field(default_factory=dict)
    listening: asyncio.Task[None] | None = None

    async def publish(self, topic: str, text: str, *, retain: bool = False) -> None:
        """Until the broker has it."""
        await self.client.publish(topic, text, qos=1, retain=retain, timeout=TIMEOUT_SECONDS)

    @property
    def availability(self) -> str:
        """The topic that says whether anybody delivers."""
        return f"{self.prefix}/availability"

    async def listen(self) -> None:
        """Another worker's last will is not this one's."""
        with suppress(aiomqtt.MqttError):
            async for message in self.client.messages:
                if message.payload == OFFLINE.encode():
                    await self.publish(self.availability, ONLINE, retain=True)


class MqttPost:
    """Connections to brokers, one a target; used by one event loop."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._brokers: dict[str, Broker] = {}
        self._connecting = asyncio.Lock()

    async def send(self, target: Target, letter: Letter) -> None:
        """Publishes one; raises DeliveryFailed."""
        try:
            broker = await self._broker(target)
            if not letter.label:  # a test
                await broker.publish(f"{broker.prefix}/test", body_of(letter))
                return
            place = f"{broker.prefix}/{letter.stream_id}/{letter.label}"
            await broker.publish(f"{place}/event", body_of(letter))
            if state := STATES.get(letter.kind):
                await broker.publish(f"{place}/state", state, retain=True)
        except (aiomqtt.MqttError, TimeoutError, OSError) as err:
            await self._drop(target.id)
            raise DeliveryFailed(f"the broker failed: {type(err).__name__}") from err
        except SourceFailed as err:
            raise DeliveryFailed(str(err)) from err

    async def announce(self, targets: Iterable[Target], streams: Streams) -> None:
        """Tells every broker which streams there are; a stream that is gone disappears there. Failures wait."""
        wanted = {
            target.id: target for target in targets if target.kind == "mqtt" and target.enabled and not target.is_locked
        }
        for target_id in self._brokers.keys() - wanted.keys():
            await self._drop(target_id)
        for target in wanted.values():
            try:
                broker = await self._broker(target)
                told = dict(_discovery(broker, streams))
                for topic in broker.announced.keys() - told.keys():
                    await broker.publish(topic, "", retain=True)
                for topic, text in told.items():
                    if broker.announced.get(topic) != text:
                        await broker.publish(topic, text, retain=True)
                broker.announced = told
            except (aiomqtt.MqttError, TimeoutError, OSError, SourceFailed):
                await self._drop(target.id)

    async def close(self) -> None:
        """Says goodbye to all."""
        for target_id in list(self._brokers):
            await self._drop(target_id)

    async def _broker(self, target: Target) -> Broker:
        async with self._connecting:
            known = self._brokers.get(target.id)
            is_dead = known and known.listening is not None and known.listening.done()
            if known and known.url == target.url and not is_dead:
                return known
            await self._drop(target.id)
            return await self._connect(target)

    async def _connect(self, target: Target) -> Broker:
        found = URL.fullmatch(target.url)
        parts = split_rest(found["rest"]) if found else None
        if not found or not parts:
            raise SourceFailed("its URL names no broker")
        scheme = found["scheme"].lower()
        port = int(parts.port or PORTS[scheme])
        host = parts.host.strip("[]")
        addresses = await asyncio.to_thread(self._policy.allowed_addresses, host, port, TIMEOUT_SECONDS)
        user, _, password = parts.login.partition(":")
        prefix = parts.tail.strip("/") or DEFAULT_PREFIX
        client = aiomqtt.Client(
            host if scheme == "mqtts" else addresses[0],  # a certificate is for the name
            port,
            username=unquote(user) or None,
            password=unquote(password) or None,
            will=aiomqtt.Will(f"{prefix}/availability", OFFLINE, qos=1, retain=True),
            tls_context=ssl.create_default_context() if scheme == "mqtts" else None,
            timeout=TIMEOUT_SECONDS,
            keepalive=15,
        )
        await client.__aenter__()
        broker = self._brokers[target.id] = Broker(target.url, prefix, client)
        await client.subscribe(broker.availability, qos=1)
        await broker.publish(broker.availability, ONLINE, retain=True)
        broker.listening = asyncio.create_task(broker.listen())
        return broker

    async def _drop(self, target_id: str) -> None:
        broker = self._brokers.pop(target_id, None)
        if broker is None:
            return
        if broker.listening:
            broker.listening.cancel()
            await asyncio.gather(broker.listening, return_exceptions=True)
        with suppress(aiomqtt.MqttError, TimeoutError, OSError):
            await broker.client.publish(broker.availability, OFFLINE, qos=1, retain=True, timeout=1.0)
        with suppress(aiomqtt.MqttError, TimeoutError, OSError):
            await broker.client.__aexit__(None, None, None)


def _discovery(broker: Broker, streams: Streams) -> Iterable[tuple[str, str]]:
    """Topics and texts by which Home Assistant knows a device for each stream, with a sensor for each label."""
    for spec, names in streams:
        device = {"identifiers": [f"afterimage_{spec.id}"], "name": spec.name, "manufacturer": "Afterimage"}
        for label in names:
            config: dict[str, Any] = {
                "name": label,
                "unique_id": f"afterimage_{spec.id}_{label}",
                "state_topic": f"{broker.prefix}/{spec.id}/{label}/state",
                "availability_topic": broker.availability,
                "device": device,
            }
            yield f"{DISCOVERY}/binary_sensor/afterimage_{spec.id}/{label}/config", json.dumps(config)
