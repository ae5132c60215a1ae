"""What an HLS playlist says (RFC 8216), as far as video is read from it. Pure: text in, segments out."""

import math
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin

from services.ingest.sources.network.http_client import origin_of
from shared.errors import SourceFailed

MARK: Final = b"#EXTM3U"
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
KNOWN_SCHEMES: Final = frozenset(
    {"file", "ftp", "rtsp", "rtsps", "rtmp", "udp", "tcp", "data", "concat", "crypto", "subfile"}
)
FIRST_NUMBER: Final = 1
"""Whoever writes a recording counts from 0 or from 1."""
DEFAULT_TARGET_SECONDS: Final = 4.0

_ATTRIBUTE: Final = re.compile(r"([A-Z0-9-]+)=(?:\"([^\"]*)\"|([^,]*))")
_PROTOCOL: Final = re.compile(r"[^/?#]*:")
"""What could be taken for the name of a protocol: more characters than a URL's scheme has."""
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,15}(?=:)")
_KEY: Final = re.compile(r"^\s*#EXT-X-(?:SESSION-)?KEY:(?!METHOD=NONE\b)", re.MULTILINE)
_NUMBER: Final = re.compile(r"[0-9]{1,20}")
_RANGE: Final = re.compile(r"([0-9]{1,15})(?:@([0-9]{1,15}))?")
_AUDIO_CODECS: Final = ("mp4a", "ac-3", "ec-3", "ac-4", "opus", "flac", "alac", "mp3")


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file, or `length` bytes of it from `offset` on."""

    url: str
    offset: int = 0
    length: int | None = None


@dataclass(frozen=True, slots=True)
class HlsSegment:
    """Some seconds of video: its number in the sequence, and what a decoder needs before it, where that lies apart."""

    number: int
    piece: FilePart
    init: FilePart | None = None
    breaks: bool = False
    """whether it does not go on where the one before ended: other times, or another encoder"""


@dataclass(frozen=True, slots=True)
class Playlist:
    """Segments in order, or the playlists of `variants` of the same video."""

    url: str
    segments: tuple[HlsSegment, ...]
    variants: tuple[str, ...]
    target_seconds: float
    """about how long a segment lasts, so how often there is a new one"""
    is_over: bool
    """whether no segment will be added"""
    is_recording: bool = False
    """whether it is over and names all that there ever was, not what was left when something live ended"""


def begins_one(head: bytes) -> bool:
    """Whether that is how a playlist begins."""
    return head.removeprefix(BYTE_ORDER_MARK).lstrip().startswith(MARK)


def parse(text: str, url: str) -> Playlist:
    """The playlist that `url` gave; raises SourceFailed where it is encrypted or makes no sense.

    What it names may lie anywhere: whoever fetches it must look where.
    """
    if _KEY.search(text):
        raise SourceFailed("its video is encrypted, which is not supported")
    reader = _PlaylistReader(url)
    for line in text.splitlines():
        if line := line.strip():
            reader.take(line)
    begins = reader.segments[0].number if reader.segments else 0
    return Playlist(
        url,
        tuple(reader.segments),
        _usable(reader.variants),
        reader.target_seconds,
        reader.is_over,
        is_recording=reader.is_vod or (reader.is_over and begins <= FIRST_NUMBER),
    )


@dataclass(slots=True)
class _PlaylistReader:
    """What was said so far, and holds for the segments to come."""

    url: str
    segments: list[HlsSegment] = field(default_factory=list)
    variants: list[tuple[str, str, bool]] = field(default_factory=list)
    target_seconds: float = DEFAULT_TARGET_SECONDS
    is_over: bool = False
    is_vod: bool = False
    number: int = 0
    init: FilePart | None = None
    part: tuple[int, int | None] | None = None
    last: FilePart | None = None
    """what was named last, be it left out"""
    variant_codecs: str | None = None
    variant_is_seen: bool = False
    is_gap: bool = False
    breaks: bool = False

    def take(self, line: str) -> None:
        """One line."""
        tag, _, value = line.partition(":")
        match tag:
            case "#EXT-X-MEDIA-SEQUENCE":
                self.number = int(value) if _NUMBER.fullmatch(value.strip()) else 0
            case "#EXT-X-TARGETDURATION":
                self.target_seconds = _seconds(value)
            case "#EXT-X-STREAM-INF":
                self.variant_codecs = _attributes(value).get("CODECS", "")
                self.variant_is_seen = "RESOLUTION" in _attributes(value)
            case "#EXT-X-ENDLIST":
                self.is_over = True
            case "#EXT-X-PLAYLIST-TYPE":
                self.is_vod = value.strip() == "VOD"
                self.is_over = self.is_over or self.is_vod
            case _ if line.startswith("#"):
                self._take_for_segment(tag, value)
            case _:
                self._name(_joined(self.url, line))

    def _take_for_segment(self, tag: str, value: str) -> None:
        """What is said of the next segment, or of all that follow."""
        match tag:
            case "#EXT-X-MAP":
                self.init = self._init(_attributes(value))
            case "#EXT-X-BYTERANGE":
                self.part = _part(value)
            case "#EXT-X-GAP":
                self.is_gap = True
            case "#EXT-X-DISCONTINUITY":
                self.breaks = True

    def _name(self, url: str) -> None:
        if self.variant_codecs is not None:
            self.variants.append((url, self.variant_codecs, self.variant_is_seen))
            self.variant_codecs = None
            return
        piece = FilePart(url)
        if self.part:
            length, offset = self.part
            piece = FilePart(url, self._after(url) if offset is None else offset, length)
        if not self.is_gap:
            self.segments.append(HlsSegment(self.number, piece, self.init, self.breaks))
            self.breaks = False
        self.number, self.part, self.last, self.is_gap = self.number + 1, None, piece, False

    def _after(self, url: str) -> int:
        """Where a part begins that does not say it: at the end of the one before."""
        if not self.last or self.last.url != url or self.last.length is None:
            raise SourceFailed("its playlist makes no sense: it names a part of a file without its beginning")
        return self.last.offset + self.last.length

    def _init(self, attributes: dict[str, str]) -> FilePart:
        url = _joined(self.url, attributes.get("URI", ""))
        if "BYTERANGE" not in attributes:
            return FilePart(url)
        length, offset = _part(attributes["BYTERANGE"])
        return FilePart(url, offset or 0, length)


def elsewhere(url: str) -> SourceFailed:
    """What is said of an address that is not on the playlist's own server: no more of it than host and port."""
    scheme = _SCHEME.match(url)
    what = (
        f"a {scheme[0]}: address" if scheme and KNOWN_SCHEMES.issuperset(scheme[0].lower().split("+")) else "an address"
    )
    with suppress(SourceFailed):
        _, host, port = origin_of(url)
        what = f"{host[:253]} port {port}"
    return SourceFailed(f"its playlist names {what}, which is not on the playlist's own server: refused")


def _joined(base: str, uri: str) -> str:
    """Where it lies; what could be of another protocol than HTTP, or is no address, stays as it is."""
    if _PROTOCOL.match(uri) and not uri.lower().startswith(("http:", "https:")):
        return uri
    try:
        return urljoin(base, uri)
    except ValueError:
        return uri


def _usable(variants: list[tuple[str, str, bool]]) -> tuple[str, ...]:
    """Those that may hold video, those first that surely do: they state a size, or a codec that is none of sound."""
    rated = [
        (url, is_seen or bool(codecs))
        for url, codecs, is_seen in variants
        if not codecs or not all(codec.strip().lower().startswith(_AUDIO_CODECS) for codec in codecs.split(","))
    ]
    usable = tuple(url for url, _ in sorted(rated, key=lambda variant: not variant[1]))
    if variants and not usable:
        raise SourceFailed("holds no video stream")
    return usable


def _attributes(text: str) -> dict[str, str]:
    return {name: quoted or plain.strip() for name, quoted, plain in _ATTRIBUTE.findall(text)}


def _part(text: str) -> tuple[int, int | None]:
    found = _RANGE.fullmatch(text.strip())
    if not found or int(found[1]) == 0:
        raise SourceFailed("its playlist makes no sense: it names a part of a file that is none")
    return int(found[1]), int(found[2]) if found[2] else None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        return DEFAULT_TARGET_SECONDS
    return seconds if math.isfinite(seconds) and seconds > 0 else DEFAULT_TARGET_SECONDS
