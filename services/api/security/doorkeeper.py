"""Tells who asks. A key is looked up in Redis at each request: once revoked, it opens nothing from that moment on."""

import ipaddress
import logging
import time
from contextlib import suppress
from typing import Any, Final

import redis.asyncio
from starlette.datastructures import Headers
from starlette.types import Scope

from services.api.protocol.errors import ApiError
from services.api.security.keyring import read_record
from services.api.security.keys import ANYBODY, ApiKey, Caller, KeyRecord, Session
from services.api.security.lockout import Lockout
from services.api.security.policy import is_write
from services.api.security.sessions import Sessions, check_csrf
from shared.clock import now_ms
from shared.errors import StoreUnavailable
from shared.records import parsed_spec
from shared.store.client import translated
from shared.store.keys import ACCESS_KEYS, ACCESS_USED
from shared.store.layout.known import layout_of_async
from shared.streams import StreamSpec

log = logging.getLogger(__name__)

USED_SECONDS: Final = 60.0
SAID: Final = {"revoked": "was revoked", "expired": "has expired"}
FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "via")
"""With these, a proxy speaks for somebody who may be anywhere."""


class Doorkeeper:
    """Used on the event loop. Every method raises StoreUnavailable, and ApiError (401) with the reason."""

    def __init__(self, client: redis.asyncio.Redis, first: KeyRecord | None, session_seconds: int) -> None:
        self._client = client
        self._first = first
        self.sessions = Sessions(client, session_seconds)
        self._lockout = Lockout()
        self._used: dict[str, float] = {}

    async def caller(self, scope: Scope) -> Caller:
        """Who makes this request."""
        headers = Headers(scope=scope)
        if self._first is None and is_from_here(scope, headers) and await self._has_no_key():
            return ANYBODY  # whatever it sends: the command line has a key for other systems
        given = headers.get("authorization")
        if given is not None:
            scheme, _, text = given.partition(" ")
            return Caller.of(await self.login(scope, text.strip() if scheme.lower() == "bearer" else ""))
        if session := await self.sessions.find(headers):
            return await self._caller_in(session, scope, headers)
        raise unauthorized("key_missing", "this api asks for a key: send it as `Authorization: Bearer afi_…`")

    async def login(self, scope: Scope, text: str) -> KeyRecord:
        """What is known of a key that opens something now; raises ApiError (429) where too many were wrong before."""
        address, key = (scope.get("client") or ("", 0))[0], ApiKey.parse(text)
        key_id, digest = (key.id, key.digest) if key else (None, None)
        self._lockout.check(address, key_id, digest)
        if key is None:
            self._lockout.failed(address, None, None)
            raise unauthorized("key_malformed", "not `Bearer` and a whole key, as it was shown")
        record = await self.record(key.id)
        if record is None or not record.is_of(key):
            self._lockout.failed(address, record.id if record else None, digest)
            log.warning("a wrong key, from %s%s", address, f", for {record.id}" if record else "")
            raise unauthorized("key_wrong", "no such key")
        await self._check(record)
        self._lockout.succeeded(address, key.digest)
        return record

    async def _caller_in(self, session: Session, scope: Scope, headers: Headers) -> Caller:
        record = await self.record(session.key_id)
        if record is None:
            raise unauthorized("key_wrong", "the key of this session is gone")
        await self._check(record)
        if is_write(scope):
            check_csrf(session, headers)
        return Caller.of(record, session)

    async def still_opens(self, scope: Scope, caller: Caller) -> bool:
        """Whether what let a caller in would let it in again."""
        if caller.session and not await self.sessions.find(Headers(scope=scope)):
            return False
        record = await self.record(caller.key_id) if caller.key_id else None
        return record is not None and record.why_not(now_ms()) is None

    async def record(self, key_id: str) -> KeyRecord | None:
        """What is stored under a key's id, or named by the settings."""
        with translated():
            stored: Any = await self._client.hget(ACCESS_KEYS, key_id)
        if stored is not None:
            return read_record(stored)
        return self._first if self._first and self._first.id == key_id else None

    async def groups_of(self, stream_id: str) -> tuple[str, ...] | None:
        """A stream's groups, none of one that cannot be read; None where there is no such stream."""
        layout = await layout_of_async(self._client)
        with translated():
            stored: Any = await self._client.hget(layout.keys_of(stream_id).streams, stream_id)
        if stored is None:
            return None
        spec = parsed_spec(stream_id, stored)
        return spec.groups if isinstance(spec, StreamSpec) else ()

    async def close(self) -> None:
        """Closes its connections."""
        await self._client.aclose()

    async def _check(self, record: KeyRecord) -> None:
        if problem := record.why_not(now_ms()):
            raise unauthorized(f"key_{problem}", f"the key {record.id} {SAID[problem]}")
        if time.monotonic() - self._used.get(record.id, -USED_SECONDS) >= USED_SECONDS:
            self._used[record.id] = time.monotonic()
            with suppress(StoreUnavailable), translated():  # a Redis that takes nothing more still lets people in
                await self._client.hset(ACCESS_USED, record.id, str(now_ms()))

    async def _has_no_key(self) -> bool:
        with translated():
            return not await self._client.hlen(ACCESS_KEYS)


def unauthorized(code: str, message: str) -> ApiError:
    """The error for who is not known."""
    return ApiError(401, code, message)


def is_from_here(scope: Scope, headers: Headers) -> bool:
    """Whether it is this machine that asks, for itself."""
    return is_loopback((scope.get("client") or ("", 0))[0]) and not any(name in headers for name in FORWARDED)


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
