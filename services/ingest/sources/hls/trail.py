"""Which of a playlist's segments come next: each is read once, whoever asks, and however often the source is opened.

Pure policy. A segment is known by its number where that follows on the last one's. Where a server counts anew (it was
started again, or does not count at all), or jumps, the first bytes of the content say whether it is a new one:
addresses change with every session, or come again with new content.
"""

import json
from collections import deque
from hashlib import blake2b
from itertools import islice
from typing import Any, Final, NamedTuple

from services.ingest.sources.hls.playlist import FilePart, HlsSegment, Playlist

NUM_BEHIND: Final = 3
"""How many segments before its end a live playlist is taken up."""
NUM_REMEMBERED: Final = 6
NUM_IN_MEMORY: Final = 64
"""More than a live playlist names: where its numbers jump, all of it may have been read."""
MAX_MARK: Final = 400
DIGEST_BYTES: Final = 8


class PastSegment(NamedTuple):
    """What is remembered of a segment: digests of its address, of its first bytes and of all, empty where unknown."""

    name: str
    head: str = ""
    whole: str = ""


class Trail:
    """What was read; `mark` tells it to the next who opens the source."""

    def __init__(self, mark: str | None = None) -> None:
        self.is_recording: bool | None = None
        """whether the first playlist was a recording's; None before that"""
        self.is_in_doubt = False
        """whether the last of those that came next has an address that was read: then none up to one that `is_known` is
        new"""
        self._number: int | None = None
        self._past: deque[PastSegment] = deque(maxlen=NUM_IN_MEMORY)
        self._is_taken_up = False
        if mark:
            self._recall(mark)

    @property
    def mark(self) -> str | None:
        """What was read, as text of at most 400 characters without an address; None where nothing was."""
        if self._number is None:
            return None
        return json.dumps([self._number, bool(self.is_recording), *self._latest()], separators=(",", ":"))

    def unread(self, playlist: Playlist) -> list[HlsSegment]:
        """The playlist's segments that come next, in order."""
        segments, self.is_in_doubt = list(playlist.segments), False
        is_first, self._is_taken_up = not self._is_taken_up, True
        if self.is_recording is None:
            self.is_recording = playlist.is_recording
        if self._number is not None and segments:
            segments = self._later(segments, self._number)
        return segments[-NUM_BEHIND:] if is_first and not self.is_recording else segments

    def leave_out(self, playlist: Playlist) -> None:
        """What a live playlist names now counts as read."""
        if self.is_recording is None and not playlist.is_recording:
            self.is_recording = False
            for segment in playlist.segments:
                self.passed(segment)

    def is_ahead(self, playlist: Playlist) -> bool:
        """Whether a playlist's last segment has a new number."""
        return bool(playlist.segments) and self.continues(playlist.segments[-1])

    def continues(self, segment: HlsSegment) -> bool:
        """Whether a segment's number is a new one."""
        return self._number is None or segment.number > self._number

    def is_known(self, segment: HlsSegment, head: bytes) -> bool:
        """Whether a segment that begins with `head`, and does not follow on the last, was read before."""
        if self._number is None or segment.number == self._number + 1:
            return False
        digest, among = _digest(head), self._past if segment.number > self._number else self._latest()
        return self._seen_again(segment, next((past for past in among if past.head == digest), None))

    def seems_known(self, head: bytes) -> bool:
        """Whether one of the last segments began with `head`, so that all of it should be compared."""
        return _digest(head) in {past.head for past in self._latest()}

    def repeats(self, segment: HlsSegment, content: bytes) -> bool:
        """Whether a segment holds, to the last byte, what one of the last ones held."""
        digest = _digest(content)
        return self._seen_again(segment, next((past for past in self._latest() if past.whole == digest), None))

    def passed(self, segment: HlsSegment, head: bytes = b"") -> None:
        """The segment, which begins with `head`, is being read now, or cannot be."""
        self._number = segment.number
        self._past.append(PastSegment(_name(segment.piece), _digest(head) if head else ""))

    def held(self, whole: str) -> None:
        """The digest of all that was in the segment which was passed last."""
        self._past[-1] = self._past[-1]._replace(whole=whole)

    def _latest(self) -> list[PastSegment]:
        return list(islice(self._past, max(0, len(self._past) - NUM_REMEMBERED), None))

    def _seen_again(self, segment: HlsSegment, known: PastSegment | None) -> bool:
        """Whether it is known; then it counts as read under its new number and address as well."""
        if known:
            self._past.remove(known)
            self._past.append(known._replace(name=_name(segment.piece)))
            self._number = max(self._number or 0, segment.number)
        return known is not None

    def _later(self, segments: list[HlsSegment], number: int) -> list[HlsSegment]:
        newer = [segment for segment in segments if segment.number > number]
        names, past = [_name(segment.piece) for segment in segments], [past.name for past in self._past]
        last, goes_on = past[-1] if past else "", bool(newer) and newer[0].number == number + 1
        same = [name for segment, name in zip(segments, names, strict=True) if segment.number == number]
        if goes_on and same in ([], [last]):
            return newer
        if last in names[:-1]:  # it is known by its address, whatever its number is now
            at = len(names) - 1 - names[::-1].index(last)
            self._number = segments[at].number
            return segments[at + 1 :]
        if (segments[-1].number, names[-1]) == (number, last):
            return []  # it stands still
        does_not_count = goes_on and segments[0].number == 0
        self.is_in_doubt = names[-1] in past or does_not_count  # an old copy, or addresses of now are used again
        return segments[-NUM_IN_MEMORY:] if does_not_count else newer or segments[-NUM_BEHIND:]

    def _recall(self, mark: str) -> None:
        try:
            number, is_recording, *past = json.loads(mark[:MAX_MARK])
            self._past.extend(PastSegment(*map(_hex, digests)) for digests in past)
            self._number, self.is_recording = int(number), bool(is_recording)
        except (ValueError, TypeError, OverflowError):
            self._past.clear()


def new_digest() -> "blake2b":
    """What `Trail.held` is told is computed with."""
    return blake2b(digest_size=DIGEST_BYTES)


def _name(piece: FilePart) -> str:
    return _digest(f"{piece.url} {piece.offset} {piece.length}".encode())


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=DIGEST_BYTES).hexdigest()


def _hex(text: Any) -> str:  # noqa: ANN401 (what a mark holds)
    return bytes.fromhex(text).hex()
