import errno
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from films import render
from patience import eventually, unavailable
from process_tree import children, descriptors, readers

from services.ingest.readers.gate import LATE_SECONDS, LATE_SPACING_SECONDS, SPACING_SECONDS, Gate
from services.ingest.readers.reader import ReadJob
from services.ingest.readers.reading import Reading, reading
from services.ingest.readers.starting import Starter, lost
from shared.errors import ReaderLost
from shared.sources import Source
from shared.waiting import LONGEST_SECONDS, Stopped


def test_what_starts_at_once_starts_one_by_one() -> None:
    gate = Gate()
    assert turn(gate, 100.0) == 100.0
    assert [turn(gate, 100.0) for _ in range(3)] == pytest.approx([100 + n * SPACING_SECONDS for n in (1, 2, 3)])
    assert turn(gate, 200.0) == 200.0


def test_sources_that_do_not_open_hold_up_no_others() -> None:
    gate = Gate()
    for _ in range(10_000):
        turn(gate, 100.0, is_retry=True)
    assert turn(gate, 100.0) == 100.0
    assert turn(gate, 100.0, is_retry=True) == pytest.approx(100 + 10_000 * SPACING_SECONDS)


def test_who_comes_behind_a_crowd_waits_for_a_second() -> None:
    gate, now = Gate(), 100.0
    waits = []
    for _ in range(10_000):
        now += 0.002
        waits.append(turn(gate, now) - now)
    assert max(waits) > 100
    now += LATE_SPACING_SECONDS
    assert turn(gate, now) - now <= LATE_SECONDS


def turn(gate: Gate, now: float, *, is_retry: bool = False) -> float:
    return gate.queue(now, is_retry=is_retry).turn(now)


def test_those_who_leave_before_their_turn_hold_nobody_up() -> None:
    gate = Gate()
    for _ in range(10_000):
        turn(gate, 100.0)
    queues = [gate.queue(100.0) for _ in range(10_000)]
    for queue in queues:
        queue.left(100.0)
    assert turn(gate, 100.0) == pytest.approx(100.0)


def test_many_who_are_stopped_while_they_wait_leave_the_queue() -> None:
    starter, stop = Starter(), threading.Event()
    waiting = [threading.Thread(target=turned_away, args=(starter, stop)) for _ in range(500)]
    for thread in waiting:
        thread.start()
    stop.set()
    for thread in waiting:
        thread.join()
    assert turn(starter._gate, now := time.monotonic()) - now < 100 * SPACING_SECONDS


def turned_away(starter: Starter, stop: threading.Event) -> None:
    with suppress(Stopped):
        while True:
            starter._await_turn(stop)
            starter._gate.answered()


def test_a_limit_is_run_against_ever_more_rarely_and_by_one_at_a_time() -> None:
    gate, now, pauses = Gate(), 0.0, []
    for _ in range(12):
        assert gate.is_open(now)
        gate.refused(now)
        gate.refused(now)  # what was under way counts once
        assert not gate.is_open(now)
        queue = gate.queue(now)  # between 0.98 and 1 s a second caller would stand in the late one
        first, second = queue.turn(now), queue.turn(now)
        assert gate.is_open(first)
        assert second - first == pytest.approx(SPACING_SECONDS)
        pauses.append(first - now)
        now = first
    assert 0.25 <= pauses[0] <= 0.5
    assert all(LONGEST_SECONDS / 2 <= pause <= LONGEST_SECONDS for pause in pauses[7:])
    gate.started()
    gate.refused(now)
    assert turn(gate, now) - now <= 0.5


def test_a_machine_that_is_slow_to_answer_is_asked_no_more() -> None:
    gate = Gate()
    assert [gate.enters(1.0, is_retry=True) for _ in range(6)] == [True] * 4 + [False] * 2
    assert [gate.enters(1.0) for _ in range(6)] == [True] * 4 + [False] * 2
    gate.answered()
    assert not gate.enters(1.0, is_retry=True)
    assert gate.enters(1.0)


def test_reasons_name_the_limit() -> None:
    assert "no more processes" in str(lost(OSError(errno.EAGAIN, "Resource temporarily unavailable")))
    assert "open more files" in str(lost(OSError(errno.EMFILE, "Too many open files")))
    assert "Operation not permitted" in str(lost(OSError(errno.EPERM, "Operation not permitted")))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More pictures than fit into a pipe, so a reader that nobody hears lives on."""
    path = tmp_path_factory.mktemp("films") / "film.ts"
    render(path, seconds=20, fps=25, size=(160, 120), rotation=0)
    return path


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def opened(stack: ExitStack, film: Path) -> Reading:
    return stack.enter_context(reading(ReadJob(Source(str(film)), 25.0), threading.Event()))


def nursery() -> int:
    """The process that readers are forked from: the one that has children."""
    [pid] = [child for child in children(os.getpid()) if children(child)]
    return pid


def test_what_readers_are_forked_from_is_started_anew(stack: ExitStack, film: Path) -> None:
    at_first = descriptors()
    sources = [opened(stack, film) for _ in range(3)]
    before, former = readers(os.getpid()), nursery()
    os.kill(former, signal.SIGKILL)
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in before), "the end of the former readers")
    for source in sources:
        with pytest.raises(ReaderLost, match="the process that starts readers has ended"):
            list(source.pictures())
    again = opened(stack, film)
    assert nursery() != former
    assert sum(1 for _ in again.pictures()) == 500
    stack.close()
    assert len(descriptors() - at_first) == 1, "the line to the new nursery"


def test_too_few_descriptors_keep_one_reader_away_and_end_none(stack: ExitStack, film: Path) -> None:
    source = opened(stack, film)
    pid = nursery()
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = set(map(int, os.listdir(f"/proc/{pid}/fd")))  # noqa: PTH208
    first_free = next(number for number in range(len(used) + 1) if number not in used)
    stack.callback(resource.prlimit, pid, resource.RLIMIT_NOFILE, before)
    for num_left in (0, 1):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (first_free + num_left, before[1]))
        with pytest.raises(ReaderLost, match="may not open more files"):
            opened(stack, film)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    opened(stack, film)
    assert nursery() == pid
    assert sum(1 for _ in source.pictures()) == 500


def test_stop_is_heard_while_the_gate_is_closed(film: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped), reading(ReadJob(Source(str(film)), 25.0), stop):
        pytest.fail("it must not start")


LIMITED = """
import resource, sys, threading
from contextlib import ExitStack, suppress
from test_starting import nursery
from services.ingest.readers.reader import ReadJob
from services.ingest.readers.reading import reading
from shared.errors import ReaderLost
from shared.sources import Source

def opened():
    return stack.enter_context(reading(ReadJob(Source(sys.argv[1]), 25.0), threading.Event()))

with ExitStack() as stack:
    source = opened()
    pid = nursery()
    before = resource.prlimit(pid, resource.RLIMIT_NPROC)
    resource.prlimit(pid, resource.RLIMIT_NPROC, (1, before[1]))
    for _ in range(3):
        try:
            opened()
        except ReaderLost as err:
            print(err)
    resource.prlimit(pid, resource.RLIMIT_NPROC, before)
    opened()
    print(nursery() == pid, sum(1 for _ in source.pictures()))
"""


def test_a_process_limit_keeps_readers_away_and_ends_none(film: Path) -> None:
    """Limits on processes do not bind root, so another user tries them, who may still read what root may."""
    command = [sys.executable, "-c", LIMITED, str(film)]
    if os.getuid() == 0:
        able = "+dac_override"
        prefix = ["setpriv", "--reuid=65534", f"--inh-caps={able}", f"--ambient-caps={able}"]
        if subprocess.run([*prefix, "true"], check=False, stderr=subprocess.DEVNULL).returncode:
            unavailable("setpriv with CAP_DAC_OVERRIDE")
        command = [*prefix, *command]
    path = os.pathsep.join(filter(None, sys.path))
    environment = os.environ | {"PYTHONPATH": path}
    ended = subprocess.run(command, env=environment, check=True, timeout=120, stdout=subprocess.PIPE, text=True)
    assert ended.stdout == "this machine lets no more processes start\n" * 3 + "True 500\n"
