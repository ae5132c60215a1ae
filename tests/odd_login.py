"""Whom an odd RTSP camera lets in, and how it challenges the others."""

import hashlib
import re
import secrets
from base64 import b64decode
from collections.abc import Callable

from odd_manners import Asked, Manners

HASHES: dict[str, Callable[[bytes], "hashlib._Hash"]] = {
    "MD5": hashlib.md5,
    "SHA-256": hashlib.sha256,
    "SHA-512-256": lambda data: hashlib.new("sha512_256", data),
}


class Gate:
    """Knows who has been let in, and the nonce of the day."""

    def __init__(self, manners: Manners) -> None:
        self._manners = manners
        self._nonce = secrets.token_hex(8)
        self._num_let_in = 0

    def refusal_of(self, asked: Asked) -> str | None:
        """The challenges to a request that is not let in, as headers."""
        manners, stale = self._manners, ""
        if not manners.auth or self._is_right(asked):
            self._num_let_in += 1
            if not manners.new_nonce_after or self._num_let_in % manners.new_nonce_after:
                return None
            self._nonce, stale = secrets.token_hex(8), ", stale=TRUE"
        ways = [
            'Basic realm="odd, very"'
            if way == "basic"
            else f'Digest realm="odd, very", nonce="{self._nonce}", algorithm={way}, qop="auth"{stale}'
            for way in manners.auth
        ]
        name = "WWW-Authenticate: "
        return name + (", " if manners.in_one_header else f"\r\n{name}").join(ways) + "\r\n"

    def _is_right(self, asked: Asked) -> bool:
        manners, said = self._manners, asked.headers.get("authorization", "")
        if said.startswith("Basic "):
            return "basic" in manners.auth and b64decode(said[6:]).decode() == f"{manners.user}:{manners.password}"
        found = re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]+))', said)
        fields = {name: quoted or plain for name, quoted, plain in found}
        if fields.get("nonce") != self._nonce or fields["algorithm"] not in manners.auth:
            return False
        digest = HASHES[fields["algorithm"].removesuffix("-sess")]

        def hashed(*parts: str) -> str:
            return digest(":".join(parts).encode()).hexdigest()

        secret = hashed(manners.user, "odd, very", manners.password)
        if fields["algorithm"].endswith("-sess"):
            secret = hashed(secret, fields["nonce"], fields["cnonce"])
        request = hashed(asked.method, asked.url)
        whole = hashed(secret, fields["nonce"], fields["nc"], fields["cnonce"], "auth", request)
        return (fields["response"], fields["uri"]) == (whole, asked.url)
