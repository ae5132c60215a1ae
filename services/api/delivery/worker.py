"""A delivery worker: a follower that fills the outboxes of its partitions, and a sender that empties them."""

import asyncio
import threading
from dataclasses import dataclass

import redis

from services.api.delivery.channels.posts import Announcer, Posts
from services.api.delivery.fanout import Fanout
from services.api.delivery.outbox import Outbox
from services.api.delivery.pictures import Pictures
from services.api.delivery.sender import DeliveryMetrics, Sender
from services.api.delivery.targets import TargetBook
from services.api.followers.cursors import Cursors
from services.api.followers.follower import Follower, FollowerMetrics
from services.api.kept.catalog import ModelListing
from services.api.media.places.place import MediaPlace
from shared.network.addresses import AddressPolicy
from shared.service.lease_metrics import LeaseMetrics
from shared.service.metrics_server import new_registry
from shared.service.tenancy import Tenancy
from shared.tracing.spans import Tracer
from shared.words.sealing import Vault


class WorkerMetrics:
    """What Prometheus sees of a delivery worker."""

    def __init__(self) -> None:
        self.registry = new_registry()
        self.leases = LeaseMetrics(self.registry)
        self.follower = FollowerMetrics(self.registry)
        self.delivery = DeliveryMetrics(self.registry)


@dataclass(frozen=True, slots=True)
class DeliveryWorker:
    """Delivers, under leases that it takes and gives back, from `run` until `stop` is set."""

    client: redis.Redis
    tenancy: Tenancy
    policy: AddressPolicy
    catalog: ModelListing
    metrics: WorkerMetrics
    stop: threading.Event
    vault: Vault
    place: MediaPlace
    tracer: Tracer | None = None

    def run(self) -> None:
        """Works until stopped."""
        asyncio.run(self._run())

    async def _run(self) -> None:
        outbox, book = Outbox(self.client), TargetBook(self.client, self.vault)
        post = Posts(self.policy, Pictures(self.client, self.place))
        sender = Sender(outbox, book, post, self.metrics.delivery, self.tracer)
        fanout = Fanout(self.client, outbox, sender)
        cursors = Cursors(self.client, "delivery")
        follower = Follower(cursors, self.tenancy, fanout, self.metrics.follower, self.stop)
        following = asyncio.create_task(asyncio.to_thread(self._follow, follower))
        announcer = Announcer(self.client, TargetBook(self.client, self.vault), self.catalog, post.mqtt)
        announcing = asyncio.create_task(announcer.run(self.stop))
        try:
            await sender.run(self.stop)
        finally:
            self.stop.set()
            await following
            await announcing
            await post.close()

    def _follow(self, follower: Follower) -> None:
        try:
            follower.run()
        finally:
            self.stop.set()
