"""Which of a playlist's segments come next: each is read once, whoever asks, and however often the source is opened.

Pure policy. A segment is known by its number. Where a server counts anew (it was started again, or does not count at
all), by its address and the first bytes of its content: addresses change with every session.
"""

import json
from collections import deque
from hashlib import blake2b
from typing import Any, Final

from services.ingest.sources.hls.playlist import FilePart, HlsSegment, Playlist

NUM_BEHIND: Final = 3
"""How many segments before its end a live playlist is taken up."""
NUM_REMEMBERED: Final = 6
MAX_MARK: Final = 400
DIGEST_BYTES: Final = 8


class Trail:
    """What was read; `mark` tells it to the next who opens the source."""

    def __init__(self, mark: str | None = None) -> None:
        self.is_recording: bool | None = None
        """whether the first playlist was a recording's; None before that"""
        self._number: int | None = None
        self._recent: deque[tuple[str, str]] = deque(maxlen=NUM_REMEMBERED)
        self._is_taken_up = False
        if mark:
            self._recall(mark)

    @property
    def mark(self) -> str | None:
        """What was read, as text of at most 400 characters without an address; None where nothing was."""
        if self._number is None:
            return None
        return json.dumps([self._number, bool(self.is_recording), *self._recent], separators=(",", ":"))

    def unread(self, playlist: Playlist) -> list[HlsSegment]:
        """The playlist's segments that come next, in order."""
        segments = list(playlist.segments)
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

    def continues(self, segment: HlsSegment) -> bool:
        """Whether a segment's number is a new one."""
        return self._number is None or segment.number > self._number

    def is_known(self, segment: HlsSegment, head: bytes) -> bool:
        """Whether a segment that begins with `head` was read before, under another number and address."""
        if self.continues(segment):
            return False
        is_known = _digest(head) in {digest for _, digest in self._recent}
        if is_known:
            self._recent.append((_name(segment.piece), _digest(head)))
        return is_known

    def passed(self, segment: HlsSegment, head: bytes = b"") -> None:
        """The segment, which begins with `head`, is read now, or cannot be."""
        self._number = segment.number
        self._recent.append((_name(segment.piece), _digest(head) if head else ""))

    def _later(self, segments: list[HlsSegment], number: int) -> list[HlsSegment]:
        names = {name for name, _ in self._recent}
        if segments[-1].number > number:
            return [segment for segment in segments if segment.number > number]
        if _name(segments[-1].piece) in names:
            return []  # it stands still, or is a copy from before
        return [segment for segment in segments[-NUM_BEHIND:] if _name(segment.piece) not in names]

    def _recall(self, mark: str) -> None:
        try:
            number, is_recording, *recent = json.loads(mark[:MAX_MARK])
            self._recent.extend((_hex(name), _hex(digest)) for name, digest in recent)
            self._number, self.is_recording = int(number), bool(is_recording)
        except (ValueError, TypeError, OverflowError):
            self._recent.clear()


def _name(piece: FilePart) -> str:
    return _digest(f"{piece.url} {piece.offset} {piece.length}".encode())


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=DIGEST_BYTES).hexdigest()


def _hex(text: Any) -> str:  # noqa: ANN401 (what a mark holds)
    return bytes.fromhex(text).hex()
