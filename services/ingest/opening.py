"""Opens a source's container: which demuxers and protocols each kind of source may use, and for how long."""

import time
from typing import Final

import av
from av.container import InputContainer

from services.ingest.failures import source_failed
from services.ingest.options import ReadOptions
from shared.sources import Source

MAX_SIDE: Final = 16_384
MAX_PIXELS: Final = 8192 * 4608

FILE_FORMATS: Final = "avi,matroska,mov,mpeg,mpegts,mpegvideo,m4v,h264,hevc,flv,asf,ogg"
"""Demuxers that a file may need; not among them are playlists, whose entries could lie outside the media root."""

FILE_OPTIONS: Final = {"protocol_whitelist": "file", "format_whitelist": FILE_FORMATS, "max_pixels": str(MAX_PIXELS)}
RTSP_OPTIONS: Final = {
    "protocol_whitelist": "rtsp,rtsps,tcp,tls,rtp,srtp,udp,crypto",
    "format_whitelist": "rtsp,rtp,sdp,mpegts",
    "allowed_media_types": "video",
    "fpsprobesize": "0",
    "max_pixels": str(MAX_PIXELS),
}
"""Without measuring the rate at first (`fpsprobesize`): what is read for that comes as one late burst."""


def open_container(source: Source, options: ReadOptions) -> InputContainer:
    """The source's container, to be closed by the caller; raises SourceFailed with the reason in plain words."""
    began = time.monotonic()
    try:
        return av.open(
            source.location,
            options=_options(source, options),
            timeout=None if source.is_file else options.stall_seconds,
            metadata_errors="replace",
        )
    except (av.FFmpegError, ValueError, OSError) as err:
        timed_out = not source.is_file and time.monotonic() - began >= options.stall_seconds
        raise source_failed(err, source.location, is_file=source.is_file, timed_out=timed_out) from err


def _options(source: Source, options: ReadOptions) -> dict[str, str]:
    if source.is_file:
        return FILE_OPTIONS
    return {**RTSP_OPTIONS, "rtsp_transport": options.rtsp_transport}
