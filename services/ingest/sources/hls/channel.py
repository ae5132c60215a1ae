"""Where an HLS source's playlist and segments are had from: its own server, whatever these name."""

import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from services.ingest.sources.failures import NOT_FOUND
from services.ingest.sources.hls.playlist import FilePart, Playlist, begins_one, elsewhere, parse
from services.ingest.sources.network.http_body import HttpBody, fetch
from services.ingest.sources.network.http_client import HttpClient, Origin, origin_of
from shared.errors import RequestFailed, SourceFailed

MAX_PLAYLIST_BYTES: Final = 1 << 20
HEAD_BYTES: Final = 4096


class HlsChannel:
    """The server of one source, which `url` led to; whatever is asked of it raises SourceFailed where it refuses.

    That ends nothing: whatever is asked next begins anew.
    """

    def __init__(self, client: HttpClient, url: str) -> None:
        self._client = client
        self._origin = origin_of(url)
        self._variants: list[str] = []
        self.asked_at = 0.0
        """when a playlist was asked for last, on the clock of `time.monotonic`"""
        self.age_seconds = 0.0
        """of the last playlist, by its server's clock"""

    def first(self, body: HttpBody) -> Playlist:
        """The playlist that the source's URL gave, or the first variant in it that can be had."""
        playlist = self._parsed(body)
        if not playlist.variants or playlist.segments:
            return playlist
        self._variants = list(playlist.variants)
        failure = None
        for _ in playlist.variants:
            try:
                return self._playlist(self._variants[0])
            except SourceFailed as err:
                failure = err
                self._turn()
        raise failure or SourceFailed("holds no video stream")

    def again(self, playlist: Playlist) -> Playlist:
        """A playlist as it is now."""
        return self._playlist(playlist.url)

    def anew(self) -> Playlist:
        """The playlist that the source's URL leads to now."""
        self.asked_at = time.monotonic()
        body = self._get(self._client.url, None)
        self._origin = origin_of(body.name)
        return self.first(body)

    def another(self) -> Playlist | None:
        """The next variant's playlist; None where there is none, or the server refuses it."""
        if len(self._variants) < 2:
            return None
        self._turn()
        try:
            return self._playlist(self._variants[0])
        except SourceFailed:
            return None

    def part(self, piece: FilePart, max_bytes: float) -> HttpBody:
        """A file or the part of it that is asked for, whose first bytes are here.

        Raises RequestFailed where it cannot be had, also where a playlist's server gives everything else.
        """
        headers = {}
        if piece.length is not None:
            headers["Range"] = f"bytes={piece.offset}-{piece.offset + piece.length - 1}"
        body = self._get(self._own(piece.url), self._origin, headers, max_bytes)
        if piece.length is not None and not body.begins_at(piece.offset):
            body.close()
            raise SourceFailed("its playlist names parts of a file, and its server gives no parts")
        if not body.peek(HEAD_BYTES):
            body.close()
            raise RequestFailed(NOT_FOUND)
        return body

    def _turn(self) -> None:
        self._variants.append(self._variants.pop(0))

    def _playlist(self, url: str) -> Playlist:
        self.asked_at = time.monotonic()
        return self._parsed(self._get(self._own(url), self._origin))

    def _parsed(self, body: HttpBody) -> Playlist:
        self.asked_at = time.monotonic()
        self.age_seconds = _age_seconds(body)
        try:
            content = body.read_whole(MAX_PLAYLIST_BYTES, "its playlist")
        finally:
            body.close()
        if not begins_one(content):
            raise SourceFailed("what should be its playlist is none")
        return parse(content.decode("utf-8-sig", errors="replace"), body.name)

    def _own(self, url: str) -> str:
        """The URL, if it is one of the playlist's own server; raises SourceFailed."""
        own_url = self._client.at_home(url, self._origin)
        if own_url is None:
            raise elsewhere(url)
        return own_url

    def _get(
        self,
        url: str,
        only_at: Origin | None,
        headers: Mapping[str, str] | None = None,
        max_bytes: float = math.inf,
    ) -> HttpBody:
        self._client.has_failed = False
        return fetch(self._client, url, only_at, max_bytes, headers)


def _age_seconds(body: HttpBody) -> float:
    """How long before the answer its content was changed last; 0 where the server does not say."""
    try:
        dates = [parsedate_to_datetime(body.headers[name]) for name in ("Date", "Last-Modified")]
        return (dates[0] - dates[1]).total_seconds()
    except (KeyError, ValueError, TypeError, OverflowError):
        return 0.0
