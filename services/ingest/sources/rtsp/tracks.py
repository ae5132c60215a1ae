"""What an RTSP camera describes (SDP, RFC 4566): its video tracks, and the description of one of them for FFmpeg.

Pure policy. FFmpeg sees one track and only the lines that say how to read it, no address and no other track.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from shared.errors import SourceFailed

DEPACKETISED: Final = frozenset(
    {
        *("H264", "H265", "HEVC", "JPEG", "MP4V-ES", "MPV", "MP2T", "VP8", "VP9", "AV1", "H261"),
        *("H263", "H263-1998", "H263-2000", "THEORA", "VC2", "X-SV3V-ES", "X-QT", "X-QUICKTIME", "RAW"),
    }
)
"""Kinds of video that the wheel's FFmpeg unpacks from RTP, as `a=rtpmap` names them."""
STATIC: Final = {26: "JPEG", 31: "H261", 32: "MPV", 33: "MP2T", 34: "H263"}
"""Payload types that need no `a=rtpmap` (RFC 3551)."""
KEPT: Final = frozenset({"rtpmap", "fmtp", "framesize", "cliprect", "framerate", "crypto"})
OF_ONE_TYPE: Final = frozenset({"rtpmap", "fmtp", "framesize"})
DEFAULT_RATE: Final = 90_000
MAX_LINE: Final = 8192
MAX_TRACKS: Final = 32

_SIZE: Final = re.compile(r"(?:framesize:[0-9]+ |x-dimensions:)\s*([0-9]{1,5})\s*[-,x]\s*([0-9]{1,5})")
_HEADER: Final = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"


@dataclass(frozen=True, slots=True)
class SdpTrack:
    """A video track that can be read."""

    control: str
    """URL by which it is set up"""
    payload_type: int
    codec: str
    """its kind as RTP names it, in capitals"""
    clock_rate: int
    """ticks of its RTP timestamps a second"""
    profile: str
    """RTP/AVP, or RTP/SAVP where it is encrypted"""
    num_pixels: int
    """of a picture, 0 where it does not say"""
    lines: tuple[str, ...]

    @property
    def sdp(self) -> str:
        """The description for FFmpeg."""
        media = f"m=video 0 {self.profile} {self.payload_type}\r\n"
        return _HEADER + media + "".join(f"a={line}\r\n" for line in self.lines)


@dataclass(frozen=True, slots=True)
class _Section:
    kind: str
    profile: str
    payload_types: tuple[int, ...]
    lines: list[str] = field(default_factory=list)

    def value(self, name: str) -> str:
        return next((line.partition(":")[2].strip() for line in self.lines if line.startswith(f"{name}:")), "")

    def codec_of(self, payload_type: int) -> tuple[str, int]:
        """Kind and clock rate."""
        for line in self.lines:
            number, _, rest = line.removeprefix("rtpmap:").strip().partition(" ")
            if line.startswith("rtpmap:") and number == str(payload_type):
                name, _, rate = rest.strip().partition("/")
                rate = rate.partition("/")[0].strip()
                known_rate = int(rate) if rate.isascii() and rate.isdigit() and 0 < len(rate) < 8 else 0
                return name.strip().upper(), known_rate or DEFAULT_RATE
        return STATIC.get(payload_type, ""), DEFAULT_RATE


def tracks_of(description: str, base: str) -> tuple[str, list[SdpTrack]]:
    """The URL that plays all, and the video tracks that can be read, the best first.

    `base` is the URL that relative ones belong to. Larger pictures come before smaller ones where all tracks state
    their size; otherwise the camera's own order counts. Raises SourceFailed where there is none.
    """
    session, *sections = _sections(description)
    whole = _joined(base, session.value("control"))
    videos = [section for section in sections if section.kind == "video"]
    tracks = [track for section in videos if (track := _track(section, whole))]
    if not videos:
        raise SourceFailed("holds no video stream")
    if not tracks:
        raise SourceFailed("its codec is not supported")
    if all(track.num_pixels for track in tracks):
        tracks.sort(key=lambda track: -track.num_pixels)
    return whole, tracks


def _sections(description: str) -> list[_Section]:
    sections = [_Section("", "", ())]
    for text in description.splitlines():
        line = text.strip()
        if len(line) > MAX_LINE or line[1:2] != "=":
            continue
        if line.startswith("m=") and len(sections) <= MAX_TRACKS:
            kind, _, profile, *types = [*line[2:].split(), "", "", ""]
            numbers = tuple(int(number) for number in types if re.fullmatch(r"[0-9]{1,3}", number, re.ASCII))
            sections.append(_Section(kind.lower(), profile.upper(), numbers))
        elif line.startswith("a="):
            sections[-1].lines.append(line[2:])
    return sections


def _track(section: _Section, whole: str) -> SdpTrack | None:
    for payload_type in section.payload_types:
        codec, rate = section.codec_of(payload_type)
        if codec in DEPACKETISED and payload_type < 128:
            lines = tuple(_for_ffmpeg(line) for line in section.lines if _is_kept(line, payload_type))
            size = next((found for line in section.lines if (found := _SIZE.match(line))), None)
            num_pixels = int(size[1]) * int(size[2]) if size else 0
            profile = "RTP/SAVP" if section.profile.startswith("RTP/SAVP") else "RTP/AVP"
            control = _joined(whole, section.value("control"))
            return SdpTrack(control, payload_type, codec, rate, profile, num_pixels, lines)
    return None


def _is_kept(line: str, payload_type: int) -> bool:
    name, _, value = line.partition(":")
    if name not in KEPT:
        return False
    return name not in OF_ONE_TYPE or value.strip().partition(" ")[0] == str(payload_type)


def _for_ffmpeg(line: str) -> str:
    return re.sub(r"(?i)^(rtpmap:\s*[0-9]+\s+)HEVC/", r"\1H265/", line)


def _joined(base: str, control: str) -> str:
    """A control URL as cameras mean it: put behind the base, even where that ends in a file or a query."""
    if control in ("", "*"):
        return base
    if re.match(r"(?i)rtsps?://", control):
        return control
    return base + control if base.endswith("/") or control.startswith("/") else f"{base}/{control}"


def base_of(asked: str, content_base: str) -> str:
    """The URL that a description's relative ones belong to: what the camera says, otherwise what it was asked for."""
    return content_base if re.match(r"(?i)rtsps?://", content_base) else asked
