"""Sessions of browsers: a cookie that scripts cannot read stands for a key, and each write proves that a page asked.

Kept is the cookie's hash, so what lies in Redis opens nothing. A session ends with its key, at once.
"""

import hashlib
import hmac
import secrets
from typing import Any, Final

import redis.asyncio
from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from services.api.protocol.errors import ApiError
from services.api.security.keys import Session
from shared.clock import now_ms
from shared.store.client import translated
from shared.store.keys import session_key, sessions_key

COOKIE: Final = "afterimage_session"
CSRF_HEADER: Final = "X-CSRF-Token"
MAX_OF_KEY: Final = 100
"""So many sessions of one key; the one that would end first makes room."""


class Sessions:
    """Opened, found and closed. Every method raises StoreUnavailable."""

    def __init__(self, client: redis.asyncio.Redis, seconds: int) -> None:
        self._client = client
        self._seconds = seconds

    async def open(self, key_id: str) -> tuple[str, Session]:
        """A new session, and what its cookie holds."""
        token, listed = secrets.token_urlsafe(32), sessions_key(key_id)
        expires_at_ms = now_ms() + 1000 * self._seconds
        session = Session(key_id=key_id, csrf=secrets.token_urlsafe(32), expires_at_ms=expires_at_ms)
        with translated():
            oldest: Any = await self._client.zrange(listed, 0, -MAX_OF_KEY)
            async with self._client.pipeline(transaction=True) as pipeline:
                for digest in oldest:
                    pipeline.delete(session_key(digest.decode()))
                    pipeline.zrem(listed, digest)
                pipeline.zremrangebyscore(listed, 0, now_ms())
                pipeline.zadd(listed, {_digest(token): expires_at_ms})
                pipeline.expire(listed, self._seconds)
                pipeline.set(session_key(_digest(token)), session.model_dump_json(), ex=self._seconds)
                await pipeline.execute()
        return token, session

    async def find(self, headers: Headers) -> Session | None:
        """The session of a request's cookie; None where there is none, or it has ended."""
        token = _token_in(headers)
        if token is None:
            return None
        with translated():
            stored: Any = await self._client.get(session_key(_digest(token)))
        try:
            return Session.model_validate_json(stored) if stored else None
        except ValidationError:
            return None

    async def close(self, headers: Headers) -> None:
        """Ends the session of a request's cookie, if there is one."""
        if (token := _token_in(headers)) and (session := await self.find(headers)):
            with translated():
                await self._client.delete(session_key(_digest(token)))
                await self._client.zrem(sessions_key(session.key_id), _digest(token))


def check_csrf(session: Session, headers: Headers) -> None:
    """Raises ApiError (403) unless a write carries what only a page of this api's own was told."""
    if not hmac.compare_digest(headers.get(CSRF_HEADER, "").encode(), session.csrf.encode()):
        problem = f"{CSRF_HEADER}: a session's write carries the csrf_token of GET /v1/session"
        raise ApiError(403, "csrf_missing", problem, field=CSRF_HEADER)


def _token_in(headers: Headers) -> str | None:
    cookies = cookie_parser(headers.get("cookie", ""))
    return cookies.get(COOKIE)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
