"""Secrets at rest: what Redis keeps of a source, or of a target's URL and secret, is encrypted where there is a key.

The keys are those of AFTERIMAGE_SECRET_KEY, of which the first encrypts and each decrypts, so that a new one comes in
before an old one goes. Redis, its files and replicas see such a text as `{"sealed": token}`. Who has not the key gets
SEALED in its place: no other stream or target is disturbed, and whoever needs none of them needs no key.
"""

import re
from hashlib import blake2b
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from shared.errors import SettingsInvalid
from shared.sources import SEALED

MAX_KEYS: Final = 16
KEY: Final = re.compile("[A-Za-z0-9_-]{43}=")
PROBLEM: Final = (
    "AFTERIMAGE_SECRET_KEY: must be keys joined by commas, each 32 bytes in URL-safe base64 (44 characters), "
    f"at most {MAX_KEYS}; `make env` writes one"
)


def new_key() -> str:
    """A key that nobody has had before."""
    return Fernet.generate_key().decode()


class Vault:
    """Seals and opens texts; the context in which records are parsed and dumped. Safe to share between threads."""

    def __init__(self, keys: str = "") -> None:
        """The keys as the setting gives them, none where it is empty; raises SettingsInvalid, which repeats nothing."""
        given = [key.strip() for key in keys.split(",")] if keys.strip() else []
        if len(given) > MAX_KEYS or not all(map(KEY.fullmatch, given)):
            raise SettingsInvalid(PROBLEM)
        keyed = [Fernet(key) for key in given]
        self._pepper = blake2b("".join(given[:1]).encode()).digest()
        self._fernet = MultiFernet(keyed) if keyed else None

    @property
    def has_key(self) -> bool:
        """Whether anything is encrypted."""
        return self._fernet is not None

    def sealed(self, text: str) -> str | dict[str, str]:
        """What to store of a text: another token each time, the text itself without a key."""
        return {"sealed": self._fernet.encrypt(text.encode()).decode()} if self._fernet else text

    def opened(self, token: str) -> str:
        """The text in a token; SEALED where none of the keys made it."""
        try:
            return self._fernet.decrypt(token).decode() if self._fernet else SEALED
        except (InvalidToken, ValueError):
            return SEALED

    def fingerprint(self, source: str) -> str:
        """16 hexadecimal digits by which a source is known again; without the first key nobody can try guesses."""
        return blake2b(source.encode(), key=self._pepper if self._fernet else b"", digest_size=8).hexdigest()
