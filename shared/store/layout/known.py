"""What a client knows of the store's layout, which the store itself says in one key.

Whoever comes first to a fresh store writes it, all others follow. It changes only while no service runs
(`afterimage store repartition`). A process that lost its connections before that and was not seen must not go on as
before: so what is known is trusted for a few seconds only, and a repartition begins by waiting longer than that.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Literal, Protocol, cast

import redis
import redis.asyncio
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import SettingsInvalid, StoreFull, StoreUnavailable, StoreUnfit
from shared.store.errors import raise_but_damage, translated
from shared.store.keys import FIRST_COUNT, LAYOUT, ROLES
from shared.store.layout.partitioning import FEED_ENTRIES, MAX_COUNT, Partitioning

TRUST_SECONDS: Final = 10.0
COMMAND: Final = "afterimage store repartition --to"


class LayoutRecord(BaseModel):
    """The key's content (JSON). A later version that changes what is meant says another `version`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: Literal[1] = 1
    partitions: int = Field(default=FIRST_COUNT, ge=1, le=MAX_COUNT)
    moves: int = Field(default=0, ge=0)
    feed_entries: int = Field(default=FEED_ENTRIES, ge=FEED_ENTRIES)
    moving_to: int | None = Field(default=None, ge=1, le=MAX_COUNT)
    """A repartition is half-way: nobody else may write."""
    began_ms: int = 0
    """When it began, by Redis's clock."""
    is_copied: bool = False
    """It is past its turning point: all there is lies in the new partitions, and what is left of the old ones goes."""

    @property
    def partitioning(self) -> Partitioning:
        """The same for those who go by it."""
        return Partitioning(self.partitions, self.moves, self.feed_entries)

    @classmethod
    def parse(cls, text: bytes) -> "LayoutRecord":
        """The key's content; raises StoreUnfit where this version cannot read it."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as err:
            raise StoreUnfit(f"Redis: {LAYOUT} is not to be read: a later version of Afterimage wrote it") from err


class Known:
    """What one client knows. `wanted`: None follows the store and writes nothing, 0 takes any number, else that one."""

    def __init__(self, wanted: int | None) -> None:
        self._wanted = wanted
        self._until = 0.0
        self.partitioning: Partitioning | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether the store need not be asked."""
        return self.partitioning is not None and time.monotonic() < self._until

    def learn(self, client: redis.Redis) -> Partitioning:
        """Asks the store. Raises StoreUnavailable, StoreUnfit where this process cannot work with its layout."""
        asked = time.monotonic()
        with translated():
            record = _stored(client, self._wanted)
        if record.moving_to:
            raise StoreUnfit(
                f"the store is being repartitioned, from {record.partitions} to {record.moving_to} partitions, and "
                f"that is half-way: `{COMMAND} {record.moving_to}` goes on with it"
            )
        found = record.partitioning
        if self._wanted and found.count != self._wanted:
            raise StoreUnfit(
                f"AFTERIMAGE_PARTITIONS: {self._wanted}, but the store has {found.count} partitions: leave it out, or "
                f"stop all services and run `{COMMAND} {self._wanted}`"
            )
        if self.partitioning not in {None, found}:
            raise StoreUnfit(f"the store was repartitioned and has {found.count} partitions now: restart this process")
        self.partitioning, self._until = found, asked + TRUST_SECONDS
        return found


class _Knowing(Protocol):
    """A client as `shared.store.client.connect` makes it."""

    layout: Known


class _HasTwin(Protocol):
    """One as `shared.store.client.connect_async` makes it."""

    twin: redis.Redis


def layout_of(client: redis.Redis) -> Partitioning:
    """The layout of the store that a client is connected to, asked for now and then. Raises StoreUnavailable."""
    known = cast(_Knowing, client).layout
    if known.partitioning is not None and known.is_fresh:
        return known.partitioning
    return known.learn(client)


async def layout_of_async(client: redis.asyncio.Redis) -> Partitioning:
    """The same for asyncio."""
    twin = cast(_HasTwin, client).twin
    known = cast(_Knowing, twin).layout
    if known.partitioning is not None and known.is_fresh:
        return known.partitioning
    return await asyncio.to_thread(known.learn, twin)


def partition_for_logs(client: redis.Redis) -> Callable[[str], int | None]:
    """Tells a stream's partition as far as that is known already: whoever writes a log line asks nobody."""
    known = cast(_Knowing, client).layout
    return lambda stream_id: known.partitioning.of(stream_id) if known.partitioning else None


def check_layout(client: redis.Redis) -> None:
    """Raises SettingsInvalid where this process cannot work with the store; while Redis is away that is not known."""
    try:
        layout_of(client)
    except StoreUnfit as err:
        raise SettingsInvalid(str(err)) from err
    except StoreUnavailable:
        pass  # whoever asks for the layout next is told


def _stored(client: redis.Redis, wanted: int | None) -> LayoutRecord:
    """What the key says; where there is none, what holds without it, which is written down unless `wanted` is None."""
    text = client.get(LAYOUT)
    if text is not None:
        return LayoutRecord.parse(cast(bytes, text))
    count = wanted if wanted and not _has_data(client) else FIRST_COUNT
    record = LayoutRecord(partitions=count)
    if wanted is None:
        return record
    try:
        with translated():
            client.set(LAYOUT, record.model_dump_json(exclude_defaults=False), nx=True)
            text = client.get(LAYOUT)
    except StoreFull:
        if count != FIRST_COUNT:
            raise
    return LayoutRecord.parse(cast(bytes, text)) if text is not None else record


def _has_data(client: redis.Redis) -> bool:
    """Whether an earlier version, which knew no such key, has worked with the store."""
    pipeline = client.pipeline(transaction=False)
    for keys in Partitioning().all:
        for key in (keys.streams, keys.changes, keys.feed, *map(keys.fence, ROLES)):
            pipeline.exists(key)
    replies = pipeline.execute(raise_on_error=False)
    raise_but_damage(replies)
    return any(replies)
