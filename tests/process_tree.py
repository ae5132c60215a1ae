"""What a process and everything that it has started take up, from /proc (Linux)."""

import gc
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process and of those below it, at one moment. Memory that processes share counts once in `pss_mb`."""

    rss_mb: float
    """of the process itself"""
    pss_mb: float
    """of all below it"""
    num_descriptors: int
    num_threads: int
    num_processes: int
    """below it"""


def usage(pid: int) -> Usage:
    """What they take up now."""
    below = descendants(pid)
    return Usage(
        rss_mb=_kilobytes(pid, "status", "VmRSS") / 1024,
        pss_mb=sum(_kilobytes(each, "smaps_rollup", "Pss") for each in below) / 1024,
        num_descriptors=len(os.listdir(PROC / str(pid) / "fd")),  # noqa: PTH208
        num_threads=len(os.listdir(PROC / str(pid) / "task")),  # noqa: PTH208
        num_processes=len(below),
    )


def pss_mb(pid: int) -> float:
    """Memory of a process and of all below it; what they share, also with others, counts once."""
    return sum(_kilobytes(each, "smaps_rollup", "Pss") for each in (pid, *descendants(pid))) / 1024


def descriptors() -> set[tuple[str, str]]:
    """This process's own: number and what it stands for. Garbage that earlier tests left holds none any more."""
    gc.collect()
    found = set()
    for descriptor in (PROC / "self" / "fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists them
            found.add((descriptor.name, str(descriptor.readlink())))
    return found


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and of all below it, the dead ones that were waited for included."""
    return sum(_ticks(each) for each in (pid, *descendants(pid))) / os.sysconf("SC_CLK_TCK")


def descendants(pid: int) -> list[int]:
    """Ids of all processes below one, dead ones that nobody has waited for included."""
    found = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in (PROC / str(pid) / "task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *descendants(child)]
    return found


def readers(pid: int) -> list[int]:
    """Ids of the reader processes: those below the process that they are forked from, which is below the service."""
    return [below for child in descendants(pid) for below in children(child)]


def command_lines(pid: int) -> str:
    """What a process and all below it show of themselves to everybody on the machine."""
    texts = []
    for each in (pid, *descendants(pid)):
        for name in ("cmdline", "comm"):
            with suppress(OSError):
                texts.append((PROC / str(each) / name).read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return "\n".join(texts)


def children(pid: int) -> list[int]:
    """Ids of the processes that one has started; none where it is gone."""
    with suppress(OSError):
        return [
            int(word) for path in (PROC / str(pid) / "task").glob("*/children") for word in path.read_text().split()
        ]
    return []


def _ticks(pid: int) -> int:
    """User and system time of a process and of its dead children; 0 for one that is gone."""
    with suppress(OSError):
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15]))
    return 0


def _kilobytes(pid: int, file: str, field: str) -> int:
    """0 for a process that is gone."""
    with suppress(OSError):
        for line in (PROC / str(pid) / file).read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
    return 0
