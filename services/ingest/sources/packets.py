"""A track's packets as they come, and no longer waited for than a source may be silent."""

import time
from collections.abc import Iterator

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from services.ingest.sources.decoding.tally import Tally
from services.ingest.sources.failures import source_failed
from services.ingest.sources.options import ReadOptions
from shared.errors import SourceFailed
from shared.sources import Source


def packets_of(
    container: InputContainer, stream: VideoStream, source: Source, options: ReadOptions, tally: Tally
) -> Iterator["av.Packet[VideoStream]"]:
    """The track's packets until its end, the last of them empty; raises SourceFailed where reading fails or stalls."""
    packets = container.demux(stream)
    while True:
        began = time.monotonic()
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError) as err:
            timed_out = not source.is_file and time.monotonic() - began >= options.stall_seconds
            raise source_failed(err, source, timed_out=timed_out, silent_seconds=options.stall_seconds) from err
        waited = time.monotonic() - began
        tally.read_seconds += waited
        if packet is None:
            return
        yield packet
        if waited >= options.stall_seconds and not source.is_file:
            # a time-out flushes FFmpeg's parser
            raise SourceFailed(f"no data for {options.stall_seconds:g} s")
