"""The services as processes on a Redis of their own, with a fleet of streams, measured phase by phase."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import redis
from default_layout import keys_of
from films import render
from redis_cluster import free_port
from redis_process import redis_process
from service_process import service_process

from scale.figures import (
    Answer,
    Page,
    Service,
    answered,
    listing,
    memories,
    page_of,
    quantile,
    shares,
    table,
)
from scale.fleet import GROUPS, Film, Fleet, pictures_of, registered
from services.api.protocol.paging import cursor_of
from shared.service.quantiles import Buckets, buckets_of, since
from shared.service.quantiles import quantile as histogram_quantile
from shared.service.settings import PROJECT_ROOT
from shared.store.client import connect

FILM = "film.mp4"
FILM_SECONDS, FILM_FPS, FILM_SIZE = 20.0, 8, (640, 360)
SETTLE_SECONDS = 600.0
LOOK_SECONDS = 0.01
LATENCY = "afterimage_decode_to_commit_seconds"
PROCESSED = "afterimage_frames_processed_total"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of it."""

    streams: int
    live: int
    fps: float
    played: int
    seconds: float


@dataclass
class Report:
    """What came of it, phase by phase; each part is told as soon as it is there."""

    tell: Callable[[str], object]
    lists: dict[str, Answer] = field(default_factory=dict)
    pages: dict[str, Page] = field(default_factory=dict)
    """of the fleet at rest"""
    live_pages: dict[str, Page] = field(default_factory=dict)
    at_rest: dict[str, float] = field(default_factory=dict)
    first_frames: list[float] = field(default_factory=list)
    num_processed: int = 0


@dataclass(frozen=True, slots=True)
class Yard:
    """What runs."""

    client: redis.Redis
    folder: Path
    api: httpx.Client
    services: Sequence[Service]

    def named(self, name: str) -> Service:
        """One of them."""
        return next(each for each in self.services if each.name == name)


@contextmanager
def running(stack: ExitStack, folder: Path) -> Iterator[tuple[Yard, Callable[[], None]]]:
    """Redis, ingest, inference and api, and what ends ingest."""
    url = stack.enter_context(redis_process(folder, "--appendonly", "yes", "--appendfsync", "everysec"))
    client = stack.enter_context(connect(url))
    port = free_port()
    models = str(PROJECT_ROOT / "models")
    settings = {
        "inference": {"MODELS_DIR": models, "DEVICE": "cpu"},
        "api": {"MODELS_DIR": models, "MEDIA_ROOT": str(folder), "API_PORT": str(port), "MAX_STREAMS": "100000"},
        "ingest": {"MEDIA_ROOT": str(folder)},
    }
    ingest_only = stack.enter_context(ExitStack())
    services = [Service("redis", int(client.info("server")["process_id"]))]
    for name, variables in settings.items():
        where = ingest_only if name == "ingest" else stack
        started = where.enter_context(service_process(name, url, folder / f"{name}.log", {}, variables))
        services.append(Service(name, started.pid, started.port))
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as api:

        def end_ingest() -> None:
            os.kill(services[-1].pid, signal.SIGKILL)  # how it ends in order is no matter here
            ingest_only.close()

        yield Yard(client, folder, api, services), end_ingest


def measure(plan: Plan, folder: Path, say: Callable[[str], object], tell: Callable[[str], object]) -> Report:
    """All phases, one after another; says which it is at, and tells what came of it."""
    report = Report(tell)
    render(folder / FILM, seconds=FILM_SECONDS, fps=FILM_FPS, size=FILM_SIZE, rotation=0)
    with ExitStack() as stack, running(stack, folder) as (yard, end_ingest):
        say("nothing registered")
        empty = shares(yard.services, plan.seconds, scraped=False), memories(yard.services)
        say(f"{plan.streams} streams")
        fleet = _register(yard, plan, report)
        say("at rest")
        _rest(yard, plan, report, empty)
        say("lists and pages")
        _pages(yard, fleet, report)
        say(f"{plan.played} are played")
        _first_frames(yard, plan, report)
        end_ingest()
        say(f"{plan.live} are live")
        _live(yard, fleet, plan, report)
    return report


def _register(yard: Yard, plan: Plan, report: Report) -> Fleet:
    began = time.perf_counter()
    fleet = registered(yard.client, plan.streams)
    written, deadline = time.perf_counter() - began, began + SETTLE_SECONDS
    while not fleet.is_settled(yard.client):
        assert time.perf_counter() < deadline, "the services have not taken up all streams"
        time.sleep(0.25)
    settled = time.perf_counter() - began
    report.tell(
        f"{plan.streams} streams, four of five paused, the others' recordings ended: written in {written:.1f} s, taken "
        f"up by ingest and inference after {settled:.1f} s."
    )
    return fleet


def _rest(yard: Yard, plan: Plan, report: Report, empty: tuple[dict[str, float], dict[str, float]]) -> None:
    shares(yard.services, min(5.0, plan.seconds), scraped=False)  # what is left to do of the registration
    report.at_rest = shares(yard.services, plan.seconds, scraped=False)
    scraped = shares(yard.services, plan.seconds, scraped=True)
    memory, (empty_shares, empty_memory) = memories(yard.services), empty
    rows = {
        each.name: (
            f"{empty_shares[each.name]:.1f} %",
            f"{report.at_rest[each.name]:.1f} %",
            f"{scraped[each.name]:.1f} %",
            f"{empty_memory[each.name]:.0f} MB",
            f"{memory[each.name]:.0f} MB",
        )
        for each in yard.services
    }
    head = ("no stream", f"{plan.streams} at rest", "and scraped every 5 s", "memory, no stream", "memory")
    report.tell(table("of a core", head, rows))


def _pages(yard: Yard, fleet: Fleet, report: Report) -> None:
    ids, api = fleet.ids, yard.named("api")
    queries = {
        "first 100": "limit=100",
        "middle 100": f"limit=100&cursor={cursor_of(ids[len(ids) // 2])}",
        "last 100": f"limit=100&cursor={cursor_of(ids[max(0, len(ids) - 101)])}",
        "first 1000": "limit=1000",
        "state=ended, first 100": "limit=100&state=ended",
        "state=live (none)": "limit=100&state=live",
        "one of 20 groups, first 100": f"limit=100&group={GROUPS[0]}",
        "text, first 100": "limit=100&text=camera%2099",
    }
    report.lists = {name: answered(listing(yard.api, query), api.pid) for name, query in queries.items()}

    def system() -> bytes:
        return yard.api.get("/v1/system", timeout=600).raise_for_status().content

    report.lists["/v1/system"] = answered(system, api.pid)
    rows = {name: (answer, f"{answer.num_bytes / 1000:.0f} KB") for name, answer in report.lists.items()}
    report.tell(table("GET /v1/streams", ("time", "bytes"), rows))
    report.pages = {each.name: page_of(each) for each in yard.services if each.metrics_port}
    report.tell(_told("/metrics, at rest", report.pages))


def _told(title: str, pages: dict[str, Page]) -> str:
    rows = {
        name: (each.answer, f"{each.answer.num_bytes / 1e6:.2f} MB", each.num_series, each.num_of_streams)
        for name, each in pages.items()
    }
    return table(title, ("time", "bytes", "series", "of streams"), rows)


def _first_frames(yard: Yard, plan: Plan, report: Report) -> None:
    """Registers streams that are played live, one after another, and sees when each has its first frame."""
    registered_at: dict[str, float] = {}
    waiting: dict[str, float] = {}
    all_asked = threading.Event()

    def watch() -> None:
        while not all_asked.is_set() or waiting:
            ids = list(waiting)
            pipeline = yard.client.pipeline(transaction=False)
            for stream_id in ids:
                pipeline.hexists(keys_of(stream_id).published, stream_id)
            for stream_id, has_come in zip(ids, pipeline.execute() if ids else (), strict=True):
                if has_come:
                    report.first_frames.append(time.perf_counter() - waiting.pop(stream_id))
            time.sleep(LOOK_SECONDS)

    watcher = threading.Thread(target=watch)
    before = memories(yard.services)
    watcher.start()
    for number in range(plan.played):
        stream_id = f"played-{number:03d}"
        registered_at[stream_id] = waiting[stream_id] = time.perf_counter()
        wanted = {"id": stream_id, "name": stream_id, "source": FILM, "loop": True, "pace": "live"}
        yard.api.post("/v1/streams", json=wanted, timeout=60).raise_for_status()
        time.sleep(0.25)
    all_asked.set()
    watcher.join(SETTLE_SECONDS)
    assert not waiting, f"no frame came of {sorted(waiting)}"
    time.sleep(min(5.0, plan.seconds))
    after, taken = memories(yard.services), shares(yard.services, plan.seconds, scraped=False)
    each = (after["ingest"] - before["ingest"]) / max(1, plan.played)
    seconds = report.first_frames
    report.tell(
        f"From a registration beside them to the first frame in the queue, {plan.played} files of {FILM_SIZE[0]}x"
        f"{FILM_SIZE[1]} played live, one every quarter of a second: p50 {quantile(seconds, 0.5):.2f} s, p99 "
        f"{quantile(seconds, 0.99):.2f} s. Played together they take {taken['ingest']:.0f} % of a core in ingest and "
        f"{each:.1f} MB each (PSS)."
    )
    for stream_id in registered_at:
        yard.api.delete(f"/v1/streams/{stream_id}", timeout=60).raise_for_status()


def _live(yard: Yard, fleet: Fleet, plan: Plan, report: Report) -> None:
    """Frames of one film come in many streams, written as ingest would, and are looked at."""
    specs = [spec for spec in fleet.specs if spec.paused][: plan.live]
    film, stop = Film(yard.client, specs, pictures_of(yard.folder / FILM), plan.fps), threading.Event()
    film.wake()
    player = threading.Thread(target=film.play, args=[stop])
    had_processed, deadline = _processed(yard), time.perf_counter() + SETTLE_SECONDS
    player.start()
    services = [each for each in yard.services if each.name != "ingest"]
    while _processed(yard) == had_processed:
        assert time.perf_counter() < deadline, "no frame was looked at"
        time.sleep(0.25)
    time.sleep(min(10.0, 2 * plan.seconds))
    before, latency, began = _processed(yard), _latencies(yard), time.perf_counter()
    published = film.num_published
    taken = shares(services, plan.seconds, scraped=True)
    spent = time.perf_counter() - began
    came, done = film.num_published - published, _processed(yard) - before
    report.num_processed = _processed(yard) - had_processed
    late = since(latency, _latencies(yard))
    p50, p99 = (histogram_quantile(share, late) or float("nan") for share in (0.5, 0.99))
    report.live_pages = {each.name: page_of(each) for each in services if each.metrics_port}
    live = answered(listing(yard.api, "limit=100&state=live"), yard.named("api").pid)
    stop.set()
    player.join()
    memory = memories(services)
    rows = {each.name: (f"{taken[each.name]:.0f} %", f"{memory[each.name]:.0f} MB") for each in services}
    report.tell(table(f"{len(specs)} live", ("of a core, scraped", "memory"), rows))
    report.tell(_told(f"/metrics, {len(specs)} live", report.live_pages))
    report.tell(
        f"{len(specs)} live of {plan.streams}, {plan.fps:g} frames/s each, one film's frames written as ingest would: "
        f"{came / spent:.0f} frames/s came and {done / spent:.0f} were looked at; to the commit p50 "
        f"{p50:.3f} s, p99 {p99:.3f} s; the writer was {film.late_seconds:.1f} s late "
        f"at worst. The first 100 that are live: {live}."
    )


def _processed(yard: Yard) -> int:
    """Frames looked at so far, by the page of inference."""
    lines = _page_of_inference(yard).splitlines()
    return round(sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{PROCESSED}{{")))


def _latencies(yard: Yard) -> Buckets:
    """How many live frames were committed within so many seconds, so far."""
    return buckets_of(_page_of_inference(yard), LATENCY, {"pace": "live"})


def _page_of_inference(yard: Yard) -> str:
    service = yard.named("inference")
    return httpx.get(f"http://127.0.0.1:{service.metrics_port}/metrics", timeout=600, trust_env=False).text
