"""Which coded pictures need no decoding, where no other picture refers to them (`skip="auto"`).

Pure policy: it sees timestamps only. A picture is left out only if its grid point has been served, or another one,
earlier and kept, lies in the same point's window: it would have been decoded to be thrown away. So the sampled frames
are those of full decoding, picture for picture, whatever the rates are and however the source wanders between them; a
source no quicker than the grid loses nothing.
"""

from typing import Final

from services.ingest.sources.decoding.sampler import Sampler

NONREF_EXACT: Final = frozenset({"h264", "hevc", "mpeg2video", "mpeg4"})
"""Codecs whose pictures tell reliably whether others refer to them."""
STAMPED_AS_DECODED: Final = frozenset({"avi", "dhav", "hxvs", "ifv", "iv8", "luodat"})
"""Containers, most of them recorders', whose stamps are those of decoding, but stand where those of showing should."""

MAX_AHEAD: Final = 64
"""Windows remembered, and pictures waited for: more than decoders reorder (16) and threads hold together."""


def thins_exactly(codec: str, container: str) -> bool:
    """Whether thinning leaves the sampled frames as they are; both as FFmpeg names them."""
    return codec in NONREF_EXACT and container not in STAMPED_AS_DECODED


class Thinning:
    """Sees every coded picture's time in decoding order, and through the sampler where the decoded ones lie."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self._kept: dict[int, float] = {}
        """by grid point: the time of the earliest picture in its window that is decoded"""
        self._num_unsure = 0
        """pictures to come that are decoded in any case, since one without a time went before"""

    def needs(self, raw_seconds: float | None) -> bool:
        """Whether the picture at this time must be decoded even if no other refers to it.

        After a picture without a time all are, for a while: it is placed by those around it. RTSP streams begin so.
        """
        if raw_seconds is None:
            self._num_unsure = MAX_AHEAD
            return True
        if self._num_unsure:
            self._num_unsure -= 1
            return True
        point = self._sampler.window(raw_seconds)
        if point is None:
            return True
        is_served = point < self._sampler.next_point
        if is_served or self._kept.get(point, raw_seconds) < raw_seconds:
            return False
        self._kept[point] = raw_seconds
        if len(self._kept) > MAX_AHEAD:
            del self._kept[min(self._kept)]
        return True

    def refused(self) -> None:
        """A picture that was kept will not come: those after it may have to stand in."""
        self._kept.clear()
