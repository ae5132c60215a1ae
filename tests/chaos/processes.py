"""A process of the system under attack."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import afterimage.exec_child

_EXEC_CHILD = afterimage.exec_child.__file__


class Child:
    """A running process with its output in a log file. It ends with this one, however that ends.

    It runs in that folder, where there is one; else where this process does.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self.is_frozen = False
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("AFTERIMAGE_")}
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                (sys.executable, "-I", "-S", _EXEC_CHILD, str(os.getpid()), *argv),
                env={**inherited, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
                cwd=folder,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """Ends it at once, as a crash would, and waits until it is gone."""
        self._process.kill()
        self._process.wait()

    def terminate(self) -> None:
        """Asks it to end in order."""
        self._process.terminate()

    def freeze(self) -> None:
        """Holds it wherever it is."""
        self._process.send_signal(signal.SIGSTOP)
        self.is_frozen = True

    def thaw(self) -> None:
        """Lets it go on."""
        self._process.send_signal(signal.SIGCONT)
        self.is_frozen = False

    def last_words(self, num_lines: int = 15) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-num_lines:])
