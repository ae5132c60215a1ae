"""What tests share: a Redis of their own, rendered videos, reference footage."""

import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis
from films import VideoFile, render
from grey_films import film
from in_process import InProcess
from ingest_runner import IngestRunner
from live_channel import REFETCH_SECONDS, SHARE, Channel
from patience import unavailable
from redis_process import redis_process
from web_server import web_server

import shared.service.openmp  # noqa: F401  (before any test imports torch)
from services.ingest.captures import attempts, capture
from services.ingest.sources.hls import follower
from shared.store.client import connect

if TYPE_CHECKING:
    from api_server import RunningApi
    from s3_server import S3Server
    from worker_runner import WorkerRunner

os.environ.setdefault("OMP_NUM_THREADS", "1")  # so small networks are fastest so, above all beside other work
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each process that a test starts compiles all of its code anew

REFERENCE_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
REFERENCE_CASES = REFERENCE_DATA.parent / "cases"


def pytest_collection_finish() -> None:
    """Thousands of collected tests stay to the end: nobody who looks for garbage need look at them."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _scheduling_stays() -> Iterator[None]:
    """An encoder that makes root's thread a real-time one would have every later test, and all that it starts, keep
    whatever else runs on the machine from running."""
    before = os.sched_getscheduler(0)
    yield
    assert os.sched_getscheduler(0) == before


@pytest.fixture(scope="session", autouse=True)
def _user_data_stays(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What commands keep for their user, an admin key first of all, is neither taken from nor left with the tester."""
    os.environ["XDG_DATA_HOME"] = str(tmp_path_factory.mktemp("user_data"))


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """URL of a private Redis on a unix socket (whose path must be short)."""
    with tempfile.TemporaryDirectory(prefix="afterimage-") as folder, redis_process(Path(folder)) as url:
        yield url


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    """A client of the private Redis, emptied."""
    client = connect(redis_url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture(scope="module")
def server(redis_url: str) -> "Iterator[RunningApi]":
    """An api, for all tests of a module."""
    from api_server import running_api  # noqa: PLC0415  (few tests need it)

    with running_api(redis_url) as api:
        yield api


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[S3Server]":
    """A server that speaks S3."""
    from s3_server import s3_server  # noqa: PLC0415  (few tests need it)

    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(params=["folder", "bucket"])
def events_dir(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where events' files go, as the setting names it."""
    from s3_server import events_place  # noqa: PLC0415  (few tests need it)

    with events_place(request.param, tmp_path, request) as where:
        yield where


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of real footage."""
    if not REFERENCE_DATA.is_dir():
        unavailable("reference footage (../shared/data)")
    return REFERENCE_DATA


@pytest.fixture(scope="session")
def reference_cases() -> Path:
    """The folder of inputs that went wrong elsewhere."""
    if not REFERENCE_CASES.is_dir():
        unavailable("inputs that go wrong (../shared/cases)")
    return REFERENCE_CASES


@pytest.fixture
def video_file(tmp_path: Path) -> VideoFile:
    """Renders small videos into the test's own folder."""

    def render_named(
        name: str, *, seconds: float = 2.0, fps: int = 10, size: tuple[int, int] = (64, 48), rotation: int = 0
    ) -> Path:
        path = tmp_path / name
        render(path, seconds=seconds, fps=fps, size=size, rotation=rotation)
        return path

    return render_named


@pytest.fixture
def ingest(redis_client: redis.Redis, tmp_path: Path) -> Iterator[IngestRunner]:
    """Ingest with the test's own folder as its media root; the test starts it."""
    with IngestRunner(redis_client, tmp_path) as runner:
        yield runner


@pytest.fixture
def runner(redis_client: redis.Redis, tmp_path: Path) -> "Iterator[WorkerRunner]":
    """An inference worker with a model that learned nothing, in the test's own folder; the test starts it."""
    from worker_runner import WorkerRunner, save_random_model  # noqa: PLC0415  (it imports torch)

    save_random_model(tmp_path)
    with WorkerRunner(redis_client, tmp_path) as running:
        yield running


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> InProcess:
    """Runs commands that end at once."""
    return InProcess(monkeypatch, capsys)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes minutes takes no time."""
    monkeypatch.setattr(attempts, "SLOW_SECONDS", 0.1)
    monkeypatch.setattr(attempts, "FIRST_ABSENT_SECONDS", 0.1)
    monkeypatch.setattr(capture, "BREATH_SECONDS", 0.1)
    monkeypatch.setattr(capture, "DEFECT_SECONDS", 0.1)


@pytest.fixture(scope="session")
def parts() -> list[bytes]:
    """Segments of a live film, each of another shade."""
    return [film(number) for number in range(12)]


@pytest.fixture
def channel(parts: list[bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[Channel]:
    """A live playlist, which is asked for often; it is given up for standing still long before a server is for saying
    nothing."""
    monkeypatch.setattr(follower, "SHARE_OF_PATIENCE", SHARE)
    monkeypatch.setattr(follower, "LEAST_REFETCH_SECONDS", REFETCH_SECONDS)
    monkeypatch.setattr(follower, "EARLY_SECONDS", REFETCH_SECONDS)
    with web_server() as web:
        yield Channel(web, parts)
