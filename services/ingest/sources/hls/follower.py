"""An HLS source as one stream of bytes: its playlist is followed here, and FFmpeg is given segment after segment.

FFmpeg's own follower knows nothing of what was read before it was started, so it plays the end of a playlist that
stands still again and again; and its network code opens whatever a playlist names.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from typing import Final

from services.ingest.sources.failures import AUTHENTICATION_REFUSED, BROKE
from services.ingest.sources.hls.channel import HEAD_BYTES, HlsChannel
from services.ingest.sources.hls.playlist import FilePart, HlsSegment, Playlist
from services.ingest.sources.hls.trail import Trail, new_digest
from services.ingest.sources.network.http_body import HttpBody
from services.ingest.sources.network.http_client import HttpClient
from shared.errors import RequestFailed, SourceChanged, SourceFailed

STANDS_STILL: Final = "its playlist does not move on"
REPEATS: Final = "its playlist names the same video again and again"
CHANGES_FORMAT: Final = "its format changes: it is opened anew"
CUT_SHORT: Final = "a part of it was cut short: it is opened anew"
MAX_SEGMENT_BYTES: Final = 256 << 20
MAX_INIT_BYTES: Final = 1 << 20
MAX_MISSING: Final = 3
"""How many segments in a row may be missing on the server, or refused: stores answer 403 for what they do not have."""
MORE_TRIES: Final = 1
EARLY_TRIES: Final = 3
EARLY_SECONDS: Final = 0.6
LEAST_REFETCH_SECONDS: Final = 0.5
CHUNK_BYTES: Final = 64 << 10
SHARE_OF_PATIENCE: Final = 0.8
"""After which a playlist is given up for standing still: a little before it would be for saying nothing."""
OLD_SECONDS: Final = 60.0
OLD_TARGETS: Final = 10.0
"""How old a live playlist is, in seconds and in segments, that must be seen to move on before anything is played."""


class HlsFollower:
    """A file for FFmpeg, of all that the playlist's segments hold; `name` is the playlist's URL.

    What ends it too early is told by `check_end` once FFmpeg has given everything out, or raised at once where nothing
    was read. `trail` says what was read.
    """

    def __init__(self, client: HttpClient, body: HttpBody, after: str | None = None) -> None:
        self.name = body.name
        self.trail = Trail(after)
        self._client = client
        self._channel = HlsChannel(client, body.name)
        self._bytes = self._all(body)
        self._ahead = memoryview(b"")
        self._init: bytes | None = None
        """what came before the first segment; None before that"""
        self._init_piece: FilePart | None = None
        self._missing: list[RequestFailed] = []
        """why the last segments could not be had"""
        self._is_repeated = False
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
        playlist = self._channel.first(body)
        is_old = self._channel.age_seconds > max(OLD_SECONDS, OLD_TARGETS * playlist.target_seconds)
        if self.trail.mark is None and (is_old or playlist.is_over):  # what is left of something live is old as well
            self.trail.leave_out(playlist)
        while True:
            for segment in self._new(self.trail.unread(playlist)):
                yield from self._segment(segment)
            if playlist.is_over:
                break
            playlist = self._moved_on(playlist)
        if self._missing or self._init is None or not self.trail.is_recording:
            raise self._at_its_end()

    def _new(self, segments: list[HlsSegment]) -> list[HlsSegment]:
        """Those that are new by their content, where their addresses do not say it."""
        if not self.trail.is_in_doubt:
            return segments
        for num_new, segment in enumerate(reversed(segments)):
            head = b""
            with suppress(RequestFailed):
                body = self._begun(segment.piece)
                head = body.peek(HEAD_BYTES)
                body.close()
            if head and self.trail.is_known(segment, head):
                return segments[len(segments) - num_new :]
        return segments

    def _moved_on(self, playlist: Playlist) -> Playlist:
        """The playlist, once something new is in it; raises SourceFailed, for the last reason, if it takes too long."""
        patience_seconds = SHARE_OF_PATIENCE * self._client.patience_seconds
        if self._hungry_until is None:
            self._hungry_until = time.monotonic() + patience_seconds
        interval = playlist.target_seconds
        failures: list[SourceFailed] = []
        while True:
            due = self._channel.asked_at + max(LEAST_REFETCH_SECONDS, min(interval, patience_seconds / 3))
            time.sleep(max(0.0, min(due, self._hungry_until) - time.monotonic()))
            if max(due, time.monotonic()) > self._hungry_until:
                raise failures[-1] if failures else self._at_its_end()
            try:
                is_late = time.monotonic() > self._hungry_until - patience_seconds / 2
                playlist = self._asked(playlist, len(failures), is_late=is_late)
            except SourceFailed as err:  # a server may be busy or confused for a moment
                failures.append(err)
            else:
                failures.clear()
                if playlist.is_over or self.trail.unread(playlist):
                    return playlist
            interval = playlist.target_seconds / 2

    def _asked(self, playlist: Playlist, num_failures: int, *, is_late: bool) -> Playlist:
        """The playlist as it is now; after a failure as the source's own URL leads to it: a session may have ended.

        Of one that has stood still for long it is another variant's that goes on, where there is one.
        """
        if num_failures % 2:
            return self._channel.anew()
        if is_late and (other := self._channel.another()) and self.trail.is_ahead(other):
            return other
        return self._channel.again(playlist)

    def _at_its_end(self) -> SourceFailed:
        if self._missing:
            others = (err for err in self._missing if str(err) != AUTHENTICATION_REFUSED)
            return next(others, self._missing[-1])
        return SourceFailed(REPEATS if self._is_repeated else STANDS_STILL)

    def _segment(self, segment: HlsSegment) -> Iterator[bytes]:
        """What a segment holds; nothing where it cannot be had, or was read under another name."""
        digest = new_digest()
        try:
            head, content = self._new_content(segment, digest)
        except RequestFailed as err:
            self.trail.passed(segment)
            self._missing.append(err)
            if len(self._missing) > MAX_MISSING:
                raise self._at_its_end() from err
            return
        if not head:
            return
        init = self._prepared(segment)
        self.trail.passed(segment, head)
        self._missing, self._is_repeated, self._hungry_until = [], False, None
        if init:
            yield init  # an empty piece would read as the end
        try:
            yield from content
        except RequestFailed as err:  # what is left of it is lost
            if segment.init:
                raise SourceChanged(CUT_SHORT) from err
        else:
            self.trail.held(digest.hexdigest())

    def _new_content(self, segment: HlsSegment, digest: blake2b) -> tuple[bytes, Iterator[bytes]]:
        """The first bytes of a segment, and all of it; nothing where it was read under another name."""
        body = self._begun(segment.piece)
        head = body.peek(HEAD_BYTES)
        if self.trail.is_known(segment, head):
            body.close()
            return b"", iter(())
        content = self._unbroken(body, segment.piece, digest)
        if self.trail.is_recording or not self.trail.seems_known(head):
            return head, content
        whole = b"".join(content)
        if self.trail.repeats(segment, whole):
            self._is_repeated = True
            return b"", iter(())
        return head, iter((whole,))

    def _unbroken(self, body: HttpBody, piece: FilePart, digest: blake2b) -> Iterator[bytes]:
        """What a segment holds, noted in `digest`; where its transfer breaks, it is asked for again and goes on there.

        Only what begins with the same bytes is the same: servers that are started anew use addresses again.
        """
        num_given = 0
        try:
            for data in _content(body, piece.length):
                digest.update(data)
                num_given += len(data)
                yield data
        except RequestFailed:
            body.close()
        else:
            body.close()
            return
        body, front = self._begun(piece, body.max_bytes), new_digest()
        for data in _content(body, num_given):
            front.update(data)
        if front.digest() != digest.digest():
            raise RequestFailed(BROKE)
        for data in _content(body, None if piece.length is None else piece.length - num_given):
            digest.update(data)
            yield data
        body.close()

    def _begun(self, piece: FilePart, max_bytes: float | None = None) -> HttpBody:
        """A segment, whose first bytes are here; raises RequestFailed where it cannot be had.

        Some name it a moment before it is there, and any connection may break: it is asked for again.
        """
        until = time.monotonic() + SHARE_OF_PATIENCE * self._client.patience_seconds
        num_left = MORE_TRIES if self.trail.is_recording else EARLY_TRIES
        while True:
            try:
                return self._channel.part(piece, max_bytes or MAX_SEGMENT_BYTES)
            except RequestFailed:
                if not num_left or time.monotonic() >= until:
                    raise
            num_left -= 1
            time.sleep(EARLY_SECONDS)

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
            content = b"".join(self._unbroken(self._begun(init, MAX_INIT_BYTES), init, new_digest()))
        if self._init is not None and content != self._init:
            raise SourceChanged(CHANGES_FORMAT)
        is_given = self._init is not None
        self._init, self._init_piece = content, init
        return b"" if is_given else content


def _content(body: HttpBody, length: int | None) -> Iterator[bytes]:
    left = length
    while data := body.read(CHUNK_BYTES if left is None else min(CHUNK_BYTES, left)):
        left = None if left is None else left - len(data)
        yield data
