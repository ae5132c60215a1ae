"""One soak: a real service, Redis and cameras, disturbed for a while."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import redis
from cameras import camera_server
from faked_time import FakedTime
from ingest_runner import Passing, stream_spec
from outages import LIVE, Streams, lateness_after_restart
from process_tree import Usage, readers, usage
from redis_process import redis_process
from service_process import ServiceProcess, ingest_process

from shared.registry import Registry
from shared.store import connect
from shared.streams import StreamSpec, StreamState
from soak.arrivals import Arrivals
from soak.disturbances import Disturber
from soak.report import Report, spread

SAMPLE_SECONDS = 2.0
QUIET_SECONDS = 40.0
"""A camera has no trouble if it had none for so long: it may take a back-off of 30 s until it is seen again."""
CALM_SECONDS = 60.0
"""How long streams may take to be live again once all is calm."""
WARM_UP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do."""

    minutes: float
    num_streams: int
    num_servers: int
    seed: int
    film: Path
    stall_seconds: float
    clock_back_seconds: float = 0.0
    """by how much the service's clock is set back, once, half-way"""


@dataclass(frozen=True, slots=True)
class System:
    """What runs."""

    ingest: ServiceProcess
    registry: Registry
    specs: Sequence[StreamSpec]

    @property
    def ids(self) -> list[str]:
        """The streams'."""
        return [spec.id for spec in self.specs]


def soak(plan: Plan, folder: Path, on_progress: Callable[[float, str], None]) -> Report:
    """Runs the plan; `on_progress` hears how many seconds are done, and what was done to the cameras."""
    report = Report()
    with ExitStack() as stack:
        url = stack.enter_context(redis_process(folder))
        client = stack.enter_context(closing(connect(url)))
        faked = FakedTime(folder) if plan.clock_back_seconds else None
        servers = [stack.enter_context(camera_server(plan.film)) for _ in range(plan.num_servers)]
        system = System(
            stack.enter_context(
                ingest_process(
                    url,
                    folder,
                    folder / "ingest.log",
                    faked.environment if faked else {},
                    STALL_SECONDS=f"{plan.stall_seconds:g}",
                )
            ),
            Registry(client),
            [
                stream_spec(f"camera-{number:02d}", servers[number % plan.num_servers].url(), pace="live")
                for number in range(plan.num_streams)
            ],
        )
        before = _warmed_up(system, client)
        disturber = Disturber(servers, lambda: readers(system.ingest.pid), plan.seed)
        began = time.monotonic()

        def is_quiet(stream_id: str) -> bool:
            since = disturber.quiet_since[int(stream_id.rpartition("-")[2]) % plan.num_servers]
            return time.monotonic() - began - since > QUIET_SECONDS

        arrivals = Arrivals(client, system.specs, is_quiet)
        for spec in system.specs:
            system.registry.add(spec)
        seen = _disturbed(plan, system, disturber, arrivals, on_progress, faked)
        disturber.calm(time.monotonic() - began)
        late = _all_live(system, arrivals)
        report.facts["troubles"] = ", ".join(f"{kind} {num}" for kind, num in sorted(disturber.counts.items()))
        report.facts["all live again after the last one"] = f"{late:.1f} s"
        report.expect(late < CALM_SECONDS, "not all streams were live again")
        if faked:
            report.add_clock(system.ingest.samples(), arrivals.num_squeezed, arrivals.num_dated)
        _count(system, report)
        for name, ages in (
            ("capture to queue", arrivals.since_capture_ms),
            ("capture to queue, camera untouched", arrivals.since_capture_quiet_ms),
            ("decoder to queue", arrivals.since_decoding_ms),
        ):
            report.add_latency(name, ages)
        report.add_usage(seen, before, _forgotten(system, client))
    return report


def restarts(plan: Plan, num_times: int, folder: Path, on_progress: Callable[[float, str], None]) -> Report:
    """One server for all streams, stopped and started so many times: how late each stream was live again."""
    report, worst = Report(), list[float]()
    with ExitStack() as stack:
        url = stack.enter_context(redis_process(folder))
        client = stack.enter_context(closing(connect(url)))
        server = stack.enter_context(camera_server(plan.film))
        specs = [stream_spec(f"camera-{number:02d}", server.url(), pace="live") for number in range(plan.num_streams)]
        ingest = stack.enter_context(ingest_process(url, folder, folder / "ingest.log"))
        system = System(ingest, Registry(client), specs)
        for spec in specs:
            system.registry.add(spec)
        streams = Streams(system.registry, Passing(client, specs), system.ids)
        streams.until_all(LIVE)
        for number in range(num_times):
            worst.append(max(lateness_after_restart(server, streams, epoch=2 + number).values()))
            on_progress(number + 1, f"{worst[-1]:.1f} s")
        epochs = [record.status.epoch for record in streams.records()]
        report.facts["seconds until all were live, beyond the stated attempt"] = spread(worst)
        report.facts["each time"] = ", ".join(f"{each:.2f}" for each in worst)
        report.expect(max(worst) < 5, "a stream came back later than 5 s after the server or its stated attempt")
        report.expect(epochs == [1 + num_times] * plan.num_streams, f"epochs {epochs}")
        _count(system, report)
    return report


def _warmed_up(system: System, client: redis.Redis) -> Usage:
    """All streams live for a moment, and forgotten again: what the service takes up at rest."""
    passing = Passing(client, system.specs)
    for spec in system.specs:
        system.registry.add(spec)
    Streams(system.registry, passing, system.ids).until_all(LIVE)
    return _forgotten(system, client)


def _disturbed(
    plan: Plan,
    system: System,
    disturber: Disturber,
    arrivals: Arrivals,
    on_progress: Callable[[float, str], None],
    faked: FakedTime | None,
) -> list[tuple[float, Usage]]:
    """Takes frames while it all happens; what the service took up every two seconds."""
    began, sampled_at, seen = time.monotonic(), 0.0, list[tuple[float, Usage]]()
    while (now := time.monotonic() - began) < 60 * plan.minutes:
        arrivals.step()
        if now > WARM_UP_SECONDS:
            disturber.step(now)
        if faked and not arrivals.set_back_ms and now >= 30 * plan.minutes:
            faked.set(-plan.clock_back_seconds)
            arrivals.set_back_ms = round(1000 * plan.clock_back_seconds)
        if now - sampled_at >= SAMPLE_SECONDS:
            sampled_at = now
            seen.append((now, usage(system.ingest.pid)))
            arrivals.commit()
            on_progress(now, f"{arrivals.num_frames:,} frames, {sum(disturber.counts.values())} troubles")
    return seen


def _all_live(system: System, arrivals: Arrivals) -> float:
    """Seconds until all streams are, no longer than is allowed."""
    began = time.monotonic()
    while (late := time.monotonic() - began) < CALM_SECONDS:
        arrivals.step()
        arrivals.commit()
        if all(each.status.state is LIVE for each in system.registry.records(system.ids)):
            break
    return late


def _count(system: System, report: Report) -> None:
    """Has all streams end, without being forgotten, and adds up what was counted."""
    epochs = []
    for spec in system.specs:
        seen = system.registry.get(spec.id).spec
        assert system.registry.replace(seen, seen.model_copy(update={"source": "../none.mp4"}))
    for spec in system.specs:
        while (status := system.registry.get(spec.id).status).state is not StreamState.FAILED:
            time.sleep(0.02)
        epochs.append(status.epoch)
    report.add_counts(system.ingest.samples(), system.ids, epochs)


def _forgotten(system: System, client: redis.Redis) -> Usage:
    """What the service takes up without streams, its connections to Redis not counted."""
    for spec in system.specs:
        system.registry.remove(spec.id)
    while "stream_id=" in system.ingest.page() or readers(system.ingest.pid):
        time.sleep(0.05)
    seen, connections = usage(system.ingest.pid), len(client.client_list())
    return Usage(seen.rss_mb, seen.pss_mb, seen.num_descriptors - connections, seen.num_threads, seen.num_processes)
