"""When a still picture is asked for again, and on what condition. Pure policy."""

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Protocol

MAX_VALIDATOR_CHARACTERS: Final = 1024
PLAINLY_EACH_SECONDS: Final = 60.0
"""So often a picture is asked for without a condition: a camera that wrongly says 304 for ever must not look alive."""
ROUNDING: Final = 1e-6


def next_poll(asked_at: float, first_at: float, fps: float) -> float:
    """When to ask next, all in seconds of one clock: on the grid of `fps` from the first picture on.

    A server that takes longer than a step has the step begun already, and is asked at once.
    """
    return first_at + (math.floor((asked_at - first_at) * fps + ROUNDING) + 1) / fps


class Headers(Protocol):
    """An answer's headers, whatever library read them; names in any case."""

    def get(self, name: str, /) -> str | None:
        """A header's value."""


class Validators:
    """What a server said of the picture that it gave last, and is told when it is asked again (RFC 9110, 13.1).

    A time of change is told only if it lay at least a second before the answer, since it may have changed twice in one
    (8.8.2.2). Where a picture changed and what was said of it did not, nothing is told any more. `asked_at` is when the
    first picture was asked for, in seconds on a clock that only runs forward.
    """

    def __init__(self, asked_at: float) -> None:
        self._held: tuple[str, str] = ("", "")
        self._plainly_at = asked_at
        self._are_wrong = False

    def conditions(self, now: float) -> dict[str, str]:
        """The headers to ask with at `now`."""
        etag, changed = self._held
        if self._are_wrong or not (etag or changed) or now - self._plainly_at >= PLAINLY_EACH_SECONDS:
            self._plainly_at = now
            return {}
        return {"If-None-Match": etag} if etag else {"If-Modified-Since": changed}

    def answered(self, headers: Headers, *, is_new: bool) -> None:
        """Takes what came with a picture; `is_new` where that is not the last one's."""
        etag, changed = _sound(headers.get("ETag")), _sound(headers.get("Last-Modified"))
        if not _lies_before(changed, headers.get("Date")):
            changed = ""
        if is_new and any(self._held) and self._held == (etag, changed):
            self._are_wrong = True
        self._held = etag, changed


def _sound(value: str | None) -> str:
    """A header's value that may be sent back."""
    value = (value or "").strip()
    return value if len(value) <= MAX_VALIDATOR_CHARACTERS and value.isascii() and value.isprintable() else ""


def _lies_before(changed: str, answered: str | None) -> bool:
    """Whether a time was over when the answer was given, by the server's clock; this machine's where it tells none."""
    try:
        seconds = parsedate_to_datetime(answered).timestamp() if answered else datetime.now(UTC).timestamp()
        return seconds - parsedate_to_datetime(changed).timestamp() >= 1
    except (ValueError, OverflowError):
        return False
