"""What a container's engine asks it, of a real worker and of a real server."""

import os
import signal
import subprocess
import tempfile
from pathlib import Path

from patience import TOOL_SECONDS, eventually
from redis_cluster import free_port
from redis_process import redis_process
from service_process import ingest_process
from web_server import web_server

from shared.service.settings import PROJECT_ROOT
from shared.store.client import connect


def check(port: int, path: str) -> tuple[int, str]:
    """The check's exit code and all that it says."""
    command = ["bash", "shared/service/health.sh", str(port), path]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=TOOL_SECONDS, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_worker_is_well_while_redis_hears_of_it(tmp_path: Path) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="afterimage-") as folder,
        redis_process(Path(folder)) as url,
        connect(url) as client,
        ingest_process(url, tmp_path, tmp_path / "log", LEASE_SECONDS="1") as worker,
    ):
        eventually(lambda: check(worker.port, "/healthz") == (0, "HTTP/1.0 200 OK\nok\n"), "well")
        redis_pid = client.info("server")["process_id"]
        os.kill(redis_pid, signal.SIGSTOP)
        try:
            eventually(lambda: check(worker.port, "/healthz")[0] == 1, "ill")
            said = check(worker.port, "/healthz")[1]
            assert check(worker.port, "/livez") == (0, "HTTP/1.0 200 OK\nok\n"), "alive all the same"
        finally:
            os.kill(redis_pid, signal.SIGCONT)
        assert "HTTP/1.0 503 Service Unavailable\nRedis has not heard of this worker" in said
        eventually(lambda: check(worker.port, "/healthz")[0] == 0, "well again")
        assert "afterimage_partitions_owned" in worker.page()


def test_a_worker_lives_before_redis_is_there(tmp_path: Path) -> None:
    url = f"redis+cluster://127.0.0.1:{free_port()}"
    with ingest_process(url, tmp_path, tmp_path / "log") as worker:
        assert check(worker.port, "/livez")[0] == 0
        assert check(worker.port, "/healthz")[0] == 1


def test_an_error_and_silence_are_told() -> None:
    with web_server() as web:
        web.answers["/readyz"] = lambda handler: handler.reply(503, b"no living worker for: ingest")
        code, said = check(web.server_port, "/readyz")
        assert code == 1
        assert "503" in said
        assert "no living worker for: ingest" in said
        web.give("/", b"door\ngate\n")
        assert check(web.server_port, "/")[0] == 0
    code, said = check(free_port(), "/readyz")
    assert code == 1
    assert "Connection refused" in said
