"""Opens a source's container: which demuxers and protocols each kind of source may use, and for how long."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final, Self

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from services.ingest.sources.containers import FILE_FORMATS, RECORDINGS, unread_container
from services.ingest.sources.decoding.hardware import accelerator
from services.ingest.sources.decoding.pictures import MAX_PIXELS
from services.ingest.sources.failures import source_failed
from services.ingest.sources.files import opened_file
from services.ingest.sources.hls.follower import HlsFollower
from services.ingest.sources.hls.playlist import begins_one
from services.ingest.sources.mjpeg import picture_file
from services.ingest.sources.mjpeg.jpeg import other_kind
from services.ingest.sources.mjpeg.multipart import gives_pictures
from services.ingest.sources.mjpeg.picture_file import PictureFile
from services.ingest.sources.network.http_body import HttpBody, fetch
from services.ingest.sources.network.http_client import HttpClient
from services.ingest.sources.network.links import unheard
from services.ingest.sources.options import ReadOptions
from services.ingest.sources.rtsp.feed import feeding
from services.ingest.sources.timing.stamps import Arrival, ArrivalOf
from shared.errors import SourceFailed
from shared.network.addresses import AddressPolicy
from shared.sources import Source

BOUNDS: Final = {"max_pixels": str(MAX_PIXELS)}
DESCRIPTOR: Final = "fd:"
FILE_OPTIONS: Final = {"protocol_whitelist": "fd", "format_whitelist": FILE_FORMATS, **BOUNDS}
"""Bytes come from the descriptor of one opened file; FFmpeg itself opens none."""
HTTP_OPTIONS: Final = {"protocol_whitelist": "none", "format_whitelist": RECORDINGS, **BOUNDS}
LIVE_OPTIONS: Final = {**HTTP_OPTIONS, "fpsprobesize": "0", "max_ts_probe": "0"}
"""What is filmed meanwhile is not measured first: nobody would see it until then."""
HLS_OPTIONS: Final = {
    "protocol_whitelist": "none",
    "format_whitelist": "mpegts,mov",
    "analyzeduration": "1000000",  # microseconds: more would wait for segments that are yet to be filmed
    **BOUNDS,
}
PICTURES_OPTIONS: Final = {"protocol_whitelist": "none", "fpsprobesize": "0", **BOUNDS}
DEVICE_OPTIONS: Final = {"protocol_whitelist": "none", "fpsprobesize": "0", **BOUNDS}

OPENING_SHARE: Final = 0.9
"""Of the time that a source may be silent: one that tells no size until its next keyframe is open after that, too, and
somebody waits for a word of it."""

NO_TIMESTAMPS: Final = 0x80
"""FFmpeg's mark of a bare stream of a codec (`AVFMT_NOTIMESTAMPS`)."""
MULTIPART_MARK: Final = b"--"
NUM_PEEKED: Final = 256
NUM_TELLING: Final = 4096
"""First bytes by which a recording is known again: those of a live stream, whatever length it states, are others."""
SOUGHT_SECONDS: Final = 10.0
"""So long it is looked for where a recording was left before it is asked whether it is one."""
BEFORE_INDEX: Final = frozenset({b"ftyp", b"free", b"skip", b"wide", b"pnot"})


@dataclass(slots=True)
class Played:
    """How far a recording over HTTP was played: where its connection broke, it goes on there when it is read again."""

    whose: str
    seconds: float | None = None
    """the time of its last sampled picture, since the first; None: it is at its beginning"""

    @classmethod
    def of(cls, body: HttpBody, after: str | None) -> Self:
        """What a mark says of this very recording."""
        whose = blake2b(body.peek(NUM_TELLING), digest_size=8, salt=str(body.size).encode()[:16]).hexdigest()
        before, _, seconds = (after or "").partition(" ")
        return cls(whose, float(seconds) if before == whose else None)

    @staticmethod
    def is_live(seconds: float, passed_seconds: float) -> bool:
        """Whether it comes about as fast as it is filmed as it is sought through: some cameras state a length, too."""
        return passed_seconds >= SOUGHT_SECONDS and seconds < 2 * passed_seconds

    @property
    def mark(self) -> str | None:
        """What the next one to play it should know."""
        return None if self.seconds is None else f"{self.whose} {self.seconds:.6f}"


@dataclass(frozen=True, slots=True)
class OpenFootage:
    """An open source: its container, and what is known of it beside that."""

    container: InputContainer
    is_recording: bool = False
    """whether it ends as a file does, though it is none, by its server's word"""
    comes_as_filmed: bool = True
    """whether what is read at once was filmed at once, or it is a file, whose reader sets the pace: not so HLS, which
    comes in segments, and recordings over HTTP"""
    follower: HlsFollower | None = None
    played: Played | None = None
    arrival_of: ArrivalOf | None = None
    """says when a live source's packet came, where FFmpeg may have held it back"""

    @property
    def mark(self) -> str | None:
        """How far it was read, where whoever opens it next should know that."""
        if self.played:
            return self.played.mark
        return self.follower.trail.mark if self.follower else None

    def check_end(self) -> None:
        """Raises SourceFailed where nothing more comes though there should be more."""
        if self.follower:
            self.follower.check_end()


@contextmanager
def open_footage(
    source: Source, options: ReadOptions, after: str | None = None, heard: Callable[[], object] = unheard
) -> Iterator[OpenFootage]:
    """The source, open as long as the block runs, `after` the mark of what was read of it before.

    `heard` is called whenever something comes of one whose opening takes long. Raises SourceFailed with the reason in
    plain words.
    """
    with ExitStack() as stack:
        began = time.monotonic()
        try:
            footage = _opened(source, options, stack, after, heard)
            stack.enter_context(footage.container)
        except (av.FFmpegError, ValueError, OSError) as err:
            timed_out = not source.is_file and time.monotonic() - began >= OPENING_SHARE * options.stall_seconds
            raise source_failed(err, source, timed_out=timed_out) from err
        yield footage


def _opened(
    source: Source, options: ReadOptions, stack: ExitStack, after: str | None, heard: Callable[[], object]
) -> OpenFootage:
    match source.kind:
        case "file":
            return OpenFootage(_file(source, options))
        case "rtsp":
            return _rtsp(source, options, stack)
        case "http":
            return _http(source, options, stack, after, heard)
        case "device":
            if not Path(source.location).exists():
                raise SourceFailed(f"no such device: {source.location}")
            return OpenFootage(_container(source.location, options, DEVICE_OPTIONS, format_name="v4l2"))


def _container(
    file: str | HttpBody | PictureFile | HlsFollower,
    options: ReadOptions,
    format_options: dict[str, str],
    limits_seconds: tuple[float | None, float | None] | None = None,
    format_name: str | None = None,
) -> InputContainer:
    """What PyAV opens; `limits_seconds` are those of opening and of each read; none: by `stall_seconds`."""
    return av.open(
        file,
        "r",
        format=format_name,
        options=format_options,
        timeout=limits_seconds or (OPENING_SHARE * options.stall_seconds, options.stall_seconds),
        metadata_errors="replace",
        hwaccel=accelerator(options.hwaccel),
    )


def _file(source: Source, options: ReadOptions) -> InputContainer:
    with opened_file(source) as fd:
        way = {"fd": str(fd)}
        first = os.pread(fd, NUM_PEEKED, 0).lstrip()
        try:
            return _container(
                DESCRIPTOR,
                options,
                {**FILE_OPTIONS, **way},
                (None, None),
                "mjpeg" if first.startswith(MULTIPART_MARK) else None,  # mpjpeg takes the end for damage
            )
        except (av.FFmpegError, ValueError) as err:
            os.lseek(fd, 0, os.SEEK_SET)
            if name := unread_container(first, DESCRIPTOR, {"protocol_whitelist": "fd", **way}):
                raise SourceFailed(f"a file of the container {name}, which is not read here") from err
            raise


def _rtsp(source: Source, options: ReadOptions, stack: ExitStack) -> OpenFootage:
    began = time.monotonic()
    feed = stack.enter_context(feeding(source, options))
    left_seconds = OPENING_SHARE * options.stall_seconds - (time.monotonic() - began)
    limits_seconds = max(0.1, left_seconds), options.stall_seconds
    container = _container(DESCRIPTOR, options, {**feed.options, **BOUNDS}, limits_seconds, format_name="sdp")
    return OpenFootage(container, arrival_of=lambda packet: feed.arrivals.of(packet.pts))


def _http(
    source: Source, options: ReadOptions, stack: ExitStack, after: str | None, heard: Callable[[], object]
) -> OpenFootage:
    client = HttpClient(source.location, AddressPolicy(options.forbidden), options.stall_seconds, heard)
    stack.callback(client.close)
    body = fetch(client, client.url)
    stack.callback(body.close)
    footage = _web_footage(client, body, options, after)
    client.opened()
    return footage


def _web_footage(client: HttpClient, body: HttpBody, options: ReadOptions, after: str | None) -> OpenFootage:
    """Pictures, HLS or a plain video, as its first bytes say: what cameras state of the type is often wrong."""
    first = body.peek(NUM_PEEKED)
    if gives_pictures(body.content_type, first):
        played = Played.of(body, after) if picture_file.may_be_film(body) else None
        file = PictureFile(client, body, options.poll_fps)
        container = _container(file, options, PICTURES_OPTIONS, format_name=picture_file.FORMAT)
        is_film = file.is_film
        return OpenFootage(container, is_film, comes_as_filmed=not is_film, played=played if is_film else None)
    if begins_one(first):
        follower = HlsFollower(client, body, after)
        try:
            container = _container(follower, options, HLS_OPTIONS)
        except (av.FFmpegError, ValueError):
            follower.check_end()
            raise
        return OpenFootage(container, bool(follower.trail.is_recording), comes_as_filmed=False, follower=follower)
    if name := other_kind(first):
        raise SourceFailed(f"a {name} picture: of still pictures only JPEG is asked for again and again")
    if _index_comes_last(first) and not body.seekable():
        raise SourceFailed(
            "its index comes after its pictures, and its server gives no parts of it to look there first"
        )
    played = None if body.size is None else Played.of(body, after)
    limits_seconds = client.may_trickle(), options.stall_seconds
    container = _container(body, options, HTTP_OPTIONS if played else LIVE_OPTIONS, limits_seconds)
    if played or not container.format.flags & NO_TIMESTAMPS:
        return OpenFootage(container, played is not None, comes_as_filmed=False, played=played)

    def arrival_of(packet: "av.Packet[VideoStream]") -> Arrival | None:
        at_ms = None if packet.pos is None else body.arrived_at_ms(packet.pos + packet.size)
        return None if at_ms is None else (round(at_ms / 1000 / (packet.time_base or 1)), at_ms)

    return OpenFootage(container, arrival_of=arrival_of)


def _index_comes_last(head: bytes) -> bool:
    """Whether it begins like an MP4 or QuickTime file whose pictures come before their index."""
    while (kind := head[4:8]) in BEFORE_INDEX and (size := int.from_bytes(head[:4])) >= 8:
        head = head[size:]
    return kind == b"mdat"
