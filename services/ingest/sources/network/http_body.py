"""What an HTTP server sends, as a file for FFmpeg."""

import io
import math
import re
import zlib
from collections import deque
from collections.abc import Mapping
from typing import Final

import httpx

from services.ingest.sources.failures import BROKE
from services.ingest.sources.network.http_client import Answer, HttpClient, Origin, origin_of
from shared.clock import steady_ms
from shared.errors import RequestFailed, SourceFailed

ENCODINGS: Final = frozenset({"gzip", "x-gzip", "deflate"})
ANY_WINDOW: Final = 47
"""zlib's word for gzip or zlib, whichever it is."""
MAX_INFLATED_BYTES: Final = 1 << 20
MAX_ARRIVALS: Final = 1024
_GIVES_PARTS: Final = {"bytes": True, "none": False}
_CONTENT_RANGE: Final = re.compile(r"bytes\s+([0-9]{1,18})-", re.IGNORECASE)


def fetch(
    client: HttpClient,
    url: str,
    only_at: Origin | None = None,
    max_bytes: float = math.inf,
    headers: Mapping[str, str] | None = None,
) -> "HttpBody":
    """What a URL gives, `only_at` one place where that is given; raises SourceFailed with the reason in plain words."""
    return HttpBody(client, client.get(url, only_at, headers), max_bytes)


class HttpBody:
    """What an HTTP server sends, as a file that FFmpeg reads; `name` is its URL, without login.

    Reading blocks until there is something; it raises SourceFailed where there is nothing for too long, or more than
    `max_bytes`.
    """

    def __init__(self, client: HttpClient, answer: Answer, max_bytes: float = math.inf) -> None:
        self.name = answer.url
        self.max_bytes = max_bytes
        self._client = client
        self._take(answer)
        self._ahead = b""
        self._position = 0
        self._came_at_ms: deque[tuple[int, int]] = deque(maxlen=MAX_ARRIVALS)
        """the end of what came, and when"""
        self._is_elsewhere = False
        self.headers = headers = answer.response.headers
        self.status = answer.response.status_code
        self.content_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        self.size = _size(answer.response) if self.status == 200 else None
        """of the whole in bytes, where the server says it"""
        self._gives_parts = _GIVES_PARTS.get(headers.get("Accept-Ranges", "").strip().lower())

    def read(self, size: int) -> bytes:
        """The next bytes, up to `size`; none at the end."""
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        try:
            if not data and size > 0:
                data = self._receive()
                data, self._ahead = data[:size], data[size:]
            self._position += len(data)
            if self._position > self.max_bytes:
                raise SourceFailed(f"one of its parts is larger than {self.max_bytes} bytes")
        except SourceFailed:
            self._client.has_failed = True
            raise
        return data

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, fewer only at the end, which the next `read` gives again."""
        while len(self._ahead) < size and (data := self._receive()):
            self._ahead += data
        return self._ahead[:size]

    def read_whole(self, max_bytes: int, what: str) -> bytes:
        """Everything; raises SourceFailed where `what` is larger than `max_bytes`."""
        whole = bytearray()
        while data := self.read(max_bytes + 1 - len(whole)):
            whole += data
            if len(whole) > max_bytes:
                raise SourceFailed(f"{what} is larger than {max_bytes} bytes")
        return bytes(whole)

    def begins_at(self, offset: int) -> bool:
        """Whether it is a part of the file, the one that begins there: some servers send another, or all of it."""
        return _is_part(self._response, offset)

    def seekable(self) -> bool:
        """Whether the server gives parts of it, which it is asked where it does not say."""
        if self.size is None or self.content_type.startswith("multipart/"):
            return False
        if self._gives_parts is None:
            self._gives_parts = self._asks_for_a_part()
        return self._gives_parts

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes on from another place, which takes a request of its own once something is read there."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size or 0}[whence]
        if start + offset != self._position:
            self.close()
            self._position, self._ahead, self._is_elsewhere = start + offset, b"", True
        return self._position

    def tell(self) -> int:
        """The place that is read next."""
        return self._position

    def arrived_at_ms(self, position: int) -> int | None:
        """When all before a place had come, in ms on the steady clock; places are to be asked for in turn."""
        while self._came_at_ms and self._came_at_ms[0][0] < position:
            self._came_at_ms.popleft()
        return self._came_at_ms[0][1] if self._came_at_ms else None

    def close(self) -> None:
        """Ends the connection."""
        self._is_over = True
        self._response.close()

    def _take(self, answer: Answer) -> None:
        self._response = answer.response
        self._chunks = answer.response.iter_raw()
        self._is_over = False
        encoding = answer.response.headers.get("Content-Encoding", "").strip().lower()
        self._inflater = zlib.decompressobj(ANY_WINDOW) if encoding in ENCODINGS else None

    def _receive(self) -> bytes:
        """What comes next, in the pieces that the network brings."""
        if self._is_elsewhere:
            self._reopen()
        if self._client.has_failed or self._is_over:
            return b""
        data = self._inflated(self._inflater) if self._inflater else self._chunk()
        self._is_over = not data
        self._came_at_ms.append((self._position + len(self._ahead) + len(data), steady_ms()))
        return data

    def _chunk(self) -> bytes:
        try:
            return next(self._chunks, b"")
        except httpx.HTTPError as err:
            raise RequestFailed(BROKE) from err

    def _inflated(self, inflater: "zlib._Decompress") -> bytes:
        """What comes next of what a server has packed though nobody asked it to; at most so much at once."""
        data = b""
        try:
            while not data and not inflater.eof and (packed := inflater.unconsumed_tail or self._chunk()):
                data = inflater.decompress(packed, MAX_INFLATED_BYTES)
        except zlib.error as err:
            raise RequestFailed("what it answers is packed in a way that cannot be read") from err
        return data

    def _reopen(self) -> None:
        answer = self._client.get(self.name, origin_of(self.name), {"Range": f"bytes={self._position}-"})
        if not _is_part(answer.response, self._position):
            answer.response.close()
            raise SourceFailed("its server does not give parts of it, though it says so")
        self._take(answer)
        self._is_elsewhere = False

    def _asks_for_a_part(self) -> bool:
        """Asks for the rest of it as a part, and goes on with that, or with the whole where there are no parts."""
        origin, here = origin_of(self.name), self._position + len(self._ahead)
        self.close()
        try:
            answer = self._client.get(self.name, origin, {"Range": f"bytes={here}-"})
            is_there = _is_part(answer.response, here)
        except SourceFailed:
            answer, is_there = self._client.get(self.name, origin), False
        if answer.response.status_code == 206 and not is_there:
            answer.response.close()
            answer = self._client.get(self.name, origin)
        self._take(answer)
        if is_there:
            return True
        ahead, self._ahead = self._ahead, b""
        self.peek(here)
        self._ahead = ahead + self._ahead[here:]
        return False


def _is_part(response: httpx.Response, offset: int) -> bool:
    found = _CONTENT_RANGE.match(response.headers.get("Content-Range", "").strip())
    return response.status_code == 206 and found is not None and int(found[1]) == offset


def _size(response: httpx.Response) -> int | None:
    length = response.headers.get("Content-Length", "")
    is_plain = not {"Transfer-Encoding", "Content-Encoding"} & {name.title() for name in response.headers}
    return int(length) if length.isdecimal() and is_plain else None
