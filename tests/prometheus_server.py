"""A real Prometheus for tests, which scrapes what it is told to and evaluates real rules."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from patience import eventually, unavailable
from redis_cluster import free_port

INTERVAL = "1s"


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A server that answers."""

    http: httpx.Client

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer."""
        content = self.http.get(f"/api/v1/{path}", params=parameters).json()
        assert content["status"] == "success", f"{parameters}: {content}"
        return content["data"]

    def vector(self, query: str) -> list[dict[str, str]]:
        """The labels of the series that a query returns now."""
        return [series["metric"] for series in self.ask("query", query=query)["result"]]

    def number(self, query: str) -> float | None:
        """What a query returns that returns a series at most; None where it returns none."""
        found = self.ask("query", query=query)["result"]
        assert len(found) <= 1, f"{query}: {found}"
        return float(found[0]["value"][1]) if found else None

    def rules(self) -> list[dict[str, Any]]:
        """Every rule, as it was evaluated last."""
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]

    def is_ready(self) -> bool:
        """Whether it answers questions yet."""
        try:
            return self.http.get("/-/ready").is_success
        except httpx.TransportError:
            return False


@contextmanager
def prometheus_server(
    folder: Path, ports: Mapping[str, int], groups: Sequence[Any], **labels: str
) -> Iterator[Prometheus]:
    """Runs one as long as the block does: it scrapes a port for each job, whose series get these labels."""
    binary = shutil.which("prometheus") or unavailable("prometheus (Debian package prometheus)")
    jobs = [
        {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}"], "labels": labels}]}
        for job, port in ports.items()
    ]
    paces = {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL}
    (folder / "rules.yml").write_text(json.dumps({"groups": groups}))
    (folder / "prometheus.yml").write_text(
        json.dumps({"global": paces, "rule_files": ["rules.yml"], "scrape_configs": jobs})
    )
    port = free_port()
    command = [binary, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'series'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with (
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client,
        subprocess.Popen(command) as process,
    ):
        try:
            server = Prometheus(client)
            eventually(server.is_ready, "Prometheus")
            yield server
        finally:
            process.kill()
