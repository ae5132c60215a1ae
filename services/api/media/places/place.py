"""Where events' files lie, by the event's id and the file's name: what a folder and a bucket have in common."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from shared.errors import AfterimageError

CLIP: Final = "clip.mp4"
TIMES: Final = "times.json"
KINDS: Final = {"jpg": "image/jpeg", "mp4": "video/mp4", "json": "application/json"}
MAX_READ_BYTES: Final = 8_000_000
REPLACED: Final = "the file has just given way to another"

Sizes = Mapping[str, int]
"""Name → bytes of the files of an event."""


class MediaUnavailable(AfterimageError):
    """The place of pictures and clips does not answer, or refuses: it may answer later."""


class MediaFacts(NamedTuple):
    """What is known of a file without reading it; `etag` changes with what is in it, and stands in quotation marks."""

    num_bytes: int
    etag: str
    modified_at: float
    """in seconds"""


class MediaPlace(Protocol):
    """Files, each whole or not there. Names are those that stream ids and labels allow, so none leads elsewhere.

    Methods raise MediaUnavailable, within bounded time where the place is a network's. Those that are awaited are the
    api's, the others a recorder's.
    """

    def put(self, event_id: str, name: str, content: bytes | Path) -> None:
        """Writes a file, or what lies at a path; who looks sees all of it or what was there before."""

    def read(self, event_id: str, name: str) -> bytes:
        """All of a file, up to MAX_READ_BYTES; raises FileNotFoundError, also where it is larger."""

    def delete(self, event_id: str, name: str) -> None:
        """Removes a file, if it is there."""

    def remove(self, event_id: str) -> None:
        """Removes all that is kept of an event."""

    def sizes(self, event_id: str) -> Sizes:
        """The files of an event, those among them that were not finished."""

    def streams(self) -> Iterable[str]:
        """Ids of the streams of which anything lies there."""

    def files(self, stream_id: str) -> Mapping[str, Sizes]:
        """The events of a stream of which anything lies there; what else lies there is nobody's, and left alone."""

    async def facts(self, event_id: str, name: str) -> MediaFacts:
        """What is known of a file; raises FileNotFoundError."""

    async def part(self, event_id: str, name: str, etag: str, first: int, end: int) -> bytes:
        """Bytes from `first` up to, and without, `end`; it is unavailable where the file is no longer of that ETag."""


def picture_name(kind: str) -> str:
    """The file of a kind of picture."""
    return f"{kind}.jpg"


def kind_of(name: str) -> str:
    """What a file is to those who ask for it, by its name."""
    return KINDS.get(name.rpartition(".")[2], "application/octet-stream")
