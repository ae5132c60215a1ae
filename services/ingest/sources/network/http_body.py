"""What an HTTP server sends, as a file for FFmpeg."""

import http.client
import io
import math

from services.ingest.sources.network.http_client import Answer, HttpClient, Origin, origin_of
from shared.errors import SourceFailed


def fetch(client: HttpClient, url: str, only_at: Origin | None = None, max_bytes: float = math.inf) -> "HttpBody":
    """What a URL gives, `only_at` one place where that is given; raises SourceFailed with the reason in plain words."""
    return HttpBody(client, client.get(url, only_at), max_bytes)


class HttpBody:
    """What an HTTP server sends, as a file that FFmpeg reads; `name` is its URL, without login.

    Reading blocks until there is something; it raises SourceFailed where there is nothing for too long, or more than
    `max_bytes`.
    """

    def __init__(self, client: HttpClient, answer: Answer, max_bytes: float) -> None:
        self.name = answer.url
        self._max_bytes = max_bytes
        self._client = client
        self._answer = answer
        self._ahead = b""
        self._position = 0
        self._is_elsewhere = False
        headers = answer.response.headers
        self._gives_parts = headers.get("Accept-Ranges", "").strip().lower() == "bytes"
        self._size = answer.response.length if answer.response.status == 200 else None
        self.content_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def read(self, size: int) -> bytes:
        """The next bytes, up to `size`; none at the end."""
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        try:
            if not data and size > 0:
                data = self._receive(size)
            self._position += len(data)
            if self._position > self._max_bytes:
                raise SourceFailed(f"one of its parts is larger than {self._max_bytes} bytes")
        except SourceFailed:
            self._client.has_failed = True
            raise
        return data

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, fewer only at the end, which the next `read` gives again."""
        while len(self._ahead) < size and (data := self._receive(size - len(self._ahead))):
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

    def seekable(self) -> bool:
        """Whether the server gives parts of it."""
        return self._gives_parts and self._size is not None

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes on from another place, which takes a request of its own once something is read there."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size or 0}[whence]
        if start + offset != self._position:
            self.close()
            self._position, self._ahead, self._is_elsewhere = start + offset, b"", True
        return self._position

    def tell(self) -> int:
        """The place that is read next."""
        return self._position

    def close(self) -> None:
        """Ends the connection."""
        self._answer.response.close()

    def _receive(self, size: int) -> bytes:
        if self._is_elsewhere:
            self._reopen()
        if self._client.has_failed or self._answer.response.isclosed():
            return b""
        try:
            self._answer.link.settimeout(self._client.patience_seconds)
            return self._answer.response.read1(size)
        except (OSError, http.client.HTTPException, ValueError) as err:
            raise self._client.failure(err, connected=True) from err

    def _reopen(self) -> None:
        self._answer = self._client.get(self.name, origin_of(self.name), {"Range": f"bytes={self._position}-"})
        self._is_elsewhere = False
        if self._answer.response.status != 206:
            raise SourceFailed("its server does not give parts of it, though it says so")
