"""Answers a server's demand for a password: basic (RFC 7617) and digest (RFC 7616 and 2069), for any protocol.

httpx's own digest takes the first challenge that it sees, known to it or not, and reads a refusal's body to the end.
"""

import hashlib
import re
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

HASHES: Final[dict[str, Callable[[bytes], "hashlib._Hash"]]] = {
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False),  # what most cameras know
    "sha": lambda data: hashlib.sha1(data, usedforsecurity=False),
    "sha-256": hashlib.sha256,
    "sha-512": hashlib.sha512,
    "sha-512-256": lambda data: hashlib.new("sha512_256", data),
}
STRENGTHS: Final = tuple(
    name for name in HASHES if name != "sha-512-256" or "sha512_256" in hashlib.algorithms_available
)
"""What is known here, the weakest first."""
MAX_CHALLENGE: Final = 4096

_CHALLENGE: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9._-]*)"
    r"(?:\s+(?P<fields>(?:[\w-]+\s*=\s*(?:\"(?:[^\"\\]|\\.)*\"|[^\s,\"]*)\s*,?\s*)*))?"
)
_FIELD: Final = re.compile(r"([\w-]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,\"]*))")


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
        """Takes the WWW-Authenticate headers of a refusal; whether there is one that can be answered.

        Of several, the strongest that is known counts; basic is the last resort.
        """
        found = [challenge for header in challenges for challenge in parsed(header)]
        digests = [fields for scheme, fields in found if scheme == "digest" and _is_known(fields)]
        self._digest = max(digests, key=lambda fields: STRENGTHS.index(_hash_name(fields)), default={})
        self._wants_basic = any(scheme == "basic" for scheme, _ in found)
        self._count = 0
        return bool(self._digest or self._wants_basic)

    def header(self, method: str, target: str) -> str | None:
        """The header's value for a request, its characters standing for bytes; None as long as none was asked for."""
        if self._digest:
            return self._digest_header(method, target)
        if self._wants_basic:
            return "Basic " + b64encode(f"{self._login.user}:{self._login.password}".encode()).decode()
        return None

    def _digest_header(self, method: str, target: str) -> str:
        self._count += 1
        fields, client_nonce, count = self._digest, secrets.token_hex(8), f"{self._count:08x}"
        is_session = fields.get("algorithm", "").lower().endswith("-sess")
        digest = HASHES[_hash_name(fields)]

        def hashed(*parts: str) -> str:
            return digest(":".join(parts).encode()).hexdigest()

        realm, nonce = fields["realm"], fields["nonce"]
        secret = hashed(self._login.user, realm, self._login.password)
        if is_session:
            secret = hashed(secret, nonce, client_nonce)
        ways = _ways(fields)
        way = "auth" if "auth" in ways or not ways else "auth-int"
        request = hashed(method, target, *([digest(b"").hexdigest()] if way == "auth-int" else []))  # with no body
        said = {"username": self._login.user, "realm": realm, "nonce": nonce, "uri": target}
        if has_qop := bool(ways):
            said["response"] = hashed(secret, nonce, count, client_nonce, way, request)
        else:
            said["response"] = hashed(secret, nonce, request)
        said |= {"cnonce": client_nonce} if has_qop or is_session else {}
        said |= {"opaque": fields["opaque"]} if "opaque" in fields else {}
        plain = {"algorithm": fields["algorithm"]} if "algorithm" in fields else {}
        plain |= {"qop": way, "nc": count} if has_qop else {}
        quoted = [f'{name}="{_escaped(value)}"' for name, value in said.items()]
        return "Digest " + ", ".join(quoted + [f"{name}={value}" for name, value in plain.items()])


def parsed(header: str) -> list[tuple[str, dict[str, str]]]:
    """The challenges of one WWW-Authenticate header, which may hold several: scheme and fields, names in lower case."""
    found = []
    for challenge in _CHALLENGE.finditer(header[:MAX_CHALLENGE]):
        fields = {
            name.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain
            for name, quoted, plain in _FIELD.findall(challenge["fields"] or "")
        }
        found.append((challenge["scheme"].lower(), fields))
    return found


def _is_known(fields: dict[str, str]) -> bool:
    ways = _ways(fields)
    knows_way = not ways or not {"auth", "auth-int"}.isdisjoint(ways)
    return knows_way and _hash_name(fields) in STRENGTHS and {"realm", "nonce"} <= fields.keys()


def _ways(fields: dict[str, str]) -> list[str]:
    return re.findall(r"[^,\s]+", fields.get("qop", "").lower())


def _hash_name(fields: dict[str, str]) -> str:
    return fields.get("algorithm", "MD5").lower().removesuffix("-sess")


def _escaped(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return escaped.encode().decode("latin-1")  # as header bytes go out
