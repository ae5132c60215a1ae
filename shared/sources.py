"""Which sources are allowed, decided from their text: the api refuses early, ingest again before it opens one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from shared.errors import SourceRefused
from shared.redaction import redact
from shared.validation import shown

URL_SCHEMES = ("rtsp", "rtsps")
VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm"})
ALLOWED = "allowed are rtsp:// and rtsps:// URLs and files under the media root"


SourceKind = Literal["file", "rtsp", "http", "device"]


@dataclass(frozen=True, slots=True)
class Source:
    """An allowed source: `location` is an absolute path for a file or device, otherwise a URL."""

    location: str
    kind: SourceKind = "file"

    @property
    def is_file(self) -> bool:
        """Whether it is a recording, with a beginning and an end, and not live."""
        return self.kind == "file"


def parse_source(text: str, media_root: Path) -> Source:
    """The source that a text names; raises SourceRefused with what is allowed, never with credentials.

    A path may be relative to the media root; symbolic links are resolved before the check. Whether a file exists is
    `check_file`'s question.
    """
    if "\0" in text or not text.strip():
        raise SourceRefused(f"source {shown(text)}: empty or not text; {ALLOWED}")
    scheme, separator, rest = text.partition("://")
    if separator and scheme.lower() != "file":
        return _url_source(text)
    root = media_root.resolve()
    path = (root / (rest if separator else text)).resolve()
    if not path.is_relative_to(root):
        raise SourceRefused(f"source {shown(redact(text))}: outside the media root {root}; {ALLOWED}")
    return Source(str(path))


def check_file(source: Source) -> None:
    """Raises SourceRefused where a file source is missing, not a regular file or not readable."""
    path = Path(source.location)
    if not source.is_file:
        return
    try:
        if path.is_dir():
            raise SourceRefused(f"source {path}: is a directory; give one video file")
        if not path.exists():
            raise SourceRefused(f"source {path}: no such file")
        if not path.is_file():
            raise SourceRefused(f"source {path}: not a regular file")
        with path.open("rb"):
            return
    except OSError as err:
        raise SourceRefused(f"source {path}: {err.strerror}") from err


def _url_source(text: str) -> Source:
    try:
        url = urlsplit(text)
        scheme, host, _ = url.scheme.lower(), url.hostname, url.port
    except ValueError as err:
        raise SourceRefused(f"source {shown(redact(text))}: not a valid URL; {ALLOWED}") from err
    if scheme not in URL_SCHEMES:
        raise SourceRefused(f"source {shown(redact(text))}: scheme {shown(scheme)} is not known; {ALLOWED}")
    if not host:
        raise SourceRefused(f"source {shown(redact(text))}: names no host; {ALLOWED}")
    return Source(text, "rtsp")
