"""The JPEG pictures of an HTTP source, with the times at which they came, as a file for FFmpeg."""

import hashlib
import math
import struct
import time
from collections.abc import Generator, Iterator
from itertools import chain, islice
from typing import Final

import av
from av.video.stream import VideoStream

from services.ingest.sources.mjpeg.jpeg import NO_PICTURE
from services.ingest.sources.mjpeg.multipart import PictureParser
from services.ingest.sources.mjpeg.stills import Validators, next_poll
from services.ingest.sources.network.http_body import HttpBody
from services.ingest.sources.network.http_client import NOT_MODIFIED, HttpClient
from shared.errors import SourceFailed, SourceSilent

FORMAT: Final = "ivf"
"""The simplest container that has a time for each picture; FFmpeg's own MJPEG demuxers take the wall clock's, which may
be set, and guess where pictures end."""
TICKS: Final = 1_000_000
"""per second"""
CHUNK_BYTES: Final = 64 << 10
SIGN_OF_LIFE_SECONDS: Final = 0.5
MORE_IN_ONE: Final = b"MPF\0"
"""The mark of a picture after which more belong to it: a smaller one, or one of another exposure (CIPA DC-007)."""
FAR_BYTES: Final = 64 << 10
FILM_SECONDS: Final = 1 / 25
"""Between the pictures of a film, which say nothing of their times; FFmpeg takes it for that, too."""

_HEADER: Final = struct.pack("<4sHH4sHHIIII", b"DKIF", 0, 32, b"MJPG", 0, 0, TICKS, 1, 0, 0)
_FRAME: Final = struct.Struct("<IQ")


class PictureFile:
    """What FFmpeg reads where an HTTP server gives JPEG pictures; `name` is its URL, without login.

    Many pictures are passed on as they come; those of a film have times as far apart as if it were played. One alone,
    after which the answer is over, is a still picture: the URL is asked again at `fps`, or as quickly as the server
    answers, and each picture has the time at which it was asked for. While it stays the same, what FFmpeg gets is
    NO_PICTURE, which `says_nothing_new`. Reading raises SourceFailed with the reason.
    """

    def __init__(self, client: HttpClient, body: HttpBody, fps: float) -> None:
        self.name = body.name
        self._client = client
        self._fps = fps
        self._validators = Validators(time.monotonic())
        self._digest = b""
        self._unread = b""
        self._answered_at = time.monotonic()
        self._packets = self._all(body)
        self.is_film = False
        """whether the answer is a recording: it states its length, and holds several pictures; known once it is open"""

    def read(self, size: int) -> bytes:
        """The next bytes, up to `size`; none at the end."""
        if not self._unread and size > 0:
            self._unread = next(self._packets, b"")
        data, self._unread = self._unread[:size], self._unread[size:]
        return data

    def _all(self, body: HttpBody) -> Iterator[bytes]:
        first_at, num_pictures, at = 0.0, 0, 0.0
        pictures = self._pictures(body)
        if may_be_film(body):
            ahead = list(islice(pictures, 2))
            self.is_film = len(ahead) > 1
            pictures = chain(ahead, pictures)
        for picture in pictures:
            now = time.monotonic()
            at = max(now, at + FILM_SECONDS) if self.is_film else now
            if not num_pictures:
                first_at = now
                self._is_new(picture, body)
                yield _HEADER
            num_pictures += 1
            yield _packet(picture, at)
        asked_at = first_at
        while num_pictures == 1:
            yield from _until(next_poll(asked_at, first_at, self._fps))
            asked_at = time.monotonic()
            num_pictures = yield from self._polled_patiently(asked_at)

    def _polled_patiently(self, asked_at: float) -> Generator[bytes, None, int]:
        """The same, but for a camera that is busy or confused for a moment: its picture is missing then."""
        try:
            num_pictures = yield from self._polled(asked_at)
        except SourceFailed:
            if time.monotonic() - self._answered_at >= self._client.patience_seconds:
                raise
            self._client.has_failed = False
            yield _packet(NO_PICTURE, asked_at)
            return 1
        self._answered_at = time.monotonic()
        return num_pictures

    def _polled(self, asked_at: float) -> Generator[bytes, None, int]:
        """The pictures of one more answer, and how many they were: one, as a rule."""
        conditions = self._validators.conditions(asked_at)
        answer = self._client.get(self._client.url, None, conditions, {NOT_MODIFIED} if conditions else ())
        body = HttpBody(self._client, answer, math.inf)
        if body.status == NOT_MODIFIED:
            body.close()
            yield _packet(NO_PICTURE, asked_at)
            return 1
        pictures = self._pictures(body)
        first = next(pictures, None)
        if first is None:
            raise SourceFailed("what it answers holds no picture any more")
        yield _packet(first if self._is_new(first, body) else NO_PICTURE, asked_at)
        num_pictures = 1
        for picture in pictures:
            yield _packet(picture, time.monotonic())
            num_pictures += 1
        return num_pictures

    def _is_new(self, picture: bytes, body: HttpBody) -> bool:
        digest = hashlib.blake2b(picture).digest()
        is_new = digest != self._digest
        self._validators.answered(body.headers, is_new=is_new)
        self._digest = digest
        return is_new

    def _pictures(self, body: HttpBody) -> Iterator[bytes]:
        """The pictures in an answer; of one that is said to be a picture only that, without what cameras append."""
        parser, num_bytes, num_pictures = PictureParser(), 0, 0
        stated = body.headers.get("Content-Length", "")
        is_one = body.content_type.startswith("image/") and stated.isdigit()
        patience_seconds = self._client.patience_seconds
        deadline = time.monotonic() + patience_seconds
        try:
            while data := body.read(CHUNK_BYTES):
                num_bytes += len(data)
                for picture in parser.feed(data):
                    num_pictures += 1
                    yield picture
                    if is_one or MORE_IN_ONE in picture[:FAR_BYTES]:
                        return
                    patience_seconds = self._client.patience_seconds
                    deadline = time.monotonic() + patience_seconds
                if parser.others.total() > 1 and not num_pictures:
                    break
                if time.monotonic() >= deadline:
                    raise SourceSilent(f"no picture for {patience_seconds:.2g} s")
            if parser.others and not num_pictures:
                raise SourceFailed(f"its pictures are {min(parser.others)}: of those over HTTP only JPEG is read")
            if not num_pictures and stated == str(num_bytes) and (rest := parser.rest()):
                yield rest
        finally:
            body.close()


def may_be_film(body: HttpBody) -> bool:
    """Whether an answer with pictures may be a recording, and neither a camera's parts nor one still picture."""
    return body.size is not None and not body.content_type.startswith(("multipart/", "image/"))


def says_nothing_new(packet: "av.Packet[VideoStream]") -> bool:
    """Whether that is no picture, but a sign that nothing is wrong though there is none."""
    return packet.size == len(NO_PICTURE) and bytes(packet) == NO_PICTURE


def _packet(picture: bytes, at: float) -> bytes:
    return _FRAME.pack(len(picture), int(at * TICKS)) + picture


def _until(due: float) -> Iterator[bytes]:
    """Waits, and says now and then that nothing is wrong."""
    while (left := due - time.monotonic()) > 0:
        time.sleep(min(left, SIGN_OF_LIFE_SECONDS))
        if left > SIGN_OF_LIFE_SECONDS:
            yield _packet(NO_PICTURE, time.monotonic())
