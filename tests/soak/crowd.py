"""Streams whose address is dead beside some that live: what the dead ones cost, and whether a neighbour notices."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cameras import camera_server
from ingest_runner import Passing, stream_spec
from outages import LIVE
from process_tree import cpu_seconds, usage
from redis_cluster import free_port
from redis_process import redis_process
from service_process import ServiceProcess, ingest_process

from shared.registry import Registry
from shared.store import connect
from shared.streams import StreamSpec, StreamState
from soak.report import Report

LONGEST_SECONDS = 300.0
POLL_SECONDS = 0.05
FPS = 4.0
FEW = 2
"""Frames by which two equally long spans may differ."""


@dataclass(frozen=True, slots=True)
class Span:
    """What was counted between two moments."""

    seconds: float
    published: dict[str, int]
    num_dropped: int
    num_failures: int
    cpu_seconds: float

    @property
    def cores(self) -> float:
        """CPU seconds a second."""
        return self.cpu_seconds / self.seconds


class Crowd:
    """A running service with streams that live and streams that do not."""

    def __init__(self, ingest: ServiceProcess, registry: Registry, passing: Passing, living: Sequence[str]) -> None:
        self._ingest, self._registry, self._passing, self._living = ingest, registry, passing, living

    def until(self, stream_ids: Sequence[str], state: StreamState) -> float:
        """Waits until each of the streams was seen in a state once; returns how many seconds that took."""
        began, missing = time.monotonic(), set(stream_ids)
        while missing:
            self._passing.step()
            missing -= {each.spec.id for each in self._registry.records(missing) if each.status.state is state}
            assert time.monotonic() - began < LONGEST_SECONDS, sorted(missing)[:5]
            time.sleep(POLL_SECONDS)
        return time.monotonic() - began

    def watched(self, seconds: float, on_progress: Callable[[float], None]) -> Span:
        """What happens in so many seconds."""
        before, cpu, began = self._ingest.samples(), cpu_seconds(self._ingest.pid), time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            self._passing.step()
            on_progress(passed)
            time.sleep(POLL_SECONDS)
        after, cpu = self._ingest.samples(), cpu_seconds(self._ingest.pid) - cpu
        passed = time.monotonic() - began

        def gained(name: str, stream_id: str) -> int:
            return after.total(name, stream_id=stream_id) - before.total(name, stream_id=stream_id)

        return Span(
            passed,
            {each: gained("frames_published", each) for each in self._living},
            sum(gained("frames_dropped", each) for each in self._living),
            sum(gained("source_failures", each) for each in self._living),
            cpu,
        )


def crowd(
    film: Path, num_living: int, num_dead: int, seconds: float, folder: Path, on_progress: Callable[[float, str], None]
) -> Report:
    """Watches `num_living` RTSP cameras for so many seconds by themselves, then beside `num_dead` dead addresses."""
    report = Report()
    with ExitStack() as stack:
        url = stack.enter_context(redis_process(folder))
        registry = Registry(stack.enter_context(closing(connect(url))))
        server = stack.enter_context(camera_server(film))
        ingest = stack.enter_context(ingest_process(url, folder, folder / "ingest.log"))
        places = stack.enter_context(_dead_places())
        living = [stream_spec(f"living-{n:03d}", server.url(), pace="live", fps=FPS) for n in range(num_living)]
        dead = [stream_spec(f"dead-{n:03d}", places[n % len(places)], pace="live") for n in range(num_dead)]
        passing = Passing(stack.enter_context(closing(connect(url))), living)
        watched = Crowd(ingest, registry, passing, [spec.id for spec in living])
        _add(registry, living)
        report.facts["living streams live after"] = f"{watched.until([spec.id for spec in living], LIVE):.1f} s"
        alone = watched.watched(seconds, lambda passed: on_progress(passed, "the living alone"))
        _add(registry, dead)
        took = watched.until([spec.id for spec in dead], StreamState.WAITING)
        report.facts["dead streams waiting after"] = f"{took:.1f} s"
        beside = watched.watched(seconds, lambda passed: on_progress(seconds + passed, "beside the dead"))
        seen = usage(ingest.pid)
    _tell(report, alone, beside, num_dead)
    report.facts["memory: MB service, MB of all readers"] = f"{seen.rss_mb:.0f}, {seen.pss_mb:.0f}"
    report.facts["threads, processes"] = f"{seen.num_threads}, {seen.num_processes}"
    return report


def _tell(report: Report, alone: Span, beside: Span, num_dead: int) -> None:
    for name, span in (("alone", alone), ("beside the dead", beside)):
        rates = sorted(num / span.seconds for num in span.published.values())
        report.facts[f"frames/s of each living stream, {name} (least, most)"] = f"{rates[0]:.2f}, {rates[-1]:.2f}"
        report.facts[f"CPU cores of ingest, {name}"] = f"{span.cores:.3f}"
        report.facts[f"frames dropped, sources failed, {name}"] = f"{span.num_dropped}, {span.num_failures}"
    cost = (beside.cores - alone.cores) / max(1, num_dead)
    report.facts["CPU of a dead stream, milliseconds a second"] = f"{1000 * cost:.2f}"
    report.expect(beside.num_dropped == 0, "a living stream lost frames")
    report.expect(beside.num_failures == 0, "a living stream was interrupted")
    slack = FEW / beside.seconds
    report.expect(
        all(
            num / beside.seconds >= alone.published[each] / alone.seconds - slack
            for each, num in beside.published.items()
        ),
        "a living stream published fewer frames than by itself",
    )


def _add(registry: Registry, specs: Sequence[StreamSpec]) -> None:
    for spec in specs:
        registry.add(spec)


@contextmanager
def _dead_places() -> Iterator[list[str]]:
    """Where nothing listens, where somebody listens and says nothing, and where the line is cut at once."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=512) as silent, socket.create_server(("127.0.0.1", 0)) as rude:
        rude.settimeout(0.2)
        thread = threading.Thread(target=_hang_up, args=(rude, stop), daemon=True)
        thread.start()
        ports = free_port(), silent.getsockname()[1], rude.getsockname()[1]
        try:
            yield [f"{scheme}://127.0.0.1:{port}/camera" for port in ports for scheme in ("rtsp", "http")]
        finally:
            stop.set()
            thread.join()


def _hang_up(server: socket.socket, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            connection, _ = server.accept()
        except TimeoutError:
            continue
        connection.close()
