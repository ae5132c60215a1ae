"""The packets of a source's best video track, no longer waited for than a source may be silent."""

import time
from collections import deque
from collections.abc import Iterator
from typing import Final

import av
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from services.ingest.sources.decoding.tally import Tally
from services.ingest.sources.decoding.tracks import Track, first_with_packets, ranked
from services.ingest.sources.failures import source_failed
from services.ingest.sources.options import ReadOptions
from shared.errors import SourceFailed
from shared.sources import Source

STILL: Final = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
MAX_AHEAD_PACKETS: Final = 1_000
MAX_AHEAD_BYTES: Final = 16 << 20
AHEAD_SHARE: Final = 0.25
"""How much of the time that a source may be silent is waited for the packets of a better track."""


class Packets:
    """Reads one track of an open container, once `open` has found out which."""

    def __init__(self, container: InputContainer, source: Source, options: ReadOptions, tally: Tally) -> None:
        self._container = container
        self._source = source
        self._options = options
        self._tally = tally
        self._ahead: deque[av.Packet[VideoStream]] = deque()

    def open(self) -> VideoStream:
        """The best track that can be decoded and has packets; raises SourceFailed where there is none.

        Where several tracks could be it, packets are read until one of the best has come, or for a while.
        """
        streams = {stream.index: stream for stream in self._container.streams.video if stream.discard != Discard.all}
        candidates = ranked([_track(stream) for stream in streams.values()])
        self._demuxed = self._container.demux(tuple(streams[index] for index in candidates))
        chosen = candidates[0] if len(candidates) == 1 else self._look_ahead(candidates)
        for stream in self._container.streams:
            if stream.index != chosen:
                stream.discard = Discard.all
        self._stream = streams[chosen]
        return self._stream

    def __iter__(self) -> Iterator["av.Packet[VideoStream]"]:
        """The track's packets until its end, the last of them empty; raises SourceFailed where reading fails."""
        while self._ahead:
            yield self._ahead.popleft()
        yield from (packet for packet in self._read() if packet.stream.index == self._stream.index)

    def _look_ahead(self, candidates: list[int]) -> int:
        deadline = time.monotonic() + AHEAD_SHARE * self._options.stall_seconds
        seen: set[int] = set()
        num_bytes = 0
        for packet in self._read():
            self._ahead.append(packet)
            num_bytes += packet.size
            if packet.size:
                seen.add(packet.stream.index)
            is_late = not self._source.is_file and time.monotonic() >= deadline
            is_over = is_late or num_bytes > MAX_AHEAD_BYTES or len(self._ahead) > MAX_AHEAD_PACKETS or not packet.size
            if (chosen := first_with_packets(candidates, seen, is_over=is_over)) is not None:
                self._ahead = deque(packet for packet in self._ahead if packet.stream.index == chosen)
                return chosen
            if is_over:
                break
        raise SourceFailed("no picture could be decoded")

    def _read(self) -> Iterator["av.Packet[VideoStream]"]:
        while True:
            began = time.monotonic()
            try:
                packet = next(self._demuxed, None)
            except (av.FFmpegError, OSError) as err:
                timed_out = not self._source.is_file and time.monotonic() - began >= self._options.stall_seconds
                silent_seconds = self._options.stall_seconds
                raise source_failed(err, self._source, timed_out=timed_out, silent_seconds=silent_seconds) from err
            waited = time.monotonic() - began
            self._tally.read_seconds += waited
            if packet is None:
                return
            yield packet
            if waited >= self._options.stall_seconds and not self._source.is_file:
                # a time-out flushes FFmpeg's parser
                raise SourceFailed(f"no data for {self._options.stall_seconds:g} s")


def _track(stream: VideoStream) -> Track:
    """What the container says of a track; a size that only a packet tells is 0."""
    context = stream.codec_context
    return Track(
        stream.index,
        bool(context),
        context.width if context else 0,
        context.height if context else 0,
        stream.frames,
        bool(stream.disposition & STILL),
        bool(stream.disposition & Disposition.default),
    )
