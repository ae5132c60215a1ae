"""Signals as they come: many at once, whatever the process is doing."""

import signal
import sys
from pathlib import Path
from subprocess import PIPE, Popen

from patience import TOOL_SECONDS

WAITER = """
from shared.service.lifecycle import stop_on_signals
stop = stop_on_signals()
print("up", flush=True)
while not stop.wait(0.00001):
    pass
for _ in range(3000):
    stop.wait(0)
print("over", flush=True)
input()  # at its very end Python takes signals' handlers away: one that came then would kill it
"""

SERVICE = """
import atexit
from shared.service.lifecycle import run_service

class Heavy:
    def __del__(self):
        print("taken apart", flush=True)

heavy = Heavy()
atexit.register(lambda: print("tidied", flush=True))

def main():
    print("done")
    return 3

run_service(main)
"""


def test_a_service_that_is_done_tidies_up_and_takes_nothing_apart() -> None:
    root = Path(__file__).parents[2]
    with Popen([sys.executable, "-c", SERVICE], cwd=root, stdout=PIPE, text=True) as process:
        assert process.communicate(timeout=TOOL_SECONDS)[0] == "done\ntidied\n"
    assert process.returncode == 3


def test_signals_that_break_into_each_other_stop_a_process_that_polls_its_event() -> None:
    """With a handler that sets the event itself, nine processes in ten hang."""
    for _ in range(4):
        root = Path(__file__).parents[2]
        with Popen([sys.executable, "-c", WAITER], cwd=root, stdin=PIPE, stdout=PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            for _ in range(200):
                process.send_signal(signal.SIGTERM)
            try:
                assert process.communicate("\n", timeout=TOOL_SECONDS)[0] == "over\n"
            finally:
                process.kill()
        assert process.returncode == 0
