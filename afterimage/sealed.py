"""The key under which a stack's Redis holds sources and targets: made once, kept in the data folder for its owner."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from afterimage.own_key import kept
from services.api.delivery.targets import TargetBook
from shared.errors import AfterimageError, SettingsInvalid
from shared.sources import SEALED
from shared.store.client import connect, translated
from shared.store.registry import Registry
from shared.words.sealing import Vault, new_key

VARIABLE: Final = "AFTERIMAGE_SECRET_KEY"
KEY_FILE: Final = "secret.key"
MARK_FILE: Final = "sealing"
"""Is there until Redis's files hold no more of what lay there unsealed."""
REWRITE_SECONDS: Final = 30.0


def sealing_keys(data: Path) -> str:
    """The variable's keys, where it is set, and that of the folder, which is made where there is no other.

    Raises SettingsInvalid, which repeats nothing.
    """
    given, path = os.environ.get(VARIABLE, "").strip(), data / KEY_FILE
    if given and not path.exists():
        return given
    own = kept(path, new_key)
    if not _is_key(own):
        raise SettingsInvalid(f"{path}: holds no key; put back what was there: sources and targets are sealed with it")
    return ",".join(filter(None, (given, own)))


def keys_beside(redis_folder: Path) -> str | None:
    """The keys of a stack whose Redis works in this folder; None where it has none. Raises SettingsInvalid."""
    data = redis_folder.parent
    return sealing_keys(data) if (data / KEY_FILE).is_file() else None


def seal_stored(redis_url: str, keys: str, data: Path, pause: Callable[[float], bool]) -> str | None:
    """Seals what an earlier version stored as it is, and has Redis write its files anew; why not, if it cannot.

    `pause` waits so many seconds, and says whether to give up. What is not done yet is done at the next start.
    """
    mark = data / MARK_FILE
    try:
        with connect(redis_url) as client:
            bare = [each for each, spec in Registry(client).specs().items() if spec.source != SEALED]
            open_targets = [each for each, target in TargetBook(client).all().items() if not target.is_locked]
            if not bare and not open_targets and not mark.exists():
                return None
            mark.touch(mode=0o600)
            registry, book = Registry(client, Vault(keys)), TargetBook(client, Vault(keys))
            for stream_id in bare:
                registry.seal_anew(stream_id)
            for target_id in open_targets:
                book.seal_anew(target_id)
            with translated():
                client.bgrewriteaof()
            deadline = time.monotonic() + REWRITE_SECONDS
            while _is_rewriting(client):
                if time.monotonic() > deadline or pause(0.05):
                    return None
            mark.unlink()
    except (AfterimageError, OSError) as err:
        return f"what was stored unsealed may still be in Redis's files, until the next start: {err}"
    return None


def _is_key(text: str) -> bool:
    try:
        return Vault(text).has_key
    except SettingsInvalid:
        return False


def _is_rewriting(client: Any) -> bool:  # noqa: ANN401  (redis-py's types do not know INFO's fields)
    with translated():
        told = client.info("persistence")
    return bool(told["aof_rewrite_in_progress"] or told["aof_rewrite_scheduled"])
