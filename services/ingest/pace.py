"""Holds back what arrives faster than it was filmed: HLS comes in segments, a recording as fast as the network goes."""

from typing import Final

MAX_LATE_SECONDS: Final = 2.0
MAX_EARLY_SECONDS: Final = 5.0


class Pace:
    """Says how much too early a packet is, by its own time since the first. Pure policy.

    What is a little late is made up for at once; where the times jump or the source fell far behind, counting begins
    anew.
    """

    def __init__(self) -> None:
        self._anchor: float | None = None

    def early_seconds(self, media_seconds: float, now: float) -> float:
        """How long to wait at `now`, on a clock that only runs forward; 5 s at most."""
        early = media_seconds + self._anchor - now if self._anchor is not None else None
        if early is None or not -MAX_LATE_SECONDS <= early <= MAX_EARLY_SECONDS:
            self._anchor, early = now - media_seconds, 0.0
        return max(0.0, early)
