"""The one error tree: everything Afterimage raises on purpose."""

from typing import Literal


class AfterimageError(Exception):
    """Whatever went wrong, in words meant for the person who must act; never holds a secret."""


class SettingsInvalid(AfterimageError):
    """A setting's value is not allowed."""


class ModelUnusable(AfterimageError):
    """A model folder's manifest or weights are missing, invalid or do not match."""


class DatasetUnusable(AfterimageError):
    """Annotations are of no known form, do not parse, or say more than is allowed."""


class SourceRefused(AfterimageError):
    """A source is not allowed: unknown scheme, outside the media root, not a file."""


class SourceMissing(SourceRefused):
    """A file is not there; it may yet come."""


class SourceFailed(AfterimageError):
    """A source is allowed but gives no video: unreachable, unreadable, no video stream."""


class SourceSilent(SourceFailed):
    """A source is connected, and has given nothing for too long."""


class RequestFailed(SourceFailed):
    """What was asked for was refused, or its transfer broke: another part of the source may yet be had."""


class SourceChanged(SourceFailed):
    """A source goes on in a way for which it must be opened anew."""


class SourceCrashed(SourceFailed):
    """Reading a source ended the process that did it, or hung in native code until that was ended."""


class SourceAbsent(SourceFailed):
    """A file is not there, cannot be read now, or is still being written: it may come."""


class ReaderLost(SourceFailed):
    """No fault of the source: this machine started no process to read it, or lost what had started it."""


class FrameUnreadable(AfterimageError):
    """A frame's JPEG does not decode; `reason` is one of a few words, to count by."""

    def __init__(self, said: str, reason: Literal["size", "header", "damaged"]) -> None:
        super().__init__(said)
        self.reason = reason


class StreamUnknown(AfterimageError):
    """No stream has this id."""


class StreamExists(AfterimageError):
    """A stream with this id is registered already."""


class StoreUnavailable(AfterimageError):
    """Redis does not answer, or refuses: out of memory, loading, read-only."""


class StoreFull(StoreUnavailable):
    """Redis is at `maxmemory`: it refuses what takes memory until commits, removals or a higher limit make room."""


class StoreUnfit(StoreUnavailable):
    """Redis answers, but its data is divided otherwise than this process may work with."""


class Fenced(AfterimageError):
    """Another worker owns the partition now; this one must stop writing it."""


class StackFailed(AfterimageError):
    """A part of the local stack did not start or did not stay up."""


class ApiUnavailable(AfterimageError):
    """No API answers at this address."""


class RequestRefused(AfterimageError):
    """The API refused a request; the message is its own."""
