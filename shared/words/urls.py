"""How URLs fall into parts, with logins as people paste them: passwords that hold @ : / ? # as they are."""

import re
from dataclasses import dataclass
from typing import Final

URL: Final = re.compile(r"\s*(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*?)\s*", re.DOTALL)
KNOWN_SCHEME: Final = re.compile(
    r"https?|mqtts?|rtsps?|file|unix|rediss?(?:\+cluster|\+sentinel)?|ftps?|gopher|mms|rtmps?|rtp|sftp|smb|srt|tcp|udp|wss?",
    re.IGNORECASE,
)
"""Schemes that may be shown: what stands before :// in a mistyped text may be anything."""
_AFTER_HOST: Final = r"(?::(?P<port>[0-9]{0,5}))?(?P<tail>[/?#].*)?"
_REST: Final = re.compile(
    r"(?:(?P<login>.*?)@)??(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})" + _AFTER_HOST, re.DOTALL
)
"""What follows the scheme. The login ends at the first @ that a host and the end of the authority follow; what reads as
a URL without login is one (host:554/live@2x)."""
ADDRESS: Final = re.compile(
    r"(?P<host>(?:[0-9]+\.){3}[0-9]+|localhost|\[[0-9A-Fa-f:.]+\]|[\w-]+(?:\.[\w-]+)+)"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<tail>[/?#].*)",
    re.DOTALL,
)
"""A URL without its scheme, or a file in a folder named after an address."""
_NUMERIC: Final = re.compile(r"\[[0-9A-Fa-f:.]+\]|(?:[0-9]+\.){3}[0-9]+")
_NUMERIC_REST: Final = re.compile(rf"(?P<login>.*?)@(?P<host>{_NUMERIC.pattern})" + _AFTER_HOST)
"""The same with a numeric address: it is more of a host than a bare word before it (u:p@ss/word@10.0.0.5)."""


@dataclass(frozen=True, slots=True)
class UrlParts:
    """What follows a URL's scheme: `login` and `port` are "" where there are none, `tail` is path, query, fragment."""

    login: str
    host: str
    port: str
    tail: str

    @property
    def is_doubtful(self) -> bool:
        """Whether the host may just as well be part of a login: it is no number, and an @ comes later."""
        later = self.tail if _is_bare(self.host) else self.tail.partition("?")[0]
        return "@" in later and not _NUMERIC.fullmatch(self.host)


def split_rest(rest: str) -> UrlParts | None:
    """The parts of what follows `scheme://`; None where it names no host."""
    parts = _REST.fullmatch(rest)
    if parts and _is_bare(parts["host"]):
        parts = _NUMERIC_REST.fullmatch(rest) or parts
    return UrlParts(parts["login"] or "", parts["host"], parts["port"] or "", parts["tail"] or "") if parts else None


def _is_bare(host: str) -> bool:
    return not set(host) & set(".[")
