"""What Redis and its client library say in trouble, in our own error tree."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import (
    ClusterCrossSlotError,
    CrossSlotTransactionError,
    DataError,
    OutOfMemoryError,
    RedisClusterException,
    RedisError,
)

from shared.errors import StoreFull, StoreUnavailable
from shared.words.redaction import redact

TROUBLE = (RedisError, RedisClusterException, OSError)
MAX_CHARACTERS = 300  # the client library can be long-winded
OUT_OF_MEMORY = "OOM command not allowed"  # as a script's own error, of whatever version
ARGUMENTS = ", with args beginning with"
"""What a server says before it repeats arguments of a command that it does not know: passwords, if that is AUTH."""
DEFECTS = (DataError, ClusterCrossSlotError, CrossSlotTransactionError)


@contextmanager
def translated() -> Iterator[None]:
    """Turns the client library's errors into StoreUnavailable, one of a full Redis into StoreFull.

    Whatever the server answers counts as trouble, a wrong type or a script's error, too: who asked can only wait, say
    so and ask again, and other streams need not end for one that is damaged. What can never have gone well, whatever
    Redis says (values that cannot be sent, keys of two slots), is a defect and stays as it is.
    """
    try:
        yield
    except DEFECTS:
        raise
    except TROUBLE as err:
        said = redact(str(err).partition(ARGUMENTS)[0])[:MAX_CHARACTERS] or type(err).__name__
        if isinstance(err, OutOfMemoryError) or OUT_OF_MEMORY in str(err):
            raise StoreFull("Redis: it is full, and refuses what takes memory") from err
        raise StoreUnavailable(f"Redis: {said}") from err
