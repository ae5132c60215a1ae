"""Becomes another program that gets SIGTERM when the process that started it dies, however that dies (Linux).

Run by its path, `python -I -S exec_child.py PARENT_PID PROGRAM [ARGUMENT ...]`: the parent-death signal outlives exec,
so it holds from the program's first instruction on and the program need not know of it.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Replaces this process by the program; returns 1 where the parent is gone already."""
    parent, *command = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == int(parent):
        os.execvp(command[0], command)  # noqa: S606
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
