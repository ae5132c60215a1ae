"""The head of an HTTP answer as cameras write it, mended to what the standard asks for.

Pure policy. h11 refuses a whole answer for one odd line, which a camera's owner cannot change: a status line of
SHOUTcast, a header name that ends in a space, two lengths, a transfer encoding of "identity".
"""

import re
from typing import Final

MAX_HEAD_BYTES: Final = 64 << 10

_END: Final = re.compile(rb"\r?\n\r?\n")
_STATUS: Final = re.compile(rb"(?P<way>HTTP/[0-9](?:\.[0-9])?|ICY)[ \t]+(?P<status>[1-9][0-9]{2})(?:[ \t].*)?")
_NAME: Final = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
_UNFIT: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]+")
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")


def is_whole(received: bytes) -> bool:
    """Whether no more bytes are needed: the head is there, or cannot be one, or is too long."""
    first, found, _ = received.partition(b"\n")
    is_none = bool(found) and not _STATUS.fullmatch(first.rstrip(b"\r"))
    return is_none or len(received) > MAX_HEAD_BYTES or _END.search(received) is not None


def mended(received: bytes) -> bytes:
    """What was received, its head in order; unchanged where there is none to mend."""
    end = _END.search(received)
    lines = re.split(rb"\r?\n", received[: end.start()]) if end else []
    status = _STATUS.fullmatch(lines[0]) if lines else None
    if not (end and status):
        return received
    version = b"HTTP/1.1" if status["way"] == b"HTTP/1.1" else b"HTTP/1.0"
    fields = _fields(lines[1:])
    return b"\r\n".join([version + b" " + status["status"], *fields, b"", received[end.end() :]])


def _fields(lines: list[bytes]) -> list[bytes]:
    unfolded: list[bytes] = []
    for line in lines:
        if line[:1] in (b" ", b"\t") and unfolded:
            unfolded[-1] += b" " + line.strip()
        else:
            unfolded.append(line)
    kept, has_length = [], False
    for line in unfolded:
        name, colon, value = line.partition(b":")
        name, value = name.strip(), _UNFIT.sub(b" ", value).strip()
        if not (colon and _NAME.fullmatch(name)):
            continue
        if name.lower() == b"transfer-encoding" and value.lower() != b"chunked":
            continue
        if name.lower() == b"content-length":
            if has_length or not _LENGTH.fullmatch(value):
                continue
            has_length = True
        kept.append(name + b": " + value)
    return kept
