"""API keys: how they are written, what is stored of one, and who calls with it.

A key reads `afi_IDENTITY_SECRET_CHECK`: 16, 64 and 8 hexadecimal digits. The check is the beginning of the SHA-256 of
what stands before it, so that a key that was cut or mistyped is told from one that is wrong. What is stored is the
SHA-256 of the whole: the secret has 256 random bits, so nobody finds it by trying, and no slow hash is needed.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final, Literal, Self

from pydantic import Field

from shared.streams import Group
from shared.words.versions import VersionedRecord

PREFIX: Final = "afi_"
PATTERN: Final = re.compile(r"(afi_([0-9a-f]{16})_[0-9a-f]{64})_([0-9a-f]{8})")
FINGERPRINT: Final = re.compile("[0-9a-f]{16}:[0-9a-f]{64}")
MAX_GROUPS: Final = 64

AccessRole = Literal["viewer", "operator", "admin"]
RANKS: Final[dict[AccessRole, int]] = {"viewer": 0, "operator": 1, "admin": 2}
KeyId = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]


@dataclass(frozen=True, slots=True, repr=False)
class ApiKey:
    """A key as its owner has it."""

    text: str
    id: str
    """what it is called where it must not be shown"""

    @classmethod
    def new(cls) -> Self:
        """One that nobody has had before."""
        identity = secrets.token_hex(8)
        begin = f"{PREFIX}{identity}_{secrets.token_hex(32)}"
        return cls(f"{begin}_{_check_of(begin)}", identity)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The key that a text is; None where it is none, or was cut or mistyped."""
        found = PATTERN.fullmatch(text)
        if found is None or not hmac.compare_digest(_check_of(found[1]), found[3]):
            return None
        return cls(text, found[2])

    @property
    def digest(self) -> str:
        """What is stored of it, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def fingerprint(self) -> str:
        """Its id and digest, as a setting names a key that is not stored in Redis."""
        return f"{self.id}:{self.digest}"


class KeyRecord(VersionedRecord):
    """What is stored of a key."""

    id: KeyId
    name: str
    role: AccessRole
    groups: tuple[Group, ...] = ()
    digest: str
    created_at_ms: int | None = None
    expires_at_ms: int | None = None
    revoked_at_ms: int | None = None

    @classmethod
    def of_settings(cls, fingerprint: str) -> Self:
        """The first admin key, which a setting names."""
        identity, _, digest = fingerprint.partition(":")
        return cls(id=identity, name="first admin key", role="admin", digest=digest)

    def is_of(self, key: ApiKey) -> bool:
        """Whether it is this key's; takes as long whatever the answer."""
        return hmac.compare_digest(self.digest, key.digest)

    def why_not(self, now_ms: int) -> Literal["revoked", "expired"] | None:
        """Why it opens nothing now, or None."""
        if self.revoked_at_ms is not None:
            return "revoked"
        return "expired" if self.expires_at_ms is not None and self.expires_at_ms <= now_ms else None


class Session(VersionedRecord):
    """What is stored of a browser's session."""

    key_id: str
    csrf: str
    """what its writes must carry along"""
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: by a key, by a session that one opened, or from this machine where there is no key at all."""

    key_id: str | None
    name: str
    role: AccessRole
    groups: frozenset[str] = frozenset()
    """those whose streams it is for; empty: all streams"""
    session: Session | None = None
    """where a browser's cookie stands for the key"""
    expires_at_ms: int | None = None

    @classmethod
    def of(cls, record: KeyRecord, session: Session | None = None) -> Self:
        """Whoever has this key."""
        return cls(record.id, record.name, record.role, frozenset(record.groups), session, record.expires_at_ms)

    def may(self, needed: AccessRole) -> bool:
        """Whether its role is that or a higher one."""
        return RANKS[self.role] >= RANKS[needed]

    def sees(self, groups: Iterable[str]) -> bool:
        """Whether a stream of these groups is there for it."""
        return not self.groups or not self.groups.isdisjoint(groups)


ANYBODY: Final = Caller(None, "this machine, without a key", "admin")


def _check_of(begin: str) -> str:
    return hashlib.sha256(begin.encode()).hexdigest()[:8]
