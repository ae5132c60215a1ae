"""What is measured: processor time, memory, pages and answers."""

import time
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from threading import Event

import httpx
from process_tree import cpu_seconds, pss_mb

SCRAPE_SECONDS = 5.0
"""As Prometheus of docker-compose.yml."""
TIMES = 3
TIMEOUT_SECONDS = 600.0
CPU_CLOCK = 2
"""CPUCLOCK_SCHED, as in `clock_getcpuclockid`."""


@dataclass(frozen=True, slots=True)
class Service:
    """A process, and where it tells its metrics, if it does."""

    name: str
    pid: int
    metrics_port: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """How long something was waited for, and how much of that a service worked: the rest is the machine's. Medians."""

    seconds: float
    work_seconds: float
    num_bytes: int

    def __str__(self) -> str:
        return f"{1000 * self.seconds:.0f} ms ({1000 * self.work_seconds:.0f} ms of work)"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of metrics."""

    answer: Answer
    num_series: int
    num_of_streams: int
    """series that name a stream"""

    def __str__(self) -> str:
        kilobytes = self.answer.num_bytes / 1000
        return f"{self.answer}, {kilobytes:.0f} KB, {self.num_series} series, {self.num_of_streams} of streams"


def answered(ask: Callable[[], bytes], pid: int, times: int = TIMES) -> Answer:
    """What it takes to be answered, by the median of some times."""
    waits, works, content = [], [], b""
    for _ in range(times):
        began, had_worked = time.perf_counter(), own_cpu_seconds(pid)
        content = ask()
        waits.append(time.perf_counter() - began)
        works.append(own_cpu_seconds(pid) - had_worked)
    return Answer(median(waits), median(works), len(content))


def page_of(service: Service, times: int = TIMES) -> Page:
    """A service's page of metrics."""
    text = scrape(service).decode()
    series = [line for line in text.splitlines() if not line.startswith("#")]
    return Page(
        answered(lambda: scrape(service), service.pid, times),
        len(series),
        sum('stream_id="' in line and 'stream_id=""' not in line for line in series),
    )


def scrape(service: Service) -> bytes:
    """The page itself, not compressed."""
    url = f"http://127.0.0.1:{service.metrics_port}/metrics"
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as reply:
        return bytes(reply.read())


def own_cpu_seconds(pid: int) -> float:
    """Processor time of one process, of threads that have ended, too: by the clock that Linux keeps for it."""
    return time.clock_gettime((~pid << 3) | CPU_CLOCK)


def shares(services: Iterable[Service], seconds: float, *, scraped: bool) -> dict[str, float]:
    """What each, with all below it, takes of a core over some seconds, in per cent; scraped or left alone."""
    watched = list(services)
    before, began = {each.name: cpu_seconds(each.pid) for each in watched}, time.perf_counter()
    never = Event()
    while (left := began + seconds - time.perf_counter()) > 0:
        if scraped:
            for each in watched:
                if each.metrics_port:
                    scrape(each)
        never.wait(min(left, SCRAPE_SECONDS))
    spent = time.perf_counter() - began
    return {each.name: 100 * (cpu_seconds(each.pid) - before[each.name]) / spent for each in watched}


def memories(services: Iterable[Service]) -> dict[str, float]:
    """What each takes with all below it, in MB; what processes share counts once (PSS)."""
    return {each.name: pss_mb(each.pid) for each in services}


def listing(api: httpx.Client, query: str) -> Callable[[], bytes]:
    """Asks for a page of streams."""

    def ask() -> bytes:
        reply = api.get(f"/v1/streams?{query}", timeout=TIMEOUT_SECONDS)
        assert reply.status_code == 200, reply.text
        return reply.content

    return ask


def table(title: str, head: Sequence[str], rows: Mapping[str, Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [f"| {title} | {' | '.join(head)} |", "| --- " * (len(head) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(map(str, cells))} |" for name, cells in rows.items()]
    return "\n".join(lines)


def quantile(values: Iterable[float], share: float) -> float:
    """The value below which that share of them lies; not a number where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
