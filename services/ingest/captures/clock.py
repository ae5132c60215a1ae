"""When a camera's pictures were taken. Pure policy."""

from typing import Final

from services.ingest.captures.account import Account
from services.ingest.readers.messages import Picture

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


class CameraTimes:
    """A camera's frames: each has its picture's time as `MediaClock` maps it, moved on by a millisecond where it would
    not be later than the frame before."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._clock = MediaClock()

    def begin(self) -> int:
        """Before each opening; the first point of the grid that is wanted."""
        self._clock = MediaClock()
        return 0

    def of(self, picture: Picture) -> tuple[int, int]:
        """When a picture was taken and when it was decoded, on the wall clock in ms."""
        taken_at_ms = self._clock.taken_at_ms(picture.media_seconds, picture.decoded_at_ms)
        return max(taken_at_ms, self._account.last_ms + 1), picture.decoded_at_ms
