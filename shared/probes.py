"""Trying a source once: asked for over REST, done by whichever ingest worker takes it, and what lies between in Redis.

A request may hold credentials, so it is deleted as it is taken, and forgotten where nobody takes it in time. All keys
share one hash tag, so one cluster slot.
"""

import secrets
from typing import Any, Final

import redis
from pydantic import BaseModel, ConfigDict, Field

from shared.keys import PROBES_OPEN, PROBES_WAITING, probe_answer_key
from shared.scripts import Script
from shared.store import translated
from shared.streams import RtspTransport

PROBE_SECONDS: Final = 15.0
"""How long a source may take to give a picture."""
WAIT_SECONDS: Final = 35.0
"""How long an answer is waited for: another probe's time, this one's, and what lies between."""
KEPT_SECONDS: Final = 10.0
MAX_OPEN: Final = 8

ASK = """
-- Notes a request, unless too many are waited for. Asking twice is asking once.
-- KEYS: 1 open, 2 waiting    ARGV: 1 id, 2 request, 3 most open, 4 milliseconds until it is given up
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

TAKE = """
-- Takes the request that waits longest out of Redis; false where none waits.
-- KEYS: 1 open, 2 waiting
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')) do
  local request = redis.call('HGET', KEYS[2], id)
  if request then
    redis.call('HDEL', KEYS[2], id)
    return {id, request}
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

    At most MAX_OPEN probes are waited for at a time, running ones among them: more are refused.
    """

    def __init__(self, client: redis.Redis, wait_seconds: float = WAIT_SECONDS) -> None:
        self._client = client
        self._wait_ms = round(wait_seconds * 1000)
        self._ask, self._take, self._answer = (Script(client, body) for body in (ASK, TAKE, ANSWER))

    def ask(self, request: ProbeRequest) -> str | None:
        """The id under which the answer will come; None where too many are waited for already."""
        probe_id = secrets.token_hex(8)
        arguments = [probe_id, request.model_dump_json(), MAX_OPEN, self._wait_ms]
        with translated():
            return probe_id if self._ask([PROBES_OPEN, PROBES_WAITING], arguments) else None

    def take(self) -> tuple[str, ProbeRequest] | None:
        """The request that waits longest, with its id; nobody else gets it."""
        with translated():
            taken: Any = self._take([PROBES_OPEN, PROBES_WAITING], [])
        return (taken[0].decode(), ProbeRequest.model_validate_json(taken[1])) if taken else None

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
