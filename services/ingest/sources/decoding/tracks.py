"""Which of a source's video tracks is the one to look at: pure policy over what the container says of each.

A recorder puts a preview or a cover before the film, a receiver lists programmes that are off the air.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from services.ingest.sources.decoding.pictures import MAX_PIXELS, MAX_SIDE
from shared.errors import SourceFailed

SPARSE: Final = 10
"""A track with so many times fewer pictures than another is a preview of it."""
TAKEOVER_SECONDS: Final = 3.0
TAKEOVER_PACKETS: Final = 250
"""A track that comes alone for so long has taken over, or, where it states no times, with so many packets..."""
TAIL_SECONDS: Final = 1.0
TAIL_PACKETS: Final = 25
"""...or so many once everything has ended;"""
PAUSES: Final = 4.0
"""and longer by so many times than the chosen track ever paused."""
MAX_TURNS: Final = 3
MIN_CHOSEN: Final = 3


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """A video track as its container describes it."""

    index: int
    """its place in the container"""
    has_decoder: bool = True
    width: int = 0
    """pixels; 0 where nothing has told it yet"""
    height: int = 0
    num_pictures: int = 0
    """0 where the container does not say"""
    is_still: bool = False
    """marked as a cover, a thumbnail or a still picture"""
    is_default: bool = False
    """marked as the one to show"""

    @property
    def num_pixels(self) -> int:
        """Of a picture; 0 where that is unknown or larger than what is read."""
        is_readable = self.width <= MAX_SIDE and self.height <= MAX_SIDE and self.width * self.height <= MAX_PIXELS
        return self.width * self.height if is_readable else 0


def ranked(tracks: Sequence[VideoTrack]) -> list[int]:
    """The tracks that can be looked at, the best first, by their indices; raises SourceFailed where there are none.

    Films go before single and sparse pictures, tracks of a known size before others, then the larger picture; where
    all that is the same, the track that is marked as default, or the first.
    """
    films = [track for track in tracks if not track.is_still]
    if not films:
        raise SourceFailed("holds no video stream")
    readable = [track for track in films if track.has_decoder]
    if not readable:
        raise SourceFailed("its codec is not supported")
    most = max(track.num_pictures for track in readable)

    def drawback(track: VideoTrack) -> tuple[bool, int, bool, int]:
        is_sparse = track.num_pictures == 1 or 0 < track.num_pictures * SPARSE <= most
        return is_sparse, -track.num_pixels, not track.is_default, track.index

    return [track.index for track in sorted(readable, key=drawback)]


class Succession:
    """Sees which track every packet is of, and says which of the others goes on where the chosen one has ended.

    A receiver that announces another track, or a recording that was put together, has it begin where the first falls
    silent. One whose packets come in turns with the chosen one's is something else; but FFmpeg keeps a track's last
    packets until it knows that no more follow.
    """

    def __init__(self, chosen: int, others: Iterable[int]) -> None:
        self.chosen = chosen
        self.others = set(others) - {chosen}
        """those that may still follow"""
        self.beside: set[int] = set()
        """those that ran beside the chosen one: in a file they may go on behind its end"""
        self.newest_seconds: float | None = None
        """the latest time that the chosen track stated"""
        self._times: dict[int, list[float | None]] = {}
        self._turns: Counter[int] = Counter()
        self._alone: Counter[int] = Counter()
        """packets of others since the newest of the chosen track"""
        self._chosen_seconds: float | None = None
        self._longest_pause = 0.0
        self._num_chosen = 0

    def saw_chosen(self, seconds: float | None) -> None:
        """A packet of the chosen track has come, with the time that it states."""
        self._num_chosen += 1
        if seconds is not None and self._chosen_seconds is not None:
            self._longest_pause = max(self._longest_pause, seconds - self._chosen_seconds)
        self._chosen_seconds = seconds
        if seconds is not None:
            self.newest_seconds = max(seconds, self.newest_seconds or seconds)
        self._turns.update(self._alone.keys())
        self.beside |= {index for index, num_turns in self._turns.items() if num_turns > MAX_TURNS}
        self.others -= self.beside
        self._alone.clear()

    def saw_other(self, index: int, seconds: float | None) -> bool:
        """Whether the track of this packet, with the time that it states, has taken over."""
        times = self._times.setdefault(index, [])
        times.append(seconds)
        self._alone[index] += 1
        if self._num_chosen < MIN_CHOSEN:  # who knows how long it pauses
            return False
        return self._takes_over(index, times[-self._alone[index] :], TAKEOVER_SECONDS, TAKEOVER_PACKETS)

    def at_end(self) -> int | None:
        """The track that had taken over when everything ended."""
        for index in sorted(self.others & self._times.keys()):
            if self._takes_over(index, self._times[index], TAIL_SECONDS, TAIL_PACKETS):
                return index
        return None

    def goes_on(self, index: int, seconds: float) -> bool:
        """Whether a track that ran beside the chosen one goes on long enough behind its end, up to a time."""
        behind = seconds - (self.newest_seconds or 0.0)
        if behind < max(TAIL_SECONDS, PAUSES * self._longest_pause):
            return False
        self.chosen = index
        return True

    def _takes_over(self, index: int, times: Sequence[float | None], seconds: float, num_packets: int) -> bool:
        known = [time for time in times if time is not None]
        lasted = max(known) - min(known) if known else 0.0
        if lasted < max(seconds, PAUSES * self._longest_pause) and (known or len(times) < num_packets):
            return False
        self.chosen = index
        self.others.discard(index)
        return True


def first_with_packets(candidates: Sequence[int], with_packets: Collection[int], *, is_over: bool) -> int | None:
    """The track to keep to, or None while more packets must be seen: the best of those that have any.

    `candidates` are what `ranked` gave; `is_over` says that as many were seen as may be.
    """
    seen = [index for index in candidates if index in with_packets]
    return seen[0] if seen and (is_over or seen[0] == candidates[0]) else None
