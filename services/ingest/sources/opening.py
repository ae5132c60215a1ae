"""Opens a source's container: which demuxers and protocols each kind of source may use, and for how long."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import av
from av.container import InputContainer
from av.stream import Discard

from services.ingest.sources.containers import FILE_FORMATS, RECORDINGS, unread_container
from services.ingest.sources.decoding.hardware import accelerator
from services.ingest.sources.decoding.pictures import MAX_PIXELS
from services.ingest.sources.failures import source_failed
from services.ingest.sources.files import opened_file
from services.ingest.sources.network import hls
from services.ingest.sources.network.addresses import AddressPolicy, open_sockets
from services.ingest.sources.network.http_body import HttpBody, fetch
from services.ingest.sources.network.http_client import HttpClient
from services.ingest.sources.options import ReadOptions
from shared.errors import SourceFailed
from shared.sources import Source

BOUNDS: Final = {"max_pixels": str(MAX_PIXELS)}
DESCRIPTOR: Final = "fd:"
FILE_OPTIONS: Final = {"protocol_whitelist": "fd", "format_whitelist": FILE_FORMATS, **BOUNDS}
"""Bytes come from the descriptor of one opened file; FFmpeg itself opens none."""
RTSP_OPTIONS: Final = {
    "protocol_whitelist": "rtsp,rtsps,tcp,tls,rtp,srtp,udp,crypto",
    "format_whitelist": "rtsp,rtp,sdp,mpegts",
    "allowed_media_types": "video",
    "fpsprobesize": "0",
    **BOUNDS,
}
"""Without measuring the rate at first (`fpsprobesize`): what is read for that comes as one late burst.

Certificates of rtsps are not verified (FFmpeg's default): cameras sign their own.
"""
HTTP_OPTIONS: Final = {"protocol_whitelist": "none", "format_whitelist": RECORDINGS, **BOUNDS}
HLS_OPTIONS: Final = {**hls.OPTIONS, **BOUNDS}
MJPEG_OPTIONS: Final = {"protocol_whitelist": "none", "use_wallclock_as_timestamps": "1", "fpsprobesize": "0", **BOUNDS}
"""MJPEG tells no times, so a picture's is that of its arrival."""
MJPEG_FORMATS: Final = ("mpjpeg", "mjpeg")
DEVICE_OPTIONS: Final = {"protocol_whitelist": "none", "fpsprobesize": "0", **BOUNDS}

OPENING_SHARE: Final = 0.9
"""Of the time that a source may be silent: one that tells no size until its next keyframe is open after that, too, and
somebody waits for a word of it."""

JPEG_MARK: Final = b"\xff\xd8\xff"
MULTIPART_MARK: Final = b"--"
JPEG_TYPE: Final = b"image/jpeg"
NUM_PEEKED: Final = 16
NUM_OF_HEADERS: Final = 256


@contextmanager
def open_container(source: Source, options: ReadOptions) -> Iterator[InputContainer]:
    """The source's container, open as long as the block runs; raises SourceFailed with the reason in plain words."""
    with ExitStack() as stack:
        began = time.monotonic()
        try:
            container = stack.enter_context(_opened(source, options, stack))
        except (av.FFmpegError, ValueError, OSError) as err:
            timed_out = not source.is_file and time.monotonic() - began >= OPENING_SHARE * options.stall_seconds
            raise source_failed(err, source, timed_out=timed_out) from err
        yield container


def comes_as_filmed(source: Source, container: InputContainer) -> bool:
    """Whether what is read at once is what was filmed at once, or a file, whose reader sets the pace.

    Not so HLS, which comes in segments, and recordings over HTTP.
    """
    return source.kind != "http" or container.format.name in MJPEG_FORMATS


def _opened(source: Source, options: ReadOptions, stack: ExitStack) -> InputContainer:
    match source.kind:
        case "file":
            return _file(source, options)
        case "rtsp":
            return _rtsp(source, options)
        case "http":
            return _http(source, options, stack)
        case "device":
            if not Path(source.location).exists():
                raise SourceFailed(f"no such device: {source.location}")
            return _container(source.location, options, DEVICE_OPTIONS, format_name="v4l2")


def _container(
    file: str | HttpBody | hls.Playlist,
    options: ReadOptions,
    format_options: dict[str, str],
    limits_seconds: tuple[float | None, float | None] | None = None,
    format_name: str | None = None,
    io_open: Callable[..., hls.Playlist | HttpBody] | None = None,
) -> InputContainer:
    """What PyAV opens; `limits_seconds` are those of opening and of each read; none: by `stall_seconds`."""
    return av.open(
        file,
        "r",
        format=format_name,
        io_open=io_open,
        options=format_options,
        timeout=limits_seconds or (OPENING_SHARE * options.stall_seconds, options.stall_seconds),
        metadata_errors="replace",
        hwaccel=accelerator(options.hwaccel),
    )


def _file(source: Source, options: ReadOptions) -> InputContainer:
    with opened_file(source) as fd:
        way = {"fd": str(fd)}
        is_multipart = os.pread(fd, NUM_PEEKED, 0).lstrip().startswith(MULTIPART_MARK)
        try:
            return _container(
                DESCRIPTOR,
                options,
                {**FILE_OPTIONS, **way},
                (None, None),
                "mjpeg" if is_multipart else None,  # mpjpeg takes the end for damage
            )
        except (av.FFmpegError, ValueError) as err:
            os.lseek(fd, 0, os.SEEK_SET)
            if name := unread_container(DESCRIPTOR, {"protocol_whitelist": "fd", **way}):
                raise SourceFailed(f"a file of the container {name}, which is not read here") from err
            raise


def _rtsp(source: Source, options: ReadOptions) -> InputContainer:
    """FFmpeg follows an RTSP server's redirects by itself: where that led is looked at before anything is read."""
    began, policy, before = time.monotonic(), AddressPolicy(options.forbidden), open_sockets()
    policy.check_url(source.location, options.stall_seconds)
    left_seconds = OPENING_SHARE * options.stall_seconds - (time.monotonic() - began)
    limits_seconds = max(0.1, left_seconds), options.stall_seconds
    format_options = {**RTSP_OPTIONS, "rtsp_transport": options.rtsp_transport}
    container = _container(source.location, options, format_options, limits_seconds)
    try:
        policy.check_peers(before)
    except SourceFailed:
        container.close()
        raise
    return container


def _http(source: Source, options: ReadOptions, stack: ExitStack) -> InputContainer:
    client = HttpClient(source.location, AddressPolicy(options.forbidden), options.stall_seconds)
    body = fetch(client, client.url)
    stack.callback(client.close)
    stack.callback(body.close)
    container = _web_container(client, body, options)
    client.opened()
    return container


def _web_container(client: HttpClient, body: HttpBody, options: ReadOptions) -> InputContainer:
    """MJPEG, HLS or a plain video, as its first bytes say: what cameras state of the type is often wrong."""
    first = body.peek(NUM_PEEKED).lstrip()
    if first.startswith(hls.MARK):
        files = hls.HlsFiles(client, body)
        container = _container(files.first, options, HLS_OPTIONS, format_name="hls", io_open=files.open)
        _leave_out_variants(container)
        return container
    is_multipart = body.content_type.startswith("multipart/") or first.startswith(MULTIPART_MARK)
    if is_multipart and JPEG_TYPE in body.peek(NUM_OF_HEADERS).lower():
        return _container(body, options, MJPEG_OPTIONS, format_name="mpjpeg")
    if is_multipart or first.startswith(JPEG_MARK):  # finds pictures by their own marks, one picture late
        return _container(body, options, MJPEG_OPTIONS, format_name="mjpeg")
    return _container(body, options, HTTP_OPTIONS)


def _leave_out_variants(container: InputContainer) -> None:
    """Keeps the first video only: of what is left out, FFmpeg fetches no more segments."""
    wanted = next((stream.index for stream in container.streams.video if stream.codec_context), None)
    for stream in container.streams:
        if stream.index != wanted:
            stream.discard = Discard.all
