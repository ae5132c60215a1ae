"""Tells plain words from what may be a password, a key or a token."""

import re
from typing import Final

TELLING_NAMES: Final = (
    "account|apikey|auth|authorization|bearer|clave|code|contrasena|credentials?|haslo|hash|jwt|kennwort|key|login|mdp|"
    "motdepasse|parola|pass|passphrase|passwd|password|passwort|pin|psk|pss|psw|pw|pwd|secret|senha|session|sessionid|"
    "sid|sig|signature|token|user|username|usr|wachtwoord"
)
_SECRET: Final = re.compile(
    rf"(?:{TELLING_NAMES})s?"
    "|(?!bypass|compass|donkey|hockey|jockey|monkey|overpass|turkey|underpass)"
    r"\w+(?:key|pass|passcode|passwd|password|pincode|pwd|secret|signature|token)"
)
"""Also what ends like one (streamkey)."""
_ADMIN: Final = re.compile("adm|admin|administrator|root|superuser|ubnt")
_USER: Final = re.compile(f"{_ADMIN.pattern}|guest|operator")
"""Guests and operators may have a room that a camera is named after: they are a login only before another segment."""
_FOLLOWED: Final = re.compile("access|t")
"""Names that stand before a token, though they say something else elsewhere."""
_PLAIN: Final = re.compile(r"(?!~)[\w .~+-]*")
"""A ~ begins the name of a user."""
_RUN: Final = re.compile(r"[^\W_]+")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W_A-Za-z0-9]+")
_UNSPEAKABLE: Final = re.compile(r"[bcdfghjklmnpqrstvwxz]{6}", re.IGNORECASE)
_VOWEL: Final = re.compile(r"[aeiouy]", re.IGNORECASE)
_TIME: Final = re.compile(r"(?:19|20)[0-9]{6}T?[0-9]{6}(?:[0-9]{3})?Z?|[0-9]{10,13}")
_HEX: Final = re.compile(r"(?=.*[0-9])[0-9A-Fa-f]{16,}|[0-9]{18,}")
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def is_plain(word: str) -> bool:
    """Whether a word can be shown wherever it comes from: no URL, no login, nothing that looks like a key."""
    return bool(_PLAIN.fullmatch(word)) and not looks_random(word)


def awaits_secret(word: str) -> bool:
    """Whether the next segment is one: `/token/…`, `/admin/…`."""
    words = _words(word)
    is_followed = _FOLLOWED.fullmatch(word.lower())
    return bool(is_followed or (words and (_SECRET.fullmatch(words[-1]) or _USER.fullmatch(words[-1]))))


def names_secret(word: str) -> bool:
    """Whether a segment has both name and value: `pwd_…`, `admin-…`."""
    words = _words(word)
    return len(words) > 1 and any(_SECRET.fullmatch(word) or _ADMIN.fullmatch(word) for word in words)


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def looks_random(text: str) -> bool:
    """Whether a text reads as a key or token and not as words: many short pieces, or what nobody could say."""
    joined = "".join(_RUN.findall(text))
    in_pieces = len(joined) >= 16 and not joined.islower() and _mean_length(joined) < 2.5
    return in_pieces or bool(_UUID.search(text)) or any(map(_is_random_run, _RUN.findall(text)))


def _is_random_run(run: str) -> bool:
    if len(run) < 10 or _TIME.fullmatch(run):
        return False
    words, num_letters = _WORD.findall(run), sum(map(str.isalpha, run))
    if _mean_length(run) < 2.5 or any(_UNSPEAKABLE.search(word) for word in words):
        return True
    if len(run) < 16:
        return False
    is_mixed = any(map(str.islower, run)) and any(map(str.isupper, run)) and any(map(str.isdigit, run))
    num_vowels = len(_VOWEL.findall(run))
    is_odd = is_mixed or num_vowels < 0.28 * num_letters or sum(map(str.isdigit, words)) > 1
    return is_odd or _mean_length(run) < 4 or len(run) >= 24 or bool(_HEX.fullmatch(run))


def _mean_length(run: str) -> float:
    return len(run) / max(1, len(_WORD.findall(run)))
