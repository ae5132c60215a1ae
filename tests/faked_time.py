"""A wall clock that a test sets, for processes that it starts: libfaketime, which leaves steady clocks alone."""

from collections.abc import Mapping
from pathlib import Path

from patience import unavailable

LIBRARY = "*/faketime/libfaketime.so.1"


class FakedTime:
    """The clock; `environment` is for those who are to go by it."""

    def __init__(self, folder: Path) -> None:
        library = next(Path("/usr/lib").glob(LIBRARY), None)
        if not library:
            unavailable("libfaketime (Debian's package faketime)")
        self._file = folder / "time"
        self.environment: Mapping[str, str] = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        self.set(0)

    def set(self, seconds: float) -> None:
        """Has the clock differ from this machine's by so much; at one blow, as whoever reads it sees one of both."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+g}")
        fresh.replace(self._file)
