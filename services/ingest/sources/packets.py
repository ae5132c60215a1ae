"""The packets of a source's best video track, no longer waited for than a source may be silent."""

import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Final

import av
import av.logging
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from services.ingest.sources.decoding.tally import Tally
from services.ingest.sources.decoding.timeline import STRAY_SECONDS, is_stray
from services.ingest.sources.decoding.tracks import Succession, VideoTrack, first_with_packets, ranked
from services.ingest.sources.failures import source_failed
from services.ingest.sources.options import ReadOptions
from shared.errors import SourceFailed, SourceSilent
from shared.sources import Source

STILL: Final = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
NUM_FOLLOWING: Final = 8
NEAR_ITS_END: Final = 0.9
"""Of a file: where the chosen track's last packet lies behind that, it has ended with the file."""
TRACKS_CHANGE: Final = "its tracks change in mid-stream: what follows is not read"
TRACK: Final = re.compile("^  Stream #", re.MULTILINE)
"""As FFmpeg begins a track's line where it lists them."""
MIN_RATE: Final = 1 / 86_400
"""A time-lapse may have a picture a day."""
MAX_RATE: Final = 500.0
MAX_AHEAD_PACKETS: Final = 1_000
MAX_AHEAD_BYTES: Final = 16 << 20
LEAD_SECONDS: Final = 10.0
"""How long before the place where another track goes on a keyframe of it is looked for: some containers tell none."""
AHEAD_SECONDS: Final = 3.0
AHEAD_SHARE: Final = 0.25
"""How long a live source is waited for the packets of a better track, at most by its share of `stall_seconds`."""


class Packets:
    """Reads one track of an open container, once `open` has found out which."""

    def __init__(self, container: InputContainer, source: Source, options: ReadOptions, tally: Tally) -> None:
        self._container = container
        self._source = source
        self._options = options
        self._tally = tally
        self._last_at = 0
        self._ahead: list[av.Packet[VideoStream]] = []
        self._behind_seconds: float | None = None

    def open(self) -> VideoStream:
        """The best track that can be decoded and has packets; raises SourceFailed where there is none.

        Where several tracks could be it, packets are read until one of the best has come, or for a while.
        """
        streams = {stream.index: stream for stream in self._container.streams.video if stream.discard != Discard.all}
        candidates = ranked([_track(stream) for stream in streams.values()])
        self._demuxed = self._container.demux(tuple(streams[index] for index in candidates))
        chosen = candidates[0] if len(candidates) == 1 else self._look_ahead(candidates)
        self._candidates = candidates
        self._succession = Succession(chosen, candidates)
        self._leave_out()
        return streams[chosen]

    def __iter__(self) -> Iterator["av.Packet[VideoStream]"]:
        """The track's packets until its end, the last of them empty; raises SourceFailed where reading fails.

        Where another track goes on instead, its packets follow.
        """
        succession, ends = self._succession, {}
        waiting: deque[av.Packet[VideoStream]] = deque(maxlen=MAX_AHEAD_PACKETS)
        ahead, self._ahead = iter(self._ahead), []  # what was handed over goes
        for packet in chain(ahead, self._read()):
            index = packet.stream.index
            if not packet.size:
                ends[index] = packet
            elif index == succession.chosen:
                succession.saw_chosen(_seconds_of(packet))
                if waiting and not succession.others:
                    waiting.clear()
                    self._leave_out()
                yield packet
            elif index in succession.others:
                waiting.append(packet)
                while sum(packet.size for packet in waiting) > MAX_AHEAD_BYTES:
                    waiting.popleft()
                if succession.saw_other(index, _seconds_of(packet)):
                    yield from (packet for packet in waiting if packet.stream.index == index)
                    waiting.clear()
        if succession.at_end() is not None:
            yield from (packet for packet in waiting if packet.stream.index == succession.chosen)
        yield from (packet for index, packet in ends.items() if index == succession.chosen)
        if self._source.is_file:
            yield from self._behind()

    def was_shown(self, seconds: float | None) -> bool:
        """Whether a picture of this time only leads up to those with which another track goes on."""
        return self._behind_seconds is not None and seconds is not None and seconds <= self._behind_seconds

    def _behind(self) -> Iterator["av.Packet[VideoStream]"]:
        """What a track that ran beside the chosen one still has when that has ended, from a keyframe before that on."""
        succession = self._succession
        for index in self._candidates:
            if index not in succession.beside or succession.newest_seconds is None:
                continue
            stream = next(stream for stream in self._container.streams.video if stream.index == index)
            stream.discard = Discard.default
            begin = succession.newest_seconds - LEAD_SECONDS
            try:
                self._container.seek(max(round(begin / (stream.time_base or 1)), stream.start_time or 0), stream=stream)
            except av.FFmpegError:
                return
            self._demuxed = self._container.demux(stream)
            held: list[av.Packet[VideoStream]] = []
            for packet in self._read():
                held.append(packet)
                is_over = not packet.size or len(held) > MAX_AHEAD_PACKETS
                if is_over or succession.goes_on(index, _seconds_of(packet) or 0.0):
                    break
            if succession.chosen == index:
                self._behind_seconds = succession.newest_seconds
                yield from chain(held, self._read())
                return
            stream.discard = Discard.all

    def _leave_out(self) -> None:
        """FFmpeg need not read what nobody will look at."""
        for stream in self._container.streams:
            if stream.index != self._succession.chosen and stream.index not in self._succession.others:
                stream.discard = Discard.all

    def _look_ahead(self, candidates: list[int]) -> int:
        deadline = time.monotonic() + min(AHEAD_SECONDS, AHEAD_SHARE * self._options.stall_seconds)
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
                return chosen
            if is_over:
                break
        raise SourceFailed("no picture could be decoded")

    def _read(self) -> Iterator["av.Packet[VideoStream]"]:
        while True:
            began = time.monotonic()
            try:
                packet = next(self._demuxed, None)
            except IndexError:  # PyAV's, now and then, at the end, where a track has begun that was not there at first
                packet = None
            except (av.FFmpegError, OSError) as err:
                timed_out = not self._source.is_file and time.monotonic() - began >= self._options.stall_seconds
                silent_seconds = self._options.stall_seconds
                raise source_failed(err, self._source, timed_out=timed_out, silent_seconds=silent_seconds) from err
            waited = time.monotonic() - began
            self._tally.read_seconds += waited
            if packet is None:
                if self._has_new_tracks() and not self._is_near_its_end():
                    raise SourceFailed(TRACKS_CHANGE)
                return
            self._last_at = packet.pos or self._last_at
            yield packet
            if waited >= self._options.stall_seconds and not self._source.is_file:
                # a time-out flushes FFmpeg's parser
                raise SourceSilent(f"no data for {self._options.stall_seconds:g} s")

    def _has_new_tracks(self) -> bool:
        """Whether FFmpeg has found some since it was opened, of which PyAV tells nothing."""
        level = av.logging.get_level()
        av.logging.set_level(av.logging.INFO)  # else it lists none
        try:
            listed: str = self._container.dumps_format()  # type: ignore[attr-defined]
            return len(TRACK.findall(listed)) > len(self._container.streams)
        finally:
            av.logging.set_level(level)

    def _is_near_its_end(self) -> bool:
        return self._last_at >= NEAR_ITS_END * self._container.size


def without_strays(
    packets: Iterable["av.Packet[VideoStream]"], seconds_of: Callable[[int | None], float | None]
) -> Iterator["av.Packet[VideoStream]"]:
    """A recording's packets; those whose timestamps cannot be true have none, as `is_stray` says by the next eight."""
    coming = iter(packets)
    queue: deque[av.Packet[VideoStream]] = deque()
    before: float | None = None
    while (packet := queue.popleft() if queue else next(coming, None)) is not None:
        stamp = seconds_of(packet.pts)
        if before is not None and stamp is not None and abs(stamp - before) > STRAY_SECONDS:
            queue.extend(islice(coming, NUM_FOLLOWING - len(queue)))
            following = [seconds for later in queue if (seconds := seconds_of(later.pts)) is not None]
            if is_stray(before, stamp, following):
                packet.pts = packet.dts = stamp = None
        before = before if stamp is None else stamp
        yield packet


def nominal_rate(stream: VideoStream) -> float | None:
    """Nominal frames per second, where the source states something believable.

    Where no packets were waited for to measure it, only the codec's own word is: FFmpeg guesses that of fields.
    """
    stated = stream.codec_context.framerate if stream.codec_context else None
    for rate in (stream.guessed_rate, stream.average_rate) if stream.average_rate else (stated,):
        if rate and MIN_RATE <= rate <= MAX_RATE:
            return float(rate)
    return None


def _track(stream: VideoStream) -> VideoTrack:
    """What the container says of a track; a size that only a packet tells is 0."""
    context = stream.codec_context
    return VideoTrack(
        stream.index,
        bool(context),
        context.width if context else 0,
        context.height if context else 0,
        stream.frames,
        bool(stream.disposition & STILL),
        bool(stream.disposition & Disposition.default),
    )


def _seconds_of(packet: "av.Packet[VideoStream]") -> float | None:
    stamp = packet.dts if packet.pts is None else packet.pts
    return None if stamp is None else float(stamp * packet.time_base)
