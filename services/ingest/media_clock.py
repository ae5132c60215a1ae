"""Maps a camera's own time to the wall clock."""

from typing import Final

FURTHEST_APART_MS: Final = 2_000.0


class MediaClock:
    """When a camera's pictures were taken, by its own clock, anchored to this machine's.

    No picture was taken after it arrived, so the anchor follows the quickest arrival; pictures that came late through
    the network keep their distance. Where both clocks part by more than 2 s (drift, a stall, a clock that was set), the
    camera's is anchored anew.
    """

    def __init__(self) -> None:
        self._anchor_ms: float | None = None
        self.num_anchored = 0

    def taken_at_ms(self, media_seconds: float, decoded_at_ms: int) -> int:
        """Wall-clock time in ms of the picture at `media_seconds` since the camera's first."""
        media_ms = media_seconds * 1000
        anchor_ms = decoded_at_ms - media_ms
        if self._anchor_ms is None or anchor_ms - self._anchor_ms > FURTHEST_APART_MS:
            self._anchor_ms = anchor_ms
            self.num_anchored += 1
        self._anchor_ms = min(self._anchor_ms, anchor_ms)
        return round(media_ms + self._anchor_ms)
