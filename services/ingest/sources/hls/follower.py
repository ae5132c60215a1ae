"""An HLS source as one stream of bytes: its playlist is followed here, and FFmpeg is given segment after segment.

FFmpeg's own follower knows nothing of what was read before it was started, so it plays the end of a playlist that
stands still again and again; and its network code opens whatever a playlist names.
"""

import math
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Final

from services.ingest.sources.failures import NOT_FOUND
from services.ingest.sources.hls.playlist import FilePart, HlsSegment, Playlist, begins_one, elsewhere, parse
from services.ingest.sources.hls.trail import Trail, new_digest
from services.ingest.sources.network.http_body import HttpBody
from services.ingest.sources.network.http_client import HttpClient, origin_of
from shared.errors import SourceChanged, SourceFailed

STANDS_STILL: Final = "its playlist does not move on"
REPEATS: Final = "its playlist names the same video again and again"
CHANGES_FORMAT: Final = "its format changes: it is opened anew"
MAX_PLAYLIST_BYTES: Final = 1 << 20
MAX_SEGMENT_BYTES: Final = 256 << 20
MAX_INIT_BYTES: Final = 1 << 20
MAX_MISSING: Final = 3
"""How many segments in a row may be missing on the server."""
EARLY_TRIES: Final = 3
EARLY_SECONDS: Final = 0.6
LEAST_REFETCH_SECONDS: Final = 0.5
HEAD_BYTES: Final = 4096
CHUNK_BYTES: Final = 64 << 10
SHARE_OF_PATIENCE: Final = 0.8
"""After which a playlist is given up for standing still: a little before it would be for saying nothing."""
OLD_SECONDS: Final = 60.0
OLD_TARGETS: Final = 10.0
"""How old a live playlist is, in seconds and in segments, that must be seen to move on before anything is played."""
GONE: Final = frozenset({404, 410, 500, 502, 503, 504})


class HlsFollower:
    """A file for FFmpeg, of all that the playlist's segments hold; `name` is the playlist's URL.

    What ends it too early is told by `check_end` once FFmpeg has given everything out, or raised at once where nothing
    was read. `trail` says what was read.
    """

    def __init__(self, client: HttpClient, body: HttpBody, after: str | None = None) -> None:
        self.name = body.name
        self.trail = Trail(after)
        self._client = client
        self._origin = origin_of(body.name)
        self._bytes = self._all(body)
        self._ahead = memoryview(b"")
        self._init: bytes | None = None
        """what came before the first segment; None before that"""
        self._init_piece: FilePart | None = None
        self._num_missing = 0
        self._is_repeated = False
        self._fetched_at = 0.0
        self._age_seconds = 0.0
        """of the playlist, by its server's clock"""
        self._hungry_until: float | None = None
        self._failure: SourceFailed | None = None

    def read(self, size: int) -> bytes:
        """The next bytes, up to `size`; none at the end."""
        if not self._ahead:
            self._ahead = memoryview(self._next())
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        return bytes(data)

    def check_end(self) -> None:
        """Raises SourceFailed with the reason where there should be more."""
        if self._failure:
            raise self._failure

    def _next(self) -> bytes:
        try:
            return b"" if self._failure else next(self._bytes, b"")
        except SourceFailed as err:
            self._failure = err
            if self._init is None:
                raise
            return b""

    def _all(self, body: HttpBody) -> Iterator[bytes]:
        playlist = self._parsed(body)
        if playlist.variants and not playlist.segments:
            playlist = self._variant(playlist.variants)
        is_old = self._age_seconds > max(OLD_SECONDS, OLD_TARGETS * playlist.target_seconds)
        if self.trail.mark is None and (is_old or playlist.is_over):  # what is left of something live is old as well
            self.trail.leave_out(playlist)
        while True:
            for segment in self.trail.unread(playlist):
                yield from self._segment(segment)
            if playlist.is_over:
                break
            playlist = self._moved_on(playlist)
        if self._num_missing or self._init is None or not self.trail.is_recording:
            raise self._at_its_end()

    def _variant(self, urls: Sequence[str]) -> Playlist:
        """The first of the variants that is there."""
        *others, last = urls
        for url in others:
            body = self._fetched(url, None, GONE)
            if body.status not in GONE:
                return self._parsed(body)
            body.close()
        return self._parsed(self._fetched(last))

    def _parsed(self, body: HttpBody) -> Playlist:
        self._fetched_at = time.monotonic()
        self._age_seconds = _age_seconds(body)
        try:
            content = body.read_whole(MAX_PLAYLIST_BYTES, "its playlist")
        finally:
            body.close()
        if not begins_one(content):
            raise SourceFailed("what should be its playlist is none")
        return parse(content.decode("utf-8-sig", errors="replace"), body.name)

    def _moved_on(self, playlist: Playlist) -> Playlist:
        """The playlist, once something new is in it; raises SourceFailed, for the last reason, if it takes too long."""
        patience_seconds = SHARE_OF_PATIENCE * self._client.patience_seconds
        if self._hungry_until is None:
            self._hungry_until = time.monotonic() + patience_seconds
        interval = playlist.target_seconds
        failure: SourceFailed | None = None
        while True:
            due = self._fetched_at + max(LEAST_REFETCH_SECONDS, min(interval, patience_seconds / 3))
            time.sleep(max(0.0, min(due, self._hungry_until) - time.monotonic()))
            if due > self._hungry_until:
                raise failure or self._at_its_end()
            try:
                playlist, failure = self._parsed(self._fetched(playlist.url)), None
            except SourceFailed as err:  # a server may be busy or confused for a moment
                self._fetched_at, self._client.has_failed, failure = time.monotonic(), False, err
            else:
                if playlist.is_over or self.trail.unread(playlist):
                    return playlist
            interval = playlist.target_seconds / 2

    def _at_its_end(self) -> SourceFailed:
        if self._num_missing:
            return SourceFailed(NOT_FOUND)
        return SourceFailed(REPEATS if self._is_repeated else STANDS_STILL)

    def _segment(self, segment: HlsSegment) -> Iterator[bytes]:
        """What a segment holds; nothing where it is missing on the server, or was read under another name."""
        body = self._begun(segment.piece)
        if not body:
            self.trail.passed(segment)
            self._num_missing += 1
            if self._num_missing > MAX_MISSING:
                raise SourceFailed(NOT_FOUND)
            return
        try:
            head = body.peek(HEAD_BYTES)
            if self.trail.is_known(segment, head):
                return
            content = _content(body, segment.piece)
            if not self.trail.is_recording and self.trail.seems_known(head):
                whole = b"".join(content)
                if self.trail.repeats(segment, whole):
                    self._is_repeated = True
                    return
                content = iter((whole,))
            init = self._prepared(segment)
            self.trail.passed(segment, head)
            self._num_missing, self._is_repeated, self._hungry_until = 0, False, None
            if init:
                yield init  # an empty piece would read as the end
            yield from self._noted(content)
        finally:
            body.close()

    def _noted(self, content: Iterator[bytes]) -> Iterator[bytes]:
        digest = new_digest()
        for data in content:
            digest.update(data)
            yield data
        self.trail.held(digest.hexdigest())

    def _begun(self, piece: FilePart) -> HttpBody | None:
        """A segment, whose first bytes are here; None where the server has none.

        Some name it a moment before it is there, and any connection may break: something live is asked for again.
        """
        until = time.monotonic() + SHARE_OF_PATIENCE * self._client.patience_seconds
        for num_left in reversed(range(1 if self.trail.is_recording else 1 + EARLY_TRIES)):
            body = None
            try:
                body = self._opened(piece, MAX_SEGMENT_BYTES)
                if body and body.peek(HEAD_BYTES):
                    return body
            except SourceFailed:
                if not num_left or time.monotonic() >= until:
                    raise
            if body:
                body.close()
            if num_left:
                time.sleep(EARLY_SECONDS)
        return None

    def _prepared(self, segment: HlsSegment) -> bytes:
        """What FFmpeg must have before a segment and was not given yet; raises SourceFailed where it cannot take it.

        Its MP4 reader takes no other beginning, and no times that run backwards; MPEG-TS may do as it likes.
        """
        init = segment.init
        if init and self._init is not None and (segment.breaks or not self.trail.continues(segment)):
            raise SourceChanged(CHANGES_FORMAT)
        if self._init is not None and init == self._init_piece:
            return b""
        content = b""
        if init:
            body = self._opened(init, MAX_INIT_BYTES)
            if not body:
                raise SourceFailed(NOT_FOUND)
            content = b"".join(_content(body, init))
            body.close()
        if self._init is not None and content != self._init:
            raise SourceChanged(CHANGES_FORMAT)
        is_given = self._init is not None
        self._init, self._init_piece = content, init
        return b"" if is_given else content

    def _opened(self, piece: FilePart, max_bytes: int) -> HttpBody | None:
        """A file or the part of it that is asked for; None where the server has none."""
        headers = {}
        if piece.length is not None:
            headers["Range"] = f"bytes={piece.offset}-{piece.offset + piece.length - 1}"
        body = self._fetched(piece.url, headers, GONE, max_bytes)
        if body.status in GONE:
            body.close()
            return None
        if piece.length is not None and not body.begins_at(piece.offset):
            body.close()
            raise SourceFailed("its playlist names parts of a file, and its server gives no parts")
        return body

    def _fetched(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        also_accepted: Collection[int] = (),
        max_bytes: float = math.inf,
    ) -> HttpBody:
        """What the playlist's own server gives; raises SourceFailed where that is another's address."""
        own_url = self._client.at_home(url, self._origin)
        if own_url is None:
            raise elsewhere(url)
        return HttpBody(self._client, self._client.get(own_url, self._origin, headers, also_accepted), max_bytes)


def _content(body: HttpBody, piece: FilePart) -> Iterator[bytes]:
    left = piece.length
    while data := body.read(CHUNK_BYTES if left is None else min(CHUNK_BYTES, left)):
        left = None if left is None else left - len(data)
        yield data


def _age_seconds(body: HttpBody) -> float:
    """How long before the answer its content was changed last; 0 where the server does not say."""
    try:
        dates = [parsedate_to_datetime(body.headers[name]) for name in ("Date", "Last-Modified")]
        return (dates[0] - dates[1]).total_seconds()
    except (KeyError, ValueError, TypeError, OverflowError):
        return 0.0
