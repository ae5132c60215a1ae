"""The connection to Redis, and its errors in our own tree."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import ExponentialWithJitterBackoff
from redis.client import Pipeline
from redis.connection import parse_url
from redis.exceptions import ResponseError
from redis.retry import Retry
from redis.sentinel import Sentinel

from shared.store.address import ManyHosts, check_tls, invalid
from shared.store.errors import damage_in, raise_but_damage, translated
from shared.store.layout.known import Known

__all__ = ["connect", "connect_async", "entries_after", "replies_of", "streams_in", "translated"]

TIMEOUT_SECONDS = 10.0
RETRIES = 3
MAX_CONNECTIONS = 4096
NAME = "afterimage"
"""What every connection's name begins with, so that one can see in Redis who is connected."""

StreamEntry = tuple[bytes, dict[bytes, bytes]]
"""Id and fields of an entry of a Redis stream."""


def connect(
    url: str,
    timeout_seconds: float = TIMEOUT_SECONDS,
    retries: int = RETRIES,
    *,
    name: str = "client",
    partitions: int | None = None,
) -> redis.Redis:
    """A client for the URL of a server, a cluster or a master behind sentinels; opens no connection yet.

    Commands here are safe to repeat, so it retries them. A service gives its `name` and its setting of `partitions`:
    it divides a fresh store, where others write nothing. Raises SettingsInvalid.
    """
    client: Any = _client(url, timeout_seconds, retries, name)
    client.layout = Known(partitions)
    return cast(redis.Redis, client)


def _client(url: str, timeout_seconds: float, retries: int, name: str) -> redis.Redis:
    options = _options(timeout_seconds) | {"client_name": f"{NAME}:{name}"}
    retry = Retry(_backoff(), retries)
    with _checked():
        hosts = ManyHosts.parse(url)
        if hosts is None:
            _check_single(url)
            return redis.Redis.from_url(url, retry=retry, **options)
        check_tls(hosts.options, is_tls="ssl" in hosts.options)
        options |= hosts.options
        redis.Redis(**options)  # raises for an option that there is none of
        if hosts.kind == "cluster":
            from shared.store.cluster import Cluster  # noqa: PLC0415  (it changes redis-py: only for a cluster)

            # What we use of it is the same, but redis-py has no common type.
            return cast(redis.Redis, Cluster(hosts.addresses, retry=retry, **options))
        master, database = hosts.master()
        asking = {**_options(timeout_seconds), **hosts.asking, "retry": Retry(_backoff(), 0)}  # the next knows as well
        sentinel: Any = Sentinel((), sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
        sentinel.sentinels = [AskedSentinel(host=host, port=port, **asking) for host, port in hosts.addresses]
        return cast(redis.Redis, sentinel.master_for(master, db=database, retry=retry, **options))


def connect_async(
    url: str,
    timeout_seconds: float = TIMEOUT_SECONDS,
    retries: int = RETRIES,
    *,
    name: str = "client",
    twin: redis.Redis | None = None,
) -> redis.asyncio.Redis:
    """The same for asyncio; the caller closes it with `aclose`. What is known of the store is learnt by its twin."""
    client: Any = _async_client(url, timeout_seconds, retries, name)
    client.twin = twin or connect(url, timeout_seconds, retries, name=name)
    return cast(redis.asyncio.Redis, client)


def _async_client(url: str, timeout_seconds: float, retries: int, name: str) -> redis.asyncio.Redis:
    options = _options(timeout_seconds) | {"client_name": f"{NAME}:{name}"}
    retry = AsyncRetry(_backoff(), retries)
    with _checked():
        hosts = ManyHosts.parse(url)
        if hosts is None:
            _check_single(url)
            return redis.asyncio.Redis.from_url(url, retry=retry, **options)
        check_tls(hosts.options, is_tls="ssl" in hosts.options)
        options |= hosts.options
        redis.Redis(**options)
        if hosts.kind == "cluster":
            from shared.store.cluster import AsyncCluster  # noqa: PLC0415

            return cast(redis.asyncio.Redis, AsyncCluster(hosts.addresses, retry=retry, **options))
        master, database = hosts.master()
        asking = {**_options(timeout_seconds), **hosts.asking, "retry": AsyncRetry(_backoff(), 0)}
        sentinel: Any = AsyncSentinel((), sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
        sentinel.sentinels = [AsyncAskedSentinel(host=host, port=port, **asking) for host, port in hosts.addresses]
        return cast(redis.asyncio.Redis, sentinel.master_for(master, db=database, retry=retry, **options))


class AskedSentinel(redis.Redis):
    """One of the sentinels, whose troubles read well where the library lists them: `sentinel HOST:PORT - …`."""

    def __repr__(self) -> str:
        return _called(self)

    def sentinel_masters(self) -> Any:  # noqa: ANN401  (the library's)
        """What it watches; raises SentinelRefuses."""
        try:
            return super().sentinel_masters()
        except redis.AuthenticationError as err:
            raise SentinelRefuses from err


class AsyncAskedSentinel(redis.asyncio.Redis):
    """The same for asyncio."""

    def __repr__(self) -> str:
        return _called(self)

    async def sentinel_masters(self) -> Any:  # noqa: ANN401  (the library's)
        """What it watches; raises SentinelRefuses."""
        try:
            return await super().sentinel_masters()
        except redis.AuthenticationError as err:
            raise SentinelRefuses from err


class SentinelRefuses(redis.ConnectionError):
    """A sentinel wants another login; the library goes on to the next, and lists this one."""

    def __repr__(self) -> str:
        return "refuses the login, which is sentinel_username and sentinel_password in the URL"


def _called(sentinel: redis.Redis | redis.asyncio.Redis) -> str:
    where = sentinel.connection_pool.connection_kwargs
    return f"sentinel {where.get('host')}:{where.get('port')}"


def replies_of(pipeline: Pipeline) -> list[Any]:
    """What a pipeline of reads is answered; a key of another type than asked for is an error in its place alone.

    Raises StoreUnavailable for every other error.
    """
    with translated():
        replies = pipeline.execute(raise_on_error=False)
        raise_but_damage(replies)
    return replies


def entries_after(client: redis.Redis, places: Mapping[str, str], count: int) -> dict[str, list[StreamEntry]]:
    """The next entries of Redis streams after an id of each: as many at most, of those that have any.

    One command for all of them, however many there are, since most have nothing. A key of another type has no entries,
    and then each is asked by itself. Raises StoreUnavailable.
    """
    if not places:
        return {}
    with translated():
        try:
            replies = [client.xread(cast(dict[Any, Any], places), count=count)]
        except ResponseError as err:
            if not damage_in(err):
                raise
            replies = []
    if not replies:
        pipeline = client.pipeline(transaction=False)
        for key, entry_id in places.items():
            pipeline.xread({key: entry_id}, count=count)
        replies = replies_of(pipeline)
    return {key.decode(): entries for key, entries in streams_in(replies)}


def streams_in(replies: Iterable[Any]) -> Iterable[tuple[bytes, list[StreamEntry]]]:
    """XREAD's replies as (key, entries), whichever protocol the client speaks; errors are left out."""
    for reply in replies:
        if not reply or isinstance(reply, Exception):
            continue
        yield from reply.items() if isinstance(reply, dict) else reply


def _check_single(url: str) -> None:
    """Raises ValueError or TypeError for options that a single server's connections do not take."""
    parse: Callable[[str], dict[str, Any]] = parse_url
    given = parse(url)
    kind = given.pop("connection_class", redis.Connection)
    check_tls(given, is_tls=kind is redis.SSLConnection)
    given.pop("max_connections", None)  # the pool's
    kind(**given)


def _options(timeout_seconds: float) -> dict[str, Any]:
    return {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "max_connections": MAX_CONNECTIONS,
    }


def _backoff() -> ExponentialWithJitterBackoff:
    return ExponentialWithJitterBackoff(cap=1.0, base=0.05)


@contextmanager
def _checked() -> Iterator[None]:
    try:
        yield
    except (TypeError, ValueError) as err:
        raise invalid(err) from err
