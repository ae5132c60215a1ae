"""Lua scripts on Redis, one by one or many in one round trip.

A Redis that is out of memory refuses what takes memory, but lets a script finish that has written before. What must go
on even then (leases, statuses, and the commits that alone make room) therefore begins with a write that takes none.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import redis
from redis.exceptions import NoScriptError, ResponseError

from shared.store.errors import damage_in, raise_but_damage

LUA: Final = Path(__file__).parent / "lua"
"""Each script's file begins with what it does, and names its keys and arguments."""

Reply = TypeVar("Reply")


def lua(name: str) -> str:
    """The script of that name."""
    return (LUA / f"{name}.lua").read_text()


IS_AFTER: Final = lua("is_after")
"""A part of scripts: says which of two entries is the later."""
EVENTS: Final = lua("events")
"""A part of scripts: writes and tells events."""
WRONG: Final = lua("wrong")
"""A part of scripts: says which key is of another type than it should be."""


class Script:
    """A script and the client it runs on. Raises the client library's errors; callers translate them.

    A call may reach Redis twice, after a lost connection or where a server does not know the script: it must bear that.
    """

    def __init__(self, client: redis.Redis, body: str) -> None:
        self._client = client
        self._body = body
        self._sha = hashlib.sha1(body.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, keys: Sequence[str], args: Sequence[Any]) -> Any:  # noqa: ANN401  (what a script returns)
        """Runs it once; all keys lie in one slot."""
        execute: Callable[..., Any] = self._client.execute_command
        return self._run(lambda *script: execute(*script, len(keys), *keys, *args))

    def many(self, calls: Iterable[tuple[Sequence[str], Sequence[Any]]]) -> list[Any]:
        """Runs it once for each (keys, arguments), in one pipelined round trip; the replies in the same order.

        Of a call that breaks off because of what it meets in Redis the reply is Damaged; the others go on.
        """
        wanted = list(calls)
        return self._run(lambda *script: self._piped(script, wanted)) if wanted else []

    def _piped(self, script: Sequence[str], calls: Sequence[tuple[Sequence[str], Sequence[Any]]]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for keys, args in calls:
            pipeline.execute_command(*script, len(keys), *keys, *args)  # type: ignore[no-untyped-call]
        replies = pipeline.execute(raise_on_error=False)
        raise_but_damage(replies)
        return [damage_in(reply) or reply for reply in replies]

    def _run(self, send: Callable[..., Reply]) -> Reply:
        try:
            try:
                return send("EVALSHA", self._sha)
            except NoScriptError:  # a server that is new, or restarted: whichever it is, this teaches it
                return send("EVAL", self._body)
        except ResponseError as err:
            if "READONLY" in str(err):
                self._leave()
            raise

    def _leave(self) -> None:
        """Closes idle connections: they lead to what was the master, and its name may lead to the new one by now.

        A cluster's client is redirected instead.
        """
        if isinstance(self._client, redis.Redis):
            self._client.connection_pool.disconnect(inuse_connections=False)
