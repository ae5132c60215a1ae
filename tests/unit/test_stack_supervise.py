"""Children that die are started again, with the reason said; all of them stop, in order."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from afterimage import supervise
from afterimage.child import Command, explain_exit
from afterimage.supervise import ProcessSupervisor, RestartDelay
from shared.errors import StackFailed

LASTING = "import signal, time; print('working', flush=True); time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('working', flush=True); time.sleep(600)"


class Stage:
    """A supervisor whose words and whose children's lines are kept."""

    def __init__(self, folder: Path) -> None:
        self.said: list[str] = []
        self.lines: list[tuple[str, str]] = []
        self.folder = folder
        self.supervisor = ProcessSupervisor(lambda name, line: self.lines.append((name, line)), self.said.append)

    def start(self, name: str, code: str) -> None:
        self.supervisor.start(Command(name, (sys.executable, "-c", code), self.folder))

    def watch_until(self, condition: Callable[[], bool], *, settled: bool = True) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, (self.said, self.lines)
            self.supervisor.watch(settled=settled)
            time.sleep(0.01)

    def pid(self, index: int = 0) -> int:
        return self.supervisor._supervised[index].child.pid


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    at_once = threading.Event()
    at_once.set()
    stage.supervisor.stop_all(at_once)


def test_backoff_doubles_up_to_half_a_minute_and_starts_anew_after_a_healthy_one() -> None:
    backoff = RestartDelay()
    assert [backoff.delay_after(1) for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert backoff.delay_after(60) == 0.5
    assert backoff.delay_after(59) == 1


def test_exits_are_told_in_words() -> None:
    assert explain_exit(3) == "exit code 3"
    assert explain_exit(-9) == "signal 9 (SIGKILL)"


def test_a_killed_child_is_started_again_and_the_reason_said(stage: Stage) -> None:
    stage.start("ingest", LASTING)
    stage.watch_until(lambda: len(stage.lines) == 1)
    first = stage.pid()
    os.kill(first, signal.SIGKILL)
    stage.watch_until(lambda: len(stage.lines) == 2)
    assert stage.pid() != first
    assert stage.said == ["ingest ended (signal 9 (SIGKILL)): working; starting it again in 0.5 s"]
    assert (stage.folder / "ingest.log").read_text() == "working\nworking\n"


def test_the_last_words_of_a_child_that_fails_are_said(stage: Stage) -> None:
    stage.start("api", "import sys; print('fine so far'); sys.exit('error: out of luck')")
    stage.watch_until(lambda: len(stage.said) == 2)
    assert stage.said == [
        "api ended (exit code 1): error: out of luck; starting it again in 0.5 s",
        "api ended (exit code 1): error: out of luck; starting it again in 1 s",
    ]


def test_settings_refused_again_and_again_at_the_start_end_the_stack(stage: Stage) -> None:
    stage.start("inference", "import sys; print('error: AFTERIMAGE_DEVICE: no'); sys.exit(2)")
    with pytest.raises(StackFailed, match=r"^inference does not start: AFTERIMAGE_DEVICE: no$"):
        stage.watch_until(lambda: False, settled=False)


def test_once_settled_they_do_not(stage: Stage) -> None:
    stage.start("inference", "import sys; sys.exit(2)")
    stage.watch_until(lambda: len(stage.said) == 3)
    assert stage.said[2] == "inference ended (exit code 2): it said nothing; starting it again in 2 s"


def test_the_first_child_outlives_the_others(stage: Stage) -> None:
    ending = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit('ends')); print('up', flush=True); "
    for name in ("redis", "ingest", "api"):
        stage.start(name, ending + "time.sleep(600)")
    stage.watch_until(lambda: len(stage.lines) == 3)
    stage.supervisor.stop_all(threading.Event())
    assert [name for name, line in stage.lines if line == "ends"] == ["ingest", "api", "redis"]
    assert stage.said == []


def test_a_second_request_kills_what_does_not_follow(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "STOP_TIMEOUT_SECONDS", 600.0)
    stage.start("ingest", STUBBORN)
    stage.watch_until(lambda: len(stage.lines) == 1)
    pid, kill = stage.pid(), threading.Event()
    timer = threading.Timer(0.2, kill.set)
    timer.start()
    stage.supervisor.stop_all(kill)
    timer.join()
    assert stage.said == ["ingest was killed: it did not stop by itself"]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_terminal_that_is_gone_does_not_stop_a_child(tmp_path: Path) -> None:
    def broken(_name: str, _line: str) -> None:
        raise BrokenPipeError

    supervisor = ProcessSupervisor(broken, lambda _line: None)
    supervisor.start(Command("ingest", (sys.executable, "-c", "print('x' * 1000 + '\\n' * 200_000)"), tmp_path))
    child = supervisor._supervised[0].child
    deadline = time.monotonic() + 20
    while child.exit_code() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert child.exit_code() == 0
    supervisor.stop_all(threading.Event())
