"""Every way in which letters leave, and what brokers are told beside them."""

import asyncio
import logging
import threading
from collections.abc import Collection
from typing import Final

import redis

from services.api.delivery.channels.mqtt import MqttPost
from services.api.delivery.channels.people import PeoplePost
from services.api.delivery.channels.webhooks import DeliveryFailed, WebhookPost
from services.api.delivery.outbox import Letter
from services.api.delivery.pictures import Pictures
from services.api.delivery.sender import Post
from services.api.delivery.targets import LOCKED_TARGET, Target, TargetBook, TargetKind
from services.api.kept.catalog import ModelListing
from shared.errors import StoreUnavailable
from shared.network.addresses import AddressPolicy
from shared.store.layout.known import layout_of
from shared.store.registry import RegistryListing

ANNOUNCE_SECONDS: Final = 1.0

log = logging.getLogger(__name__)


class Posts:
    """Sends letters to targets of every kind; used by one event loop."""

    def __init__(self, policy: AddressPolicy, pictures: Pictures | None = None) -> None:
        self._webhooks = WebhookPost(policy)
        self.mqtt = MqttPost(policy)
        self._posts: dict[TargetKind, Post] = {
            "webhook": self._webhooks,
            "mqtt": self.mqtt,
            "apprise": PeoplePost(policy, pictures),
        }

    async def send(self, target: Target, letter: Letter) -> None:
        """Sends one; raises DeliveryFailed."""
        if target.is_locked:
            raise DeliveryFailed(LOCKED_TARGET)
        try:
            await self._posts[target.kind].send(target, letter)
        except DeliveryFailed:
            raise
        except Exception as err:  # noqa: BLE001  (of a library's, whose words may hold the URL)
            raise DeliveryFailed(f"it could not be sent: {type(err).__name__}") from None

    async def close(self) -> None:
        """Ends all connections."""
        await self._webhooks.close()
        await self.mqtt.close()


class Announcer:
    """Tells brokers of all streams and their models' labels, so every worker tells the same."""

    def __init__(self, client: redis.Redis, book: TargetBook, catalog: ModelListing, mqtt: MqttPost) -> None:
        self._client, self._listing = client, RegistryListing(client)
        self._book, self._catalog, self._mqtt = book, catalog, mqtt

    async def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set."""
        while not stop.is_set():
            try:
                targets = await asyncio.to_thread(self._book.current)
                if any(target.kind == "mqtt" for target in targets.values()):
                    layout = await asyncio.to_thread(layout_of, self._client)
                    await asyncio.to_thread(self._listing.look, layout.numbers)
                    await self._announce(targets.values(), {keys.streams for keys in layout.all})
            except StoreUnavailable:
                pass  # the sender tells of it
            except Exception as err:  # noqa: BLE001  (its words may hold a URL)
                log.error("brokers are not told of streams: %s", type(err).__name__)
            await asyncio.sleep(ANNOUNCE_SECONDS)

    async def _announce(self, targets: Collection[Target], hashes: Collection[str]) -> None:
        labels = {model.name: model.manifest.labels for model in self._catalog.models() if model.manifest}
        specs, unreadable = self._listing.specs, self._listing.unreadable
        streams = [(spec, labels[spec.model]) for spec in specs.values() if spec.model in labels]
        unsure = {*unreadable, *(spec.id for spec in specs.values() if spec.model not in labels)}
        if unreadable.keys().isdisjoint(hashes):  # else any may be gone, or not
            await self._mqtt.announce(targets, streams, unsure)
