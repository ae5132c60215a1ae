"""The `afterimage` command as a user runs it: a process of its own, whose every descendant can be told."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from patience import eventually

from training.scenes.clips import render_demo_clip

MARK = "AFTERIMAGE_TEST_MARK"


class Running:
    """A running command. What it and all that it started say of themselves in /proc is found by a mark.

    A `guest` is at home with another, whose Redis works there. Settings are variables that it alone has.
    """

    def __init__(self, *arguments: str, home: Path, guest: bool = False, **settings: str) -> None:
        self.home = home
        self._own_home = None if guest else home
        self.mark = uuid.uuid4().hex
        self.lines: list[str] = []
        self.errors: list[str] = []
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AFTERIMAGE_")}
        environment |= {MARK: self.mark, "XDG_DATA_HOME": str(home), "COLUMNS": "200", **settings}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "afterimage", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            process_group=0,
        )
        self._readers = [
            threading.Thread(target=_collect, args=(pipe, lines), daemon=True)
            for pipe, lines in ((self.process.stdout, self.lines), (self.process.stderr, self.errors))
        ]
        for reader in self._readers:
            reader.start()

    def line(self, part: str) -> str:
        """The first line of its output that holds the part, once it is there."""

        def found() -> list[str]:
            lines = [line for line in self.lines if part in line]
            assert lines or self.process.poll() is None, f"ended before it said {part!r}: {self.lines} {self.errors}"
            return lines

        return eventually(found, part)[0]

    @property
    def url(self) -> str:
        """The API's URL, once the system is ready."""
        return self.line("ready        http").split()[1]

    @property
    def headers(self) -> dict[str, str]:
        """What a request carries: the admin key of this home."""
        return {"Authorization": f"Bearer {(self.home / 'afterimage' / 'admin.key').read_text().strip()}"}

    def interrupt(self, number: int = signal.SIGINT) -> None:
        """Sends a signal to the process group, as a terminal does."""
        os.killpg(self.process.pid, number)

    def wait(self, timeout_seconds: float = 150) -> int:
        """Its exit code, once it has ended and all that it said is read."""
        code = self.process.wait(timeout_seconds)
        for reader in self._readers:
            reader.join(60)
        return code

    def alive(self) -> dict[int, str]:
        """Every living process of this command: process id → command line."""
        return dict(_processes(self.mark, self._own_home))

    def pid_of(self, part: str) -> int | None:
        """The process of whose command line a word ends so."""
        words = {pid: line.split() for pid, line in self.alive().items() if "exec_child" not in line}
        return next((pid for pid, line in words.items() if any(word.endswith(part) for word in line)), None)


def render_scene(folder: Path) -> Path:
    """Puts `scene.mp4` into a folder, 12 s at 10 frames/s of a rendered scene whose lights go out; the folder."""
    render_demo_clip("lights_out", 1, folder / "scene.mp4", seconds=12.0)
    return folder


@contextlib.contextmanager
def running(*arguments: str, home: Path, guest: bool = False, **settings: str) -> Iterator[Running]:
    """Runs a command; kills whatever of it is left at the end."""
    command = Running(*arguments, home=home, guest=guest, **settings)
    try:
        yield command
    finally:
        for pid in command.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        command.wait()


def _collect(pipe: IO[str] | None, lines: list[str]) -> None:
    assert pipe is not None
    with pipe:
        lines.extend(line.rstrip("\n") for line in pipe)


def _processes(mark: str, home: Path | None) -> Iterator[tuple[int, str]]:
    """Those with the mark in their environment; Redis writes over its own, so those that work under `home`, too."""
    wanted = f"{MARK}={mark}".encode()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        with contextlib.suppress(OSError):
            marked = wanted in (folder / "environ").read_bytes().split(b"\0")
            if marked or (home and str((folder / "cwd").readlink()).startswith(f"{home}/")):
                yield int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
