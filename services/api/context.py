"""What every route needs, made once when the app is made."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final

import redis
from fastapi import Depends
from starlette.requests import HTTPConnection

from services.api.delivery.desk import TargetDesk
from services.api.kept.catalog import ModelListing
from services.api.kept.export import Exporter
from services.api.kept.history import History
from services.api.kept.known import KnownStreams
from services.api.kept.probing import Prober
from services.api.kept.registration import Registrar
from services.api.kept.reviews import Reviews
from services.api.kept.rollouts.book import RolloutBook
from services.api.kept.rollouts.desk import RolloutDesk
from services.api.kept.rollouts.keeper import RolloutKeeper
from services.api.kept.rollouts.steps import RolloutPace
from services.api.kept.scores.pages import ScoreReader
from services.api.kept.scores.preview import Previewer
from services.api.live.feed import LiveFeed
from services.api.live.standings import Standings
from services.api.media.places.opening import API_SECONDS, place_of
from services.api.media.places.place import MediaPlace
from services.api.media.records import MediaRecords
from services.api.metrics.requests import ApiMetrics
from services.api.metrics.store import StoreCollector
from services.api.protocol.door import Door
from services.api.schemas.history import EventView
from services.api.security.doorkeeper import Doorkeeper
from services.api.security.keyring import Keyring
from services.api.settings import ApiSettings
from services.api.tiles.reader import TileReader
from shared.life.event_desk import EventDesk, MarkedEvent
from shared.service.stream_series import StreamSeries
from shared.store.client import connect, connect_async
from shared.store.registry import Registry
from shared.words.sealing import Vault

NAME: Final = "api"
STORE_TIMEOUT_SECONDS = 1.5  # a client had better ask again than hold a thread while Redis hangs


@dataclass(frozen=True, slots=True)
class ApiContext:
    """The parts of the api."""

    settings: ApiSettings
    client: redis.Redis
    lease_seconds: float
    """a worker that was silent for longer is dead"""
    registry: Registry
    known: KnownStreams
    standings: Standings
    vault: Vault
    registrar: Registrar
    prober: Prober
    history: History
    exporter: Exporter
    media: MediaRecords
    event_files: MediaPlace
    scores: ScoreReader
    previewer: Previewer
    reviews: Reviews
    rollouts: RolloutDesk
    desk: EventDesk
    catalog: ModelListing
    listeners: Door
    feed: LiveFeed
    viewers: Door
    tiles: TileReader
    metrics: ApiMetrics
    targets: TargetDesk
    keyring: Keyring
    doorkeeper: Doorkeeper

    def shown(self, marked: MarkedEvent) -> EventView:
        """An event as the api shows it, with what was recorded of it. Raises StoreUnavailable."""
        return EventView.of(marked, self.media.get([marked.event.id]).get(marked.event.id))


def build_context(settings: ApiSettings, pace: RolloutPace) -> ApiContext:
    """The parts, connected to each other; no connection to Redis is opened yet. Rollouts go at this pace."""
    url = settings.redis_url.get_secret_value()
    client = connect(url, STORE_TIMEOUT_SECONDS, retries=1, name=NAME, partitions=settings.partitions)
    store = partial(connect_async, url, STORE_TIMEOUT_SECONDS, name=NAME, twin=client)
    catalog, metrics = ModelListing(settings.models_dir), ApiMetrics()
    vault = Vault(settings.secret_key.get_secret_value())
    registry, history = Registry(client, vault), History(client)
    known = KnownStreams(client)
    standings, series = Standings(client, known), StreamSeries(settings.metrics_streams)
    registrar, book = Registrar(client, registry, catalog, settings), RolloutBook(client)
    metrics.registry.register(StoreCollector(client, standings, settings.lease_seconds, series, book))
    listeners = Door("listeners", settings.api_listeners, settings.api_listeners_per_client)
    viewers = Door("viewers", settings.api_viewers, settings.api_viewers_per_client)
    return ApiContext(
        settings=settings,
        client=client,
        lease_seconds=settings.lease_seconds,
        registry=registry,
        known=known,
        standings=standings,
        vault=vault,
        registrar=registrar,
        prober=Prober(client, settings),
        history=history,
        exporter=Exporter(history, registry, settings.media_root),
        media=MediaRecords(client),
        event_files=place_of(settings.events_dir, API_SECONDS),
        scores=ScoreReader(client),
        previewer=Previewer(client),
        reviews=Reviews(client),
        rollouts=RolloutDesk(registry, known, registrar, book, RolloutKeeper(client, registrar, book, pace)),
        desk=EventDesk(client),
        catalog=catalog,
        listeners=listeners,
        feed=LiveFeed(store(), metrics, listeners),
        viewers=viewers,
        tiles=TileReader(store(), metrics, viewers),
        metrics=metrics,
        targets=TargetDesk(client, settings.receivers, vault),
        keyring=Keyring(client, settings.first_key),
        doorkeeper=Doorkeeper(store(retries=1), settings.first_key, settings.api_session_seconds),
    )


def _context_of(connection: HTTPConnection) -> ApiContext:
    context: ApiContext = connection.app.state.context
    return context


Context = Annotated[ApiContext, Depends(_context_of)]
