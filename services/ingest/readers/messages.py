"""What a reader process tells the service: plain bytes, since a decoder that was taken over must not be believed."""

import json
import struct
from dataclasses import asdict, dataclass
from typing import Final

from pydantic import TypeAdapter

from services.ingest.sources.decoding.tally import TALLY_BYTES, Tally
from services.ingest.sources.video import SampledFrame, VideoInfo
from shared.entries import MAX_JPEG_BYTES, MAX_PACKED_FIGURES_BYTES, Figures, pack_figures, unpack_figures
from shared.errors import SourceChanged, SourceFailed, SourceSilent

_PICTURE: Final = struct.Struct("<qdqq?B")
_FAILURES: Final[dict[bytes, type[SourceFailed]]] = {b"E": SourceFailed, b"S": SourceSilent, b"A": SourceChanged}
_INFO: Final = TypeAdapter(VideoInfo)
MAX_REASON: Final = 500
MAX_MARK: Final = 500
MAX_MESSAGE_BYTES: Final = MAX_JPEG_BYTES + TALLY_BYTES + _PICTURE.size + MAX_PACKED_FIGURES_BYTES + 1


@dataclass(frozen=True, slots=True)
class Opened:
    """The source is open, or its picture has another size or codec from now on."""

    info: VideoInfo


@dataclass(frozen=True, slots=True)
class Marked:
    """How far the source was read, in words of its own, for the reader that opens it next."""

    mark: str


@dataclass(frozen=True, slots=True)
class Counted:
    """The source lives, but nothing of it was wanted lately."""

    tally: Tally


@dataclass(frozen=True, slots=True)
class Waiting:
    """The source lives, but gives no picture, for a reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A sampled frame as JPEG; all else as in SampledFrame."""

    tally: Tally
    point: int
    media_seconds: float
    arrived_at_ms: int
    decoded_at_ms: int
    jpeg: bytes
    damaged: bool = False
    figures: Figures | None = None


@dataclass(frozen=True, slots=True)
class Over:
    """Nothing more comes: the source has ended, or failed for a reason."""

    tally: Tally
    reason: str | None
    kind: type[SourceFailed] = SourceFailed
    """as what it failed, where it did"""
    remark: str | None = None
    """what is odd about an end that is no failure"""


Message = Opened | Marked | Counted | Waiting | Picture | Over


def pack_opened(info: VideoInfo) -> bytes:
    """Opened, as bytes."""
    return b"O" + json.dumps(asdict(info)).encode()


def pack_marked(mark: str) -> bytes:
    """Marked, as bytes."""
    return b"M" + mark.encode()


def pack_counted(tally: Tally) -> bytes:
    """Counted, as bytes; the tally begins anew."""
    return b"C" + tally.take()


def pack_waiting(reason: str) -> bytes:
    """Waiting, as bytes."""
    return b"W" + reason[:MAX_REASON].encode()


def pack_picture(tally: Tally, frame: SampledFrame, jpeg: bytes) -> bytes:
    """Picture, as bytes; the tally begins anew."""
    figures = b"" if frame.figures is None else pack_figures(frame.figures)
    facts = frame.point, frame.media_seconds, frame.arrived_at_ms, frame.decoded_at_ms, frame.damaged
    return b"P" + tally.take() + _PICTURE.pack(*facts, len(figures)) + figures + jpeg


def pack_failed(tally: Tally, failure: SourceFailed) -> bytes:
    """Over, where the source has failed, as bytes; the tally begins anew."""
    letter = next((letter for letter, kind in _FAILURES.items() if kind is type(failure)), b"E")
    return letter + tally.take() + str(failure)[:MAX_REASON].encode()


def pack_ended(tally: Tally, remark: str | None) -> bytes:
    """Over, where the source has ended, as bytes; the tally begins anew."""
    return b"R" + tally.take() + (remark or "")[:MAX_REASON].encode()


def unpack(message: bytes) -> Message:
    """A message of a reader; raises SourceFailed for what is none."""
    kind, rest = message[:1], message[1:]
    try:
        if kind == b"O":
            return Opened(_INFO.validate_json(rest, strict=True))
        if kind == b"M" and len(rest) <= MAX_MARK:
            return Marked(rest.decode())
        if kind == b"W":
            return Waiting(rest.decode()[:MAX_REASON])
        tally, rest = Tally.unpack(rest[:TALLY_BYTES]), rest[TALLY_BYTES:]
        if kind == b"P":
            point, media_seconds, arrived_at_ms, decoded_at_ms, damaged, num_bytes = _PICTURE.unpack(
                rest[: _PICTURE.size]
            )
            begins = _PICTURE.size + num_bytes
            figures = unpack_figures(rest[_PICTURE.size : begins])
            if figures or not num_bytes:
                times = point, media_seconds, arrived_at_ms, decoded_at_ms
                return Picture(tally, *times, rest[begins:], damaged, figures)
        if kind == b"R" or kind in _FAILURES:
            said, failure = rest.decode() or None, _FAILURES.get(kind)
            return Over(tally, said or "failed", failure) if failure else Over(tally, None, remark=said)
        if kind == b"C" and not rest:
            return Counted(tally)
    except (ValueError, struct.error) as err:
        raise SourceFailed("its reader said something that makes no sense") from err
    raise SourceFailed("its reader said something that makes no sense")
