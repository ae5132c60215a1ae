"""Services as processes of their own, as `python -m services.ingest`, with what they say of themselves."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from patience import eventually
from prometheus_client.parser import text_string_to_metric_families
from redis_cluster import free_port

Key = tuple[str, frozenset[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class ServiceProcess:
    """A running service."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def page(self) -> str:
        """What it tells Prometheus."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as reply:
            return str(reply.read().decode())

    def samples(self) -> "Samples":
        """What it has counted."""
        families = text_string_to_metric_families(self.page())
        return Samples(
            {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}
        )

    def answers(self) -> bool:
        """Whether it serves its metrics yet; fails where it has ended."""
        assert self.process.poll() is None, self.log.read_text()
        try:
            return bool(self.page())
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class Samples:
    """Values of all metrics at one moment."""

    values: dict[Key, float]

    def total(self, name: str, **labels: str) -> int:
        """A counter's sum over all series with these labels, without `afterimage_` and `_total` in its name."""
        full, wanted = f"afterimage_{name}_total", frozenset(labels.items())
        return round(sum(value for (each, having), value in self.values.items() if each == full and wanted <= having))

    def unaccounted(self, stream_id: str) -> int:
        """Decoded pictures that are neither published nor skipped nor dropped."""
        parts = ("frames_published", "frames_skipped", "frames_dropped")
        return self.total("frames_decoded", stream_id=stream_id) - sum(
            self.total(part, stream_id=stream_id) for part in parts
        )


@contextmanager
def service_process(
    service: str, redis_url: str, log: Path, extra: Mapping[str, str], variables: Mapping[str, str]
) -> Iterator[ServiceProcess]:
    """Runs a service as long as the block does, with `extra` and more `AFTERIMAGE_*` variables; ends it in order.

    It must then end with 0, unless the block has killed it.
    """
    port = free_port()
    settings = {"REDIS_URL": redis_url, "METRICS_PORT": str(port), **variables}
    environment = os.environ | dict(extra) | {f"AFTERIMAGE_{name}": value for name, value in settings.items()}
    with log.open("wb") as output:
        command = [sys.executable, "-m", f"services.{service}"]
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    running = ServiceProcess(process, port, log)
    try:
        eventually(running.answers, f"{service}'s metrics")
        yield running
        process.terminate()
        assert process.wait(60) in {0, -signal.SIGKILL}, log.read_text()
    finally:
        process.kill()
        process.wait()


@contextmanager
def ingest_process(
    redis_url: str, media_root: Path, log: Path, extra: Mapping[str, str] = MappingProxyType({}), **variables: str
) -> Iterator[ServiceProcess]:
    """Runs ingest as long as the block does."""
    with service_process("ingest", redis_url, log, extra, {"MEDIA_ROOT": str(media_root), **variables}) as running:
        yield running


@contextmanager
def inference_process(
    redis_url: str, models_dir: Path, log: Path, extra: Mapping[str, str] = MappingProxyType({}), **variables: str
) -> Iterator[ServiceProcess]:
    """Runs an inference worker on the CPU as long as the block does."""
    settings = {"MODELS_DIR": str(models_dir), "DEVICE": "cpu", **variables}
    with service_process("inference", redis_url, log, extra, settings) as running:
        yield running
