"""What an RTSP camera says (RFC 2326), cut out of the bytes that it sends: answers, requests and media between them.

Pure policy. It bears what cameras do: lines that end in LF alone, folded headers, stray bytes between two messages.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from services.ingest.sources.failures import NOT_RTSP
from shared.errors import SourceFailed

MAX_HEAD_BYTES: Final = 64 << 10
MAX_BODY_BYTES: Final = 256 << 10
MAX_STRAY_BYTES: Final = 1 << 20
"""How much may lie between two messages that is none, before the camera is given up."""
DOLLAR: Final = 0x24
USER_AGENT: Final = "afterimage"

_END: Final = re.compile(rb"\r?\n\r?\n")
_START: Final = re.compile(rb"RTSP/[0-9]\.[0-9] |[A-Z_]{3,20} [^\r\n]{1,2048} RTSP/[0-9]\.[0-9]\r?\n")
_GREETING: Final = re.compile(rb"HTTP/[0-9]\.[0-9] ")
_AFTER_STRAY: Final = re.compile(rb"\$|RTSP/[0-9]|[A-Z_]{3,20} [^\r\n]{1,2048} RTSP/[0-9]")
_FOLD: Final = re.compile(r"\r?\n[ \t]+")
_UNFIT: Final = re.compile(r"[\s\x00-\x1f\x7f]")

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Media:
    """An interleaved packet: RTP or RTCP, as its channel says."""

    channel: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; header names in lower case."""

    status: int
    headers: Headers
    body: bytes = b""

    def header(self, name: str) -> str:
        """A header's value, empty where it is missing."""
        return _value(self.headers, name)

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key == name]


@dataclass(frozen=True, slots=True)
class Call:
    """A request that the camera makes of us."""

    method: str
    headers: Headers

    def header(self, name: str) -> str:
        """A header's value, empty where it is missing."""
        return _value(self.headers, name)


class Inbox:
    """Bytes go in as they come; what they say comes out. A cut-off message stays until its rest is here.

    In a tunnel the first message is an HTTP answer, and all that follows it is RTSP, whatever length it states.
    """

    def __init__(self, *, is_tunnel: bool = False) -> None:
        self._awaits_greeting = is_tunnel
        self._data = b""
        self._at = 0
        self._stray = 0
        self._has_spoken = False

    def add(self, received: bytes) -> None:
        """Takes what was received; `take` until nothing comes out before the next."""
        self._data = self._data[self._at :] + received if self._at < len(self._data) else received
        self._at = 0

    def take(self) -> Media | Reply | Call | None:
        """The next message, if it is whole; raises SourceFailed where this is not RTSP, or too much of it."""
        while self._at < len(self._data):
            if self._data[self._at] == DOLLAR:
                return self._media()
            if self._data[self._at] in b"\r\n":
                self._at += 1
            elif (_GREETING if self._awaits_greeting else _START).match(self._data, self._at):
                return self._text()
            elif not self._skip():
                return None
        return None

    def _media(self) -> Media | None:
        data, at = self._data, self._at
        if len(data) - at < 4:
            return None
        end = at + 4 + (data[at + 2] << 8 | data[at + 3])
        if end > len(data):
            return None
        self._at, self._stray = end, 0
        return Media(data[at + 1], data[at + 4 : end])

    def _text(self) -> Reply | Call | None:
        head_end = _END.search(self._data, self._at)
        if not head_end:
            if len(self._data) - self._at > MAX_HEAD_BYTES:
                raise SourceFailed(f"one of its answers has more than {MAX_HEAD_BYTES} bytes of headers")
            return None
        first, headers = _head(self._data[self._at : head_end.start()])
        end = head_end.end() + (0 if self._awaits_greeting else _length(headers))
        if end > len(self._data):
            return None
        body, self._at = self._data[head_end.end() : end], end
        self._stray, self._has_spoken, self._awaits_greeting = 0, True, False
        if first.startswith(("RTSP/", "HTTP/")):
            return Reply(_status(first), headers, body)
        return Call(first.split(" ", 1)[0], headers)

    def _skip(self) -> bool:
        """Leaves out stray bytes up to what may be a message; False where more must come to tell."""
        if b"\n" not in self._data[self._at :] and len(self._data) - self._at < MAX_HEAD_BYTES:
            return False  # its first line may still be on its way
        if not self._has_spoken:
            raise SourceFailed(NOT_RTSP)
        found = _AFTER_STRAY.search(self._data, self._at + 1)
        begins_at = found.start() if found else self._data.rfind(b"\n", self._at) + 1 or len(self._data)
        self._stray += begins_at - self._at
        if self._stray > MAX_STRAY_BYTES:
            raise SourceFailed("what the camera sends is neither RTSP nor its packets")
        self._at = begins_at
        return True


def request(method: str, url: str, number: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """A request without a body, of an `encoded` URL."""
    lines = [f"{method} {url} RTSP/1.0", f"CSeq: {number}", f"User-Agent: {USER_AGENT}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def answer(call: Call, status: str, headers: str = "") -> bytes:
    """What we say to a camera's own request."""
    number = _UNFIT.sub("", call.header("cseq"))[:20]
    return f"RTSP/1.0 {status}\r\nCSeq: {number}\r\n{headers}\r\n".encode("latin-1", "replace")


def encoded(url: str) -> str:
    """A URL that ends no line early, whatever a camera put into it: its blanks and all but ASCII percent-encoded."""
    return "".join(
        letter if letter.isascii() and not _UNFIT.match(letter) else "".join(f"%{byte:02X}" for byte in letter.encode())
        for letter in url
    )


def parameter(value: str, name: str) -> str | None:
    """A header's parameter (`timeout` of `1;timeout=60`), None where it is missing."""
    for part in value.split(";"):
        key, equals, found = part.partition("=")
        if equals and key.strip().lower() == name:
            return found.strip().strip('"')
    return None


def _head(head: bytes) -> tuple[str, Headers]:
    first, *lines = _FOLD.sub(" ", head.decode(errors="replace")).splitlines()
    pairs = (line.partition(":") for line in lines)
    return first, tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)


def _value(headers: Headers, name: str) -> str:
    return next((value for key, value in headers if key == name), "")


def _length(headers: Headers) -> int:
    stated = _value(headers, "content-length")
    length = int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 19 else 0
    if length > MAX_BODY_BYTES:
        raise SourceFailed(f"one of its answers is larger than {MAX_BODY_BYTES} bytes")
    return length


def _status(first: str) -> int:
    status = first.split(" ")[1]
    if not (status.isascii() and status.isdigit() and len(status) == 3):
        raise SourceFailed(NOT_RTSP)
    return int(status)
