"""Answers an HTTP server's demand for a password: basic (RFC 7617) and digest (RFC 7616)."""

import hashlib
import re
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote
from urllib.request import parse_http_list, parse_keqv_list

HASHES: Final[dict[str, Callable[[bytes], "hashlib._Hash"]]] = {
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False),  # what most cameras know
    "sha": lambda data: hashlib.sha1(data, usedforsecurity=False),
    "sha-256": hashlib.sha256,
}


@dataclass(frozen=True, slots=True)
class Login:
    """A user and a password as they are, not percent-encoded."""

    user: str
    password: str

    @classmethod
    def of(cls, user_info: str) -> "Login | None":
        """The login of a URL's percent-encoded user info; None where it is empty."""
        user, _, password = user_info.partition(":")
        return cls(unquote(user), unquote(password)) if user_info else None


class Authorizer:
    """Writes the Authorization header of each request once the server has said what it wants."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._digest: dict[str, str] = {}
        self._wants_basic = False
        self._count = 0

    def challenged(self, challenges: Iterable[str]) -> bool:
        """Takes the WWW-Authenticate headers of a refusal; whether there is one that can be answered."""
        self._digest, self._wants_basic, self._count = {}, False, 0
        for challenge in challenges:
            scheme, _, rest = challenge.strip().partition(" ")
            if scheme.lower() == "digest":
                fields = _fields(rest)
                if not self._digest and _is_known(fields):
                    self._digest = fields
            elif scheme.lower() == "basic":
                self._wants_basic = True
        return bool(self._digest or self._wants_basic)

    def header(self, method: str, target: str) -> str | None:
        """The header's value for a request; None as long as none was asked for."""
        if self._digest:
            return self._digest_header(method, target)
        if self._wants_basic:
            return "Basic " + b64encode(f"{self._login.user}:{self._login.password}".encode()).decode()
        return None

    def _digest_header(self, method: str, target: str) -> str:
        self._count += 1
        fields, client_nonce, count = self._digest, secrets.token_hex(8), f"{self._count:08x}"
        algorithm = fields.get("algorithm", "MD5")
        digest = HASHES[_hash_name(algorithm)]

        def hashed(*parts: str) -> str:
            return digest(":".join(parts).encode()).hexdigest()

        realm, nonce = fields["realm"], fields["nonce"]
        secret = hashed(self._login.user, realm, self._login.password)
        if algorithm.lower().endswith("-sess"):
            secret = hashed(secret, nonce, client_nonce)
        request = hashed(method, target)
        said = {"username": self._login.user, "realm": realm, "nonce": nonce, "uri": target}
        if "qop" in fields:
            said |= {"response": hashed(secret, nonce, count, client_nonce, "auth", request), "cnonce": client_nonce}
        else:
            said |= {"response": hashed(secret, nonce, request)}
        if "opaque" in fields:
            said["opaque"] = fields["opaque"]
        plain = {"algorithm": algorithm} if "algorithm" in fields else {}
        plain |= {"qop": "auth", "nc": count} if "qop" in fields else {}
        quoted = [f'{name}="{_escaped(value)}"' for name, value in said.items()]
        return "Digest " + ", ".join(quoted + [f"{name}={value}" for name, value in plain.items()])


def _fields(challenge: str) -> dict[str, str]:
    pairs = [pair for pair in parse_http_list(challenge) if "=" in pair]
    return {name.lower(): value for name, value in parse_keqv_list(pairs).items()}


def _is_known(fields: dict[str, str]) -> bool:
    ways = re.split(r"[,\s]+", fields.get("qop", "auth").lower())
    known = _hash_name(fields.get("algorithm", "MD5")) in HASHES
    return known and "auth" in ways and {"realm", "nonce"} <= fields.keys()


def _hash_name(algorithm: str) -> str:
    return algorithm.lower().removesuffix("-sess")


def _escaped(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return escaped.encode().decode("latin-1")  # as header bytes go out
