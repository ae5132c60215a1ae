"""What is no file is given up once, and not looked at again before something else lies there."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from services.ingest.captures.playback import LOOKOUT_FOR_SECONDS, FileWatch, Lookout
from shared.errors import SourceFailed


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_is_not_taken_for_changed(make: Callable[[Path], None], tmp_path: Path) -> None:
    lookout, path = Lookout(), tmp_path / "film.mp4"
    make(path)
    watch = FileWatch(str(path), threading.Event())
    with pytest.raises(SourceFailed, match=r"directory|regular") as failure:
        watch.look()
    assert watch.judged(failure.value) is failure.value
    lookout.note("door", watch.given_up, 0.0)
    os.utime(path, (1, 1))  # as a folder in which files come and go, a pipe that is written to
    lookout.look(5.0)
    assert lookout.take() == []
    path.rename(tmp_path / "elsewhere")
    path.touch()
    lookout.look(LOOKOUT_FOR_SECONDS)
    assert lookout.take() == ["door"]
