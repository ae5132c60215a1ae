"""The admin key of whoever uses this machine: made once, kept in a file, known to every system started here."""

import os
import re
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs

from shared.errors import SettingsInvalid

VARIABLE = "AFTERIMAGE_KEY"
LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")
SENDABLE = re.compile(r"[\x21-\x7e]{1,256}")


def key_file() -> Path:
    """Where it lies; `make env` says the same."""
    return platformdirs.user_data_path("afterimage") / "admin.key"


def key_for(url: str) -> str | None:
    """The key to send to an API: the variable's, else, on this machine alone, that of the file.

    Raises SettingsInvalid where it cannot be one.
    """
    if given := os.environ.get(VARIABLE):
        return _checked(given.strip(), VARIABLE)
    if urlsplit(url).hostname not in LOOPBACK_HOSTS:
        return None
    try:
        return _checked(key_file().read_text().strip(), str(key_file()))
    except OSError:
        return None


def kept_key(make: Callable[[], str]) -> str:
    """The file's key, which is made first where there is none; readable by its owner alone. Raises SettingsInvalid."""
    return _checked(kept(key_file(), make), str(key_file()))


def kept(path: Path, make: Callable[[], str]) -> str:
    """What a file holds, which is made first where there is none, for its owner alone. Raises SettingsInvalid."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".key-") as file:  # of mode 0600
                file.write(f"{make()}\n")
                file.flush()
                os.fsync(file.fileno())
                _link(file.name, path)
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as err:
        words = err.strerror if isinstance(err, OSError) else "it is not text"
        raise SettingsInvalid(f"{path}: a key cannot be kept there: {words}") from err


def _link(made: str, path: Path) -> None:
    with suppress(FileExistsError):  # another was quicker: theirs it is
        os.link(made, path)


def _checked(text: str, place: str) -> str:
    if not SENDABLE.fullmatch(text):
        raise SettingsInvalid(f"{place}: holds no key; allowed is one as it was shown, afi_…")
    return text
