"""HTTP Live Streaming: FFmpeg's demuxer, which asks this module for every playlist and segment that it opens.

All of them must come by HTTP(S) from the host and port that the first playlist came from, and are not encrypted.
A playlist that names anything else is refused before FFmpeg sees it.
"""

import io
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urljoin

from services.ingest.sources.network.http_body import HttpBody, fetch
from services.ingest.sources.network.http_client import HttpClient, origin_of
from shared.errors import SourceFailed
from shared.redaction import redact

MAX_PLAYLIST_BYTES: Final = 1 << 20
MAX_SEGMENT_BYTES: Final = 256 << 20
MAX_SHOWN: Final = 80
MARK: Final = b"#EXTM3U"
OPTIONS: Final = {
    "http_persistent": "0",  # both would have FFmpeg's own network code reused or asked
    "http_multiple": "0",
    "extension_picky": "0",
    "allowed_extensions": "ALL",
    "allowed_segment_extensions": "ALL",
    "format_whitelist": "hls,mpegts,mov,aac,mp3,webvtt",
    "protocol_whitelist": "http,https",
}

_URI: Final = re.compile(r"URI=\"([^\"]*)\"")
_PROTOCOL: Final = re.compile(r"[^/?#]*:")
"""What FFmpeg may take for the name of a protocol: it allows more characters than a URL's scheme has."""
_KEY: Final = re.compile(r"#EXT-X-(?:SESSION-)?KEY:(?!METHOD=NONE\b)")


class Playlist(io.BytesIO):
    """A playlist that was found harmless; `name` is its URL, from which FFmpeg takes up relative ones."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name


class HlsFiles:
    """Opens what a playlist names; `open` is PyAV's `io_open`."""

    def __init__(self, client: HttpClient, body: HttpBody) -> None:
        self._client = client
        self._origin = origin_of(body.name)
        self.first = self._playlist(body)

    def open(self, url: str, _flags: int, _options: dict[str, str]) -> Playlist | HttpBody:
        """A playlist or segment; raises SourceFailed with the reason."""
        if self._client.has_failed:
            return Playlist(b"", url)
        try:
            body = fetch(self._client, url, self._origin, MAX_SEGMENT_BYTES)
            return self._playlist(body) if body.peek(len(MARK)) == MARK else body
        except SourceFailed:
            self._client.has_failed = True
            raise

    def _playlist(self, body: HttpBody) -> Playlist:
        try:
            content = body.read_whole(MAX_PLAYLIST_BYTES, "its playlist")
        finally:
            body.close()
        for uri in _uris(content.decode(errors="replace")):
            self._check(body.name, uri)
        return Playlist(content, body.name)

    def _check(self, base: str, uri: str) -> None:
        is_web = not _PROTOCOL.match(uri) or uri.lower().startswith(("http:", "https:"))
        try:
            is_own = is_web and origin_of(urljoin(base, uri)) == self._origin
        except (SourceFailed, ValueError):
            is_own = False
        if not is_own:
            shown = redact(uri if len(uri) <= MAX_SHOWN else uri[:MAX_SHOWN] + "…")
            raise SourceFailed(f"its playlist names {shown!r}, which is not on the playlist's own server: refused")


def _uris(text: str) -> Iterator[str]:
    """All that a playlist has its reader open; raises SourceFailed where it is encrypted."""
    for line in text.splitlines():
        if _KEY.match(line):
            raise SourceFailed("its video is encrypted, which is not supported")
        if line.startswith("#"):
            yield from _URI.findall(line)
        elif line.strip():
            yield line.strip()
