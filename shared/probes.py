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

from shared.store.client import translated
from shared.store.keys import PROBE_DESKS, PROBES_OPEN, PROBES_WAITING, probe_answer_key
from shared.store.scripts import Script, lua
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

ASK: Final = lua("probe_ask")
DESKS: Final = lua("probe_desks")
TAKE: Final = lua("probe_take")
ANSWER: Final = lua("probe_answer")


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
