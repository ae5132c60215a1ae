"""What a soak has shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from process_tree import Usage
from rich.table import Table
from service_process import Samples

SETTLING = 0.25
"""Share of the run that memory is given to settle before its slope counts."""
MAX_GROWTH = 1.1
MAX_SQUEEZED = 0.02


@dataclass(slots=True)
class Report:
    """All that is measured, and the verdict."""

    facts: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def table(self) -> Table:
        """Everything, a line each."""
        table = Table("soak", "")
        for name, value in self.facts.items():
            table.add_row(name, value)
        return table

    def expect(self, is_so: bool, problem: str) -> None:
        """Notes a problem where something is not as it must be."""
        if not is_so:
            self.problems.append(problem)

    def add_usage(self, seen: Sequence[tuple[float, Usage]], before: Usage, after: Usage) -> None:
        """Memory, descriptors, threads and processes: `seen` at seconds since the start, all streams registered."""
        steady = [(at, each) for at, each in seen if at >= SETTLING * seen[-1][0]]
        memory: dict[str, Callable[[Usage], float]] = {
            "MB service": lambda each: each.rss_mb,
            "MB below it": lambda each: each.pss_mb,  # goes with the number of cameras that are there
            "MB a process below it": lambda each: each.pss_mb / each.num_processes,
        }
        for unit, measured in memory.items():
            values = [measured(each) for _, each in steady]
            per_hour = slope([at for at, _ in steady], values) * 3600
            self.facts[f"memory: {unit}, median (min to max)"] = spread(values)
            self.facts[f"memory: {unit}, slope an hour"] = f"{per_hour:+.1f}"
        for name in ("num_descriptors", "num_threads", "num_processes"):
            self.facts[name.removeprefix("num_") + ", median (min to max)"] = spread(
                [getattr(each, name) for _, each in steady]
            )
        self.facts["before and after, without streams"] = f"{brief(before)} → {brief(after)}"
        self.expect(after.rss_mb < MAX_GROWTH * before.rss_mb, "the service's memory has not come back")
        same = (after.num_threads, after.num_processes) == (before.num_threads, before.num_processes)
        self.expect(same and after.num_descriptors <= before.num_descriptors, "threads, processes or descriptors leak")

    def add_counts(self, samples: Samples, stream_ids: Sequence[str], epochs: Sequence[int]) -> None:
        """What the service has counted, and whether it adds up."""
        for name in ("frames_decoded", "frames_published", "frames_skipped", "packets_refused"):
            self.facts[name.replace("_", " ")] = f"{samples.total(name):,}"
        reasons = {reason: samples.total("frames_dropped", reason=reason) for reason in REASONS}
        self.facts["frames dropped"] = ", ".join(f"{reason} {num}" for reason, num in reasons.items())
        for name in ("connections", "source_failures", "reader_crashes"):
            self.facts[name.replace("_", " ")] = f"{samples.total(name):,}"
        unaccounted = {each: num for each in stream_ids if (num := samples.unaccounted(each))}
        self.facts["decoded - published - skipped - dropped"] = str(unaccounted or 0)
        self.expect(not unaccounted, "counters do not add up")
        counted = [samples.total("connections", stream_id=each) for each in stream_ids]
        self.expect(counted == list(epochs), f"epochs {list(epochs)}, but connections {counted}")

    def add_clock(self, samples: Samples, num_squeezed: Sequence[int], num_frames: Sequence[int]) -> None:
        """What became of frames before the clock was set back and since.

        Those that a camera sends at once, as when it has thawed, lie close whatever the clock does. The library that
        sets the clock tells one of many threads the true time now and then: then it is set forward and back again.
        """
        steps = samples.total("clock_steps", way="back"), samples.total("clock_steps", way="forward")
        self.facts["clock set back, set forward"] = f"{steps[0]}, {steps[1]}"
        for name, squeezed, frames in zip(("before", "since"), num_squeezed, num_frames, strict=True):
            self.facts[f"{name}: dated right after the frame before"] = f"{squeezed:,} of {frames:,} frames"
        self.expect(steps[0] - steps[1] == 1, f"the clock was set back once; counted were {steps}")
        before, since = (squeezed / max(1, frames) for squeezed, frames in zip(num_squeezed, num_frames, strict=True))
        self.expect(since <= before + MAX_SQUEEZED, "frames keep their distances less than before")

    def add_latency(self, name: str, milliseconds: Sequence[int]) -> None:
        """Percentiles of what was measured on each frame."""
        if len(milliseconds):
            p50, p99, top = np.percentile(np.asarray(milliseconds), (50, 99, 100))
            self.facts[f"{name}: p50, p99, max"] = f"{p50:.0f}, {p99:.0f}, {top:.0f} ms of {len(milliseconds):,} frames"


REASONS = ("busy", "store_unavailable", "stopped")


def slope(seconds: Sequence[float], values: Sequence[float]) -> float:
    """Least squares, a second."""
    return float(np.polyfit(seconds, values, 1)[0]) if len(values) > 1 else 0.0


def spread(values: Sequence[float]) -> str:
    """Median, least and most."""
    return f"{np.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


def brief(usage: Usage) -> str:
    """One line."""
    return (
        f"{usage.rss_mb:.0f} MB, {usage.num_descriptors} descriptors, "
        f"{usage.num_threads} threads, {usage.num_processes} processes"
    )
