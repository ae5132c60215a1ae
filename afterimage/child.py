"""One child process and what it says: its lines go to a bounded log file, the last one is remembered."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from logging import makeLogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO

from shared.words.redaction import redact

MAX_LINE_BYTES = 8192
MAX_LOG_BYTES = 5 << 20
_EXEC_CHILD = str(Path(__file__).with_name("exec_child.py"))


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: `kept_fds` are inherited, `folder` is the working directory (None: ours)."""

    name: str
    argv: tuple[str, ...]
    log_folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    kept_fds: tuple[int, ...] = ()


class Child:
    """A running process in a group of its own (a terminal's Ctrl-C does not reach it) that dies with its parent.

    The kernel ties it to the *thread* that makes this object, so that thread must outlive it.
    """

    def __init__(self, command: Command, echo: Callable[[str, str], None]) -> None:
        self.name = command.name
        self.last_line = ""
        self._process = subprocess.Popen(
            (sys.executable, "-I", "-S", _EXEC_CHILD, str(os.getpid()), *command.argv),
            cwd=command.folder,
            env={**os.environ, **command.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=command.kept_fds,
            process_group=0,
        )
        output = self._process.stdout
        assert output is not None  # noqa: S101 (stdout=PIPE)
        log_path = command.log_folder / f"{command.name}.log"
        self._reader = threading.Thread(
            target=self._read, args=(output, log_path, echo), name=f"log-{command.name}", daemon=True
        )
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it. Its last words have been read by then."""
        code = self._process.poll()
        if code is not None:
            self._reader.join(timeout=1.0)
        return code

    def ask_to_stop(self) -> None:
        """Sends SIGTERM, if it still runs."""
        self._process.terminate()

    def stop(self, timeout_seconds: float, kill: threading.Event) -> bool:
        """Asks it to end and waits; kills it after the time-out or on `kill`. Returns whether it ended by itself."""
        self.ask_to_stop()
        deadline = time.monotonic() + timeout_seconds
        while self._process.poll() is None and time.monotonic() < deadline and not kill.is_set():
            time.sleep(0.02)
        willing = self._process.poll() is not None
        if not willing:
            self._process.kill()
            self._process.wait()
        self._reader.join(timeout=1.0)
        return willing

    def _read(self, output: IO[bytes], log_path: Path, echo: Callable[[str, str], None]) -> None:
        log = RotatingFileHandler(log_path, maxBytes=MAX_LOG_BYTES, backupCount=1, encoding="utf-8", errors="replace")
        try:
            while line := output.readline(MAX_LINE_BYTES):
                text = redact(line.decode(errors="replace").rstrip())
                self.last_line = text or self.last_line
                log.emit(makeLogRecord({"msg": text}))
                with suppress(OSError):  # a terminal that is gone must not stop a child
                    echo(self.name, text)
        finally:
            log.close()
            output.close()


def explain_exit(code: int) -> str:
    """An exit code in words."""
    return f"exit code {code}" if code >= 0 else f"signal {-code} ({signal.Signals(-code).name})"
