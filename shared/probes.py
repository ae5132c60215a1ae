"""Trying a source once: asked for over REST, done by whichever ingest worker takes it, and what lies between in Redis.

A request may hold credentials, and what Redis is given it also writes to its files and sends to its replicas. So each
ingest worker has a key pair for as long as it lives, of which Redis holds the public half, and a request is sealed for
the workers that are there (HPKE, RFC 9180): only they can read it, and nobody once they have ended. It is deleted as it
is taken, and forgotten where nobody takes it in time. All keys share one hash tag, so one cluster slot.
"""

import json
import secrets
from collections.abc import Iterable
from typing import Any, Final

import redis
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from pydantic import BaseModel, ConfigDict, Field

from shared.keys import PROBE_DESKS, PROBES_OPEN, PROBES_WAITING, probe_answer_key
from shared.scripts import Script
from shared.store import translated
from shared.streams import RtspTransport

PROBE_SECONDS: Final = 15.0
"""How long a source may take to give a picture."""
WAIT_SECONDS: Final = 35.0
"""How long an answer is waited for: another probe's time, this one's, and what lies between."""
KEPT_SECONDS: Final = 10.0
MAX_OPEN: Final = 8
DESK_SECONDS: Final = 5.0
"""A worker that has not looked for requests for so long takes none."""
SAYING_SECONDS: Final = 1.0
"""How often one that looks says so."""
MAX_DESKS: Final = 16
"""How many workers a request is sealed for: those that looked last."""

SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)

ASK = """
-- Notes a request, unless too many are waited for. Asking twice is asking once.
-- KEYS: 1 open, 2 waiting    ARGV: 1 id, 2 sealed, 3 most open, 4 milliseconds until it is given up
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
  redis.call('ZREM', KEYS[1], id)
  redis.call('HDEL', KEYS[2], id)
end
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 1 end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[4], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1
"""

DESKS = """
-- The public keys of those who looked for requests lately, the latest first.
-- KEYS: 1 desks    ARGV: 1 milliseconds after which the silent count as gone, 2 how many at most
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', now - ARGV[1], 'LIMIT', 0, ARGV[2])
"""

TAKE = """
-- Takes the request that waits longest of those sealed for a desk; false where none waits. Says now and then that the
-- desk is there.
-- KEYS: 1 open, 2 waiting, 3 desks
-- ARGV: 1 public key of the desk, 2 milliseconds between its words, 3 milliseconds after which the silent are forgotten
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local said = redis.call('ZSCORE', KEYS[3], ARGV[1])
if not said or now - said >= tonumber(ARGV[2]) or said - now > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - ARGV[3]) -- before what takes memory
  redis.call('ZADD', KEYS[3], now, ARGV[1])
  redis.call('PEXPIRE', KEYS[3], ARGV[3])
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')) do
  local sealed = redis.call('HGET', KEYS[2], id)
  local own = sealed and cjson.decode(sealed)[ARGV[1]]
  if own then
    redis.call('HDEL', KEYS[2], id)
    return {id, own}
  end
end
return false
"""

ANSWER = """
-- Answers a probe that is still waited for, which makes room for another.
-- KEYS: 1 open, 2 answer    ARGV: 1 id, 2 report, 3 milliseconds to keep it
if redis.call('ZREM', KEYS[1], ARGV[1]) == 1 then redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3]) end
"""


class ProbeRequest(BaseModel):
    """A source to try; it may hold credentials, so it never leaves unredacted."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    source: str
    rtsp_transport: RtspTransport = "tcp"


class ProbeReport(BaseModel):
    """What came of trying a source: what it is, or the reason why it gives no picture."""

    model_config = ConfigDict(extra="ignore", frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    took_seconds: float
    reason: str | None = Field(default=None, description="why it gives none, in plain words, never with credentials")
    codec: str | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    duration_seconds: float | None = None
    jpeg: bytes = b""


class ProbeQueue:
    """Requests and answers. Every method raises StoreUnavailable.

    Who takes requests has a key pair, that of this object: it is in no file and ends with the process. At most MAX_OPEN
    probes are waited for at a time, running ones among them: more are refused.
    """

    def __init__(self, client: redis.Redis, wait_seconds: float = WAIT_SECONDS) -> None:
        self._client = client
        self._wait_ms = round(wait_seconds * 1000)
        self._ask, self._desks, self._take, self._answer = (Script(client, body) for body in (ASK, DESKS, TAKE, ANSWER))
        self._key = X25519PrivateKey.generate()
        self._desk = self._key.public_key().public_bytes_raw().hex()

    def desks(self) -> list[str]:
        """The public keys of the workers that take requests, none where nobody does."""
        with translated():
            found: Any = self._desks([PROBE_DESKS], [round(DESK_SECONDS * 1000), MAX_DESKS])
        return [desk.decode() for desk in found]

    def ask(self, request: ProbeRequest, desks: Iterable[str]) -> str | None:
        """The id under which the answer will come; None where too many are waited for already.

        Only the desks can read the request, and the first of them to look takes it.
        """
        probe_id = secrets.token_hex(8)
        sealed = {desk: _sealed(request, desk, probe_id) for desk in desks}
        arguments = [probe_id, json.dumps(sealed), MAX_OPEN, self._wait_ms]
        with translated():
            return probe_id if self._ask([PROBES_OPEN, PROBES_WAITING], arguments) else None

    def take(self) -> tuple[str, ProbeRequest] | None:
        """The request that waits longest, with its id; nobody else gets it. Who keeps asking is a desk."""
        arguments = [self._desk, round(SAYING_SECONDS * 1000), round(DESK_SECONDS * 1000)]
        with translated():
            taken: Any = self._take([PROBES_OPEN, PROBES_WAITING, PROBE_DESKS], arguments)
        if not taken:
            return None
        probe_id, sealed = taken[0].decode(), bytes.fromhex(taken[1].decode())
        request = SUITE.decrypt(sealed, self._key, probe_id.encode())
        return probe_id, ProbeRequest.model_validate_json(request)

    def leave(self) -> None:
        """Takes no more requests."""
        with translated():
            self._client.zrem(PROBE_DESKS, self._desk)

    def answer(self, probe_id: str, report: ProbeReport) -> None:
        """Leaves the answer for whoever asked, unless they have given up."""
        arguments = [probe_id, report.model_dump_json(), round(KEPT_SECONDS * 1000)]
        with translated():
            self._answer([PROBES_OPEN, probe_answer_key(probe_id)], arguments)

    def answer_to(self, probe_id: str) -> ProbeReport | None:
        """The answer, if there is one yet."""
        with translated():
            stored: Any = self._client.get(probe_answer_key(probe_id))
        return ProbeReport.model_validate_json(stored) if stored else None


def _sealed(request: ProbeRequest, desk: str, probe_id: str) -> str:
    """In hexadecimal, for one desk and under this id only: copied to another id it cannot be opened."""
    key = X25519PublicKey.from_public_bytes(bytes.fromhex(desk))
    return SUITE.encrypt(request.model_dump_json().encode(), key, probe_id.encode()).hex()
