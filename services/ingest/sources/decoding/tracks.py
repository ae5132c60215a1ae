"""Which of a source's video tracks is the one to look at: pure policy over what the container says of each.

A recorder puts a preview or a cover before the film, a receiver lists programmes that are off the air.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from services.ingest.sources.decoding.pictures import MAX_PIXELS, MAX_SIDE
from shared.errors import SourceFailed

SPARSE: Final = 10
"""A track with so many times fewer pictures than another is a preview of it."""


@dataclass(frozen=True, slots=True)
class Track:
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


def ranked(tracks: Sequence[Track]) -> list[int]:
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

    def drawback(track: Track) -> tuple[bool, int, bool, int]:
        is_sparse = track.num_pictures == 1 or 0 < track.num_pictures * SPARSE <= most
        return is_sparse, -track.num_pixels, not track.is_default, track.index

    return [track.index for track in sorted(readable, key=drawback)]


def first_with_packets(candidates: Sequence[int], with_packets: Collection[int], *, is_over: bool) -> int | None:
    """The track to keep to, or None while more packets must be seen: the best of those that have any.

    `candidates` are what `ranked` gave; `is_over` says that as many were seen as may be.
    """
    seen = [index for index in candidates if index in with_packets]
    return seen[0] if seen and (is_over or seen[0] == candidates[0]) else None
