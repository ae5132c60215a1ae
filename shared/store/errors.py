"""What Redis and its client library say in trouble, in our own error tree."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from redis.exceptions import (
    ClusterCrossSlotError,
    CrossSlotTransactionError,
    DataError,
    OutOfMemoryError,
    RedisClusterException,
    RedisError,
    ResponseError,
)

from shared.errors import StoreFull, StoreUnavailable
from shared.words.redaction import redact

TROUBLE = (RedisError, RedisClusterException, OSError)
MAX_CHARACTERS = 300  # the client library can be long-winded
OUT_OF_MEMORY = "OOM command not allowed"  # as a script's own error, of whatever version
ARGUMENTS = ", with args beginning with"
"""What a server says before it repeats arguments of a command that it does not know: passwords, if that is AUTH."""
DAMAGED = "DAMAGED "
"""What a script's answer begins with that looked before it wrote."""
OF_DATA = ("WRONGTYPE", "is not an integer", "is not a valid float", "attempt to ")
"""What Redis says of a key's type or value, and Lua of what a script read."""
DEFECTS = (DataError, ClusterCrossSlotError, CrossSlotTransactionError)


@dataclass(frozen=True, slots=True)
class Damaged:
    """What lies in Redis is not what belongs there, says `what`; nothing was written."""

    what: str


def damage_in(reply: object) -> Damaged | None:
    """What a reply says of the data that it met; None where it is none, or says something of Redis itself."""
    if not isinstance(reply, ResponseError):
        return None
    said = str(reply)
    if not any(words in said for words in (DAMAGED, *OF_DATA)):
        return None
    return Damaged(redact(said.removeprefix(DAMAGED))[:MAX_CHARACTERS])


def raise_but_damage(replies: Iterable[object]) -> None:
    """Raises the first error among a pipeline's replies that says something of Redis itself."""
    for reply in replies:
        if isinstance(reply, Exception) and not damage_in(reply):
            raise reply


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
        said = redact(str(err).removeprefix(DAMAGED).partition(ARGUMENTS)[0])[:MAX_CHARACTERS] or type(err).__name__
        if isinstance(err, OutOfMemoryError) or OUT_OF_MEMORY in str(err):
            raise StoreFull("Redis: it is full, and refuses what takes memory") from err
        raise StoreUnavailable(f"Redis: {said}") from err
