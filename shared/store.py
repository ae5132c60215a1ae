"""The connection to Redis, and its errors in our own tree."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis
import redis.asyncio
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from shared.errors import SettingsInvalid, StoreUnavailable
from shared.redaction import redact

TIMEOUT_SECONDS = 10.0
RETRIES = 3
MAX_CONNECTIONS = 4096


def connect(url: str, timeout_seconds: float = TIMEOUT_SECONDS, retries: int = RETRIES) -> redis.Redis:
    """A client for the URL; opens no connection yet. Commands here are safe to repeat, so it retries them."""
    with _translated_url(url):
        return redis.Redis.from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            retry=Retry(ExponentialWithJitterBackoff(cap=1.0, base=0.05), retries),
        )


def connect_async(url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> redis.asyncio.Redis:
    """The same for asyncio; the caller closes it with `aclose`."""
    with _translated_url(url):
        return redis.asyncio.Redis.from_url(url, socket_timeout=timeout_seconds, socket_connect_timeout=timeout_seconds)


@contextmanager
def translated() -> Iterator[None]:
    """Turns the client library's errors into StoreUnavailable."""
    try:
        yield
    except (RedisError, OSError) as err:
        raise StoreUnavailable(f"Redis: {redact(str(err)) or type(err).__name__}") from err


@contextmanager
def _translated_url(url: str) -> Iterator[None]:
    try:
        yield
    except ValueError as err:
        raise SettingsInvalid(f"redis_url {redact(url)!r}: expected redis://, rediss:// or unix://") from err
