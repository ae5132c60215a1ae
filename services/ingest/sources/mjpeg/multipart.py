"""Finds JPEG pictures in what a camera sends over HTTP, in parts as RFC 2046 has them or in a manner of its own.

Pure: it sees bytes only.
"""

import re
from collections import Counter
from collections.abc import Callable
from typing import Final

from services.ingest.sources.mjpeg.jpeg import JPEG_MARK, JpegWalk, other_kind
from shared.errors import SourceFailed

MAX_PICTURE_BYTES: Final = 16 << 20
MAX_HEADER_BYTES: Final = 64 << 10
MAX_LINE_BYTES: Final = 8 << 10
MAX_DELIMITERS: Final = 3
NUM_TELLING: Final = 12
"""Bytes that tell what kind of picture it is."""
NUM_KEPT: Final = 256
"""Bytes of what is left out that are kept, since the next part's first line may have begun in them."""
SOUGHT_BYTES: Final = 3
CUTTING_BYTES: Final = 6
"""A delimiter that is shorter may be there by chance: among what is left out, and within a picture's data."""
SOUND: Final = b"audio/"
WITHOUT_PICTURES: Final = (SOUND, b"text/", b"application/json", b"application/xml")

_HEADER: Final = re.compile(rb"([A-Za-z0-9][!#$%&'*+.^_`|~0-9A-Za-z-]*)[ \t]*:[ \t]*([^\x00-\x08\x0a-\x1f]*)")
_DELIMITER: Final = re.compile(rb"[!-~](?:[ -~]{0,198}[!-~])?")
_ALWAYS_THERE: Final = re.compile(rb"\n(?i:content-(?:type|length))[ \t]*:")
_OPENING: Final = re.compile(rb"--|(?:[0-9A-Za-z_=][ -~]{0,99}\r?\n)?[A-Za-z0-9-]+[ \t]*:[^\x00\n]*\n")
_LINE_ENDS: Final = re.compile(rb"[\r\n]*")


def gives_pictures(content_type: str, first: bytes) -> bool:
    """Whether these may be the first bytes of JPEG pictures, alone or in parts; `content_type` is in lower case.

    Bytes come before what is stated, which is often wrong.
    """
    first = first.lstrip()
    if first.startswith(JPEG_MARK) or _OPENING.match(first):
        return True
    return content_type.startswith("multipart/")


class PictureParser:
    """Cuts pictures out of a stream of bytes, each as soon as it is complete.

    A picture ends with its own last marker; where that is missing, where the part's length says so (if the one before
    was right), where the next part begins, or the next picture. Headers tell what else is sent between: sound, text.
    Neither delimiters nor lengths nor types are needed, and none is believed before it was seen to be right. Bytes
    that are nothing of all this are left out. No more than 16 MiB are held.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._found: list[bytes] = []
        self._delimiters: list[bytes] = []
        self._lengths_hold = False
        self.others: Counter[str] = Counter()
        """how many pictures were left out as they are no JPEG, by what they are called"""
        self._num_left_out = 0
        self._await_part()

    def feed(self, data: bytes) -> list[bytes]:
        """The pictures that are complete with these next bytes.

        Raises SourceFailed where a picture or a part's headers are larger than any camera's.
        """
        self._buffer += data
        while self._go_on():
            pass
        found, self._found = self._found, []
        return found

    def rest(self) -> bytes | None:
        """At the end, what there is of a picture whose last marker never came."""
        is_picture = self._go_on == self._in_picture and self._walk.scan_at is not None
        return bytes(self._buffer) if is_picture else None

    def _await_part(self) -> None:
        self._type, self._line = b"", b""
        self._length: int | None = None
        self._has_headers, self._num_header_bytes = False, 0
        self._go_on: Callable[[], bool] = self._in_headers

    def _await_end(self) -> None:
        self._keep_line()
        self._walk, self._searched = JpegWalk(), 0
        self._go_on = self._in_picture

    def _leave_out(self, *, whole_part: bool) -> None:
        self._takes_all, self._num_left_out = not whole_part, 0
        self._go_on = self._in_other

    def _in_headers(self) -> bool:
        """Takes a line; whether there may be more to do now, as with all of these."""
        buffer = self._buffer
        if buffer.startswith(JPEG_MARK):
            self._await_end()
            return True
        if JPEG_MARK.startswith(buffer[: len(JPEG_MARK)]):
            return False
        end = buffer.find(b"\n", 0, MAX_LINE_BYTES)
        if end < 0 and len(buffer) < MAX_LINE_BYTES and JPEG_MARK not in buffer and b"\x00" not in buffer:
            return False
        line = bytes(buffer[: max(end, 0)]).strip(b" \t\r")
        if end < 0 or not self._takes(line):
            self._leave_out(whole_part=False)
            return True
        self._num_header_bytes += end + 1
        if self._num_header_bytes > MAX_HEADER_BYTES:
            raise SourceFailed(f"the headers of one of its parts are larger than {MAX_HEADER_BYTES} bytes")
        if line or self._go_on == self._in_headers:
            del buffer[: end + 1]
        return True

    def _takes(self, line: bytes) -> bool:
        """Whether that is a header, a delimiter, or empty: before the headers, or behind them."""
        if header := _HEADER.fullmatch(line):
            name, value = header[1].lower(), header[2]
            if name == b"content-type":
                self._type = value.lower()
            elif name == b"content-length":
                self._length = int(value) if value.isdigit() and len(value) < 10 else None
            self._keep_line()
            self._has_headers = True
        elif not line:
            if self._has_headers:
                self._go_on = self._in_body
        elif _DELIMITER.fullmatch(line):
            self._await_part()
            self._line = line
        else:
            return False
        return True

    def _keep_line(self) -> None:
        """Holds the last line that was no header for a delimiter, now that it was followed by what follows one."""
        delimiter = b"\n" + self._line
        if len(self._line) >= SOUGHT_BYTES and delimiter not in self._delimiters:
            self._delimiters = [delimiter, *self._delimiters][:MAX_DELIMITERS]
        self._line = b""

    def _in_body(self) -> bool:
        begins = found.end() if (found := _LINE_ENDS.match(self._buffer)) else 0
        first = self._buffer[begins : begins + len(JPEG_MARK)]
        if len(first) < len(JPEG_MARK) and JPEG_MARK.startswith(first):
            return False
        if first == JPEG_MARK and not self._type.startswith(SOUND):
            del self._buffer[:begins]
            self._await_end()
        else:
            has_pictures = not self._type.startswith(WITHOUT_PICTURES)
            if has_pictures and (kind := other_kind(bytes(self._buffer[begins : begins + NUM_TELLING]))):
                self.others[kind] += 1
            self._leave_out(whole_part=not has_pictures)
        return True

    def _in_other(self) -> bool:
        """Leaves out what is no picture, up to the next part, or the next picture where there may be one."""
        buffer = self._buffer
        picture = buffer.find(JPEG_MARK) if self._takes_all else -1
        found = [buffer.find(delimiter) for delimiter in self._delimiters]
        if always := _ALWAYS_THERE.search(buffer):
            found.append(always.start())
        part = min((at for at in found if at >= 0), default=-1)
        if picture >= 0 and not 0 <= part < picture:
            del buffer[:picture]
            self._await_end()
            return True
        if part >= 0:
            del buffer[: part + 1]
            self._await_part()
            return True
        num_left_out = max(0, len(buffer) - NUM_KEPT)
        del buffer[:num_left_out]
        self._num_left_out += num_left_out
        self._takes_all = self._takes_all or self._num_left_out > MAX_PICTURE_BYTES  # so its headers are wrong
        return False

    def _in_picture(self) -> bool:
        end = self._walk.end(self._buffer)
        end = self._cut(end) or end or self._stated_end()
        if end is None:
            if len(self._buffer) > MAX_PICTURE_BYTES:
                raise SourceFailed(f"one of its pictures is larger than {MAX_PICTURE_BYTES} bytes")
            return False
        if self._walk.scan_at is not None:
            self._found.append(bytes(self._buffer[:end]))
        del self._buffer[:end]
        self._lengths_hold = end == self._length
        self._await_part()
        return True

    def _cut(self, end: int | None) -> int | None:
        """Where a picture was cut off by a delimiter."""
        if self._walk.scan_at is None:
            return None
        begin = max(self._walk.scan_at, self._searched)
        limit = len(self._buffer) if end is None else end
        self._searched = max(begin, limit - NUM_KEPT)
        cuts = [self._buffer.find(line, begin, limit) for line in self._delimiters if len(line) >= CUTTING_BYTES]
        cut = min((at for at in cuts if at >= 0), default=None)
        return cut - 1 if cut and self._buffer[cut - 1] == ord("\r") else cut

    def _stated_end(self) -> int | None:
        if not (self._lengths_hold and self._length and self._walk.scan_at):
            return None
        return self._length if len(self._buffer) >= self._length > self._walk.scan_at else None
