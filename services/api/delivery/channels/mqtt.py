"""MQTT: what happens goes to an event topic, how things stand to a state topic, and Home Assistant finds both.

Topics, under the prefix that ends a target's URL: `STREAM/LABEL/event` (as webhooks have it), `STREAM/LABEL/state` (ON
or OFF, retained), `availability` (online or offline, retained; offline is the connection's last will). Home Assistant's
discovery is retained, too, so that a camera appears with its labels.
"""

import asyncio
import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import aiomqtt

from services.api.delivery.channels.broker import Broker, discovery_topic, stream_announced
from services.api.delivery.channels.webhooks import DeliveryFailed, body_of
from services.api.delivery.outbox import Letter
from services.api.delivery.targets import Target
from shared.errors import SourceFailed
from shared.network.addresses import AddressPolicy
from shared.streams import StreamSpec

STATES: Final = {"opened": "ON", "closed": "OFF"}
Streams = Sequence[tuple[StreamSpec, Sequence[str]]]
"""With the labels of each."""


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
            is_open = json.loads(letter.event).get("ended_at_ms") is None
            if state := STATES.get("closed" if letter.kind == "deleted" and is_open else letter.kind):
                await broker.publish(f"{place}/state", state, retain=True)
        except (aiomqtt.MqttError, TimeoutError, OSError) as err:
            await self._drop(target.id)
            raise DeliveryFailed(f"the broker failed: {type(err).__name__}") from err
        except SourceFailed as err:
            raise DeliveryFailed(str(err)) from err

    async def announce(self, targets: Iterable[Target], streams: Streams, unsure: Collection[str] = ()) -> None:
        """Tells every broker which streams there are; one that is gone disappears there, unless it is `unsure`.

        What an earlier worker announced counts, too: the broker kept it. Failures wait.
        """
        wanted = {
            target.id: target for target in targets if target.kind == "mqtt" and target.enabled and not target.is_locked
        }
        for target_id in self._brokers.keys() - wanted.keys():
            await self._drop(target_id)
        for target in wanted.values():
            try:
                broker = await self._broker(target)
                told = dict(_discovery(broker, streams))
                gone = [each for each in broker.announced.keys() - told.keys() if stream_announced(each) not in unsure]
                for topic in gone:
                    await broker.forget(topic)
                for topic, text in told.items():
                    await broker.announce(topic, text)
            except (aiomqtt.MqttError, TimeoutError, OSError, SourceFailed, ValueError):
                await self._drop(target.id)

    async def close(self) -> None:
        """Says goodbye to all."""
        for target_id in list(self._brokers):
            await self._drop(target_id)

    async def _broker(self, target: Target) -> Broker:
        async with self._connecting:
            known = self._brokers.get(target.id)
            if known and known.url == target.url and not known.is_dead:
                return known
            await self._drop(target.id)
            broker = self._brokers[target.id] = await Broker.connected(target.url, self._policy)
            await broker.open()
            return broker

    async def _drop(self, target_id: str) -> None:
        broker = self._brokers.pop(target_id, None)
        if broker is not None:
            await broker.close()


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
            yield discovery_topic(spec.id, label), json.dumps(config)
