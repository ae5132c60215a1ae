"""How long a source's packets may bring no picture: pure policy."""

from typing import Final

from shared.errors import SourceFailed

USUAL_SECONDS: Final = 3.0
"""A keyframe that takes longer is worth a word."""


class Patience:
    """Sees which packets brought a picture and which did not, though they should have.

    Before a keyframe nothing can be decoded, and some cameras send one in minutes: there is no limit to that, as long
    as packets come. After a keyframe that brought no picture either, `limit_seconds` may pass.
    """

    def __init__(self, limit_seconds: float, now: float) -> None:
        self._limit_seconds = limit_seconds
        self._picture_at = now
        self._keyframe_at: float | None = None
        self._lacks_picture = False

    def saw_picture(self, now: float) -> None:
        """A packet brought a picture, or several."""
        self._picture_at = now
        self._keyframe_at = None
        self._lacks_picture = False

    def saw_packet(self, now: float, *, is_keyframe: bool) -> None:
        """A packet brought none; raises SourceFailed where that has been so for too long."""
        self._lacks_picture = True
        if is_keyframe and self._keyframe_at is None:
            self._keyframe_at = now
        if self._keyframe_at is not None and now - self._keyframe_at >= self._limit_seconds:
            raise SourceFailed(f"no picture could be decoded for {self._limit_seconds:g} s")

    def waiting_for(self, now: float) -> str | None:
        """What is waited for, in words, once that takes longer than usual."""
        is_long = self._lacks_picture and self._keyframe_at is None and now - self._picture_at >= USUAL_SECONDS
        return "waiting for a keyframe" if is_long else None
