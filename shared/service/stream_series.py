"""Which streams have series of their own: with thousands of them a page of metrics would have megabytes."""

import re
import time
from collections.abc import Callable, Collection
from typing import Final, Literal

from shared.streams import STREAM_ID_PATTERN

ALL: Final = "all"
NONE: Final = "none"
OTHERS: Final[Literal[""]] = ""
"""The id under which streams without series of their own are counted together."""
MAX_GROUPS: Final = 64
LINGER_SECONDS: Final = 60.0
"""So long the series of a stream at rest are told on: each scrape until then has what was counted last."""


def checked_series(wanted: str) -> str:
    """The setting, in one way of writing it; raises ValueError that says what is allowed."""
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    words = {name.lower() for name in names} & {ALL, NONE}
    if words and len(names) > 1:
        raise ValueError(f"allowed are {ALL}, {NONE}, or names of groups with commas, not {min(words)} beside others")
    if words:
        return words.pop()
    # a group's name is written like a stream's id
    if not names or len(names) > MAX_GROUPS or not all(re.fullmatch(STREAM_ID_PATTERN, name) for name in names):
        raise ValueError(f"allowed are {ALL}, {NONE}, or names of groups with commas, at most {MAX_GROUPS}")
    return ",".join(names)


class StreamSeries:
    """The streams that have series of their own at this moment; all others are counted under the id OTHERS.

    One thread begins and ends them; others ask for names.
    """

    def __init__(self, wanted: str = ALL, clock: Callable[[], float] = time.monotonic) -> None:
        self.are_all = wanted == ALL
        self._groups = frozenset[str]() if wanted in {ALL, NONE} else frozenset(wanted.split(","))
        self._clock = clock
        self._own: set[str] = set()
        self._until: dict[str, float] = {}
        self._begin: Callable[[str], object] = _tell_nobody
        self._end: Callable[[str], object] = _tell_nobody

    def count(self, begin: Callable[[str], object], end: Callable[[str], object]) -> None:
        """How series are begun, at 0, so that a first count shows as a rise, and ended; those of OTHERS begin now."""
        self._begin, self._end = begin, end
        if not self.are_all:
            begin(OTHERS)

    def are_wanted(self, groups: Collection[str]) -> bool:
        """Whether a stream of these groups is to have its own."""
        return self.are_all or not self._groups.isdisjoint(groups)

    def has(self, stream_id: str) -> bool:
        """Whether the stream has its own."""
        return stream_id in self._own

    def name(self, stream_id: str) -> str:
        """Under which id something of the stream is counted."""
        return stream_id if self.are_all or stream_id in self._own else OTHERS

    def begin(self, stream_id: str, groups: Collection[str]) -> None:
        """The stream is worked on, or its groups have changed: it gets series of its own, if it is to have them."""
        self._until.pop(stream_id, None)
        if not self.are_wanted(groups):
            self.end(stream_id)
        elif stream_id not in self._own:
            self._own.add(stream_id)
            self._begin(stream_id)

    def rest(self, stream_id: str) -> None:
        """Nothing more is to be counted of the stream, until it begins anew."""
        if stream_id in self._own:
            self._until.setdefault(stream_id, self._clock() + LINGER_SECONDS)

    def over(self) -> list[str]:
        """The streams whose series have been told for long enough; they are to be ended."""
        now = self._clock()
        return [stream_id for stream_id, until in self._until.items() if until <= now]

    def end(self, stream_id: str) -> None:
        """The stream has none any more."""
        self._until.pop(stream_id, None)
        if self.are_all or stream_id in self._own:  # of all, also one that was counted without having begun
            self._own.discard(stream_id)
            self._end(stream_id)


def _tell_nobody(_name: str) -> None:
    pass
