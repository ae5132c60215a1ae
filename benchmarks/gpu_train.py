"""Trains camera-events for some minutes, and leaves the checkpoint where it can be brought back.

`make gpu-train MINUTES=6 OUT=folder FROM=checkpoint.pt ARGS="--footage rooms"`, or `python -m benchmarks.gpu_train`:
the options after `--` are those of `afterimage train`, and must be those that the checkpoint was written with. It needs
what `afterimage[training]` does. A run writes its checkpoint after each epoch; what is cut off within one is lost, and
before the first the clips must be rendered that judge it.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

CHECKPOINT: Final = "checkpoint.pt"
ENDING_SECONDS: Final = 20.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains; 1 where after that time there is neither a checkpoint nor a finished model."""
    parser = argparse.ArgumentParser(description="Train camera-events for some minutes.")
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--out", type=Path, required=True, help="model folder; what it holds is gone on with")
    parser.add_argument("--from", type=Path, dest="checkpoint", help="checkpoint to go on from")
    parser.add_argument("options", nargs="*", help="of afterimage train")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    if given.checkpoint:
        shutil.copyfile(given.checkpoint, given.out / CHECKPOINT)
    options = [*given.options]
    if "--stock" not in options:  # thousands of files, which nobody wants back
        options += ["--stock", str(Path(tempfile.gettempdir()) / "afterimage-stock")]
    if "--workers" not in options:
        options += ["--workers", str(max(1, (os.cpu_count() or 1) - 1))]
    options += ["--resume"] * (given.out / CHECKPOINT).is_file()
    code = _run_for(
        60 * given.minutes, [sys.executable, "-m", "afterimage", "train", "--out", str(given.out), *options]
    )
    left = given.out / CHECKPOINT
    if left.is_file():
        print(f"checkpoint: {left}, {left.stat().st_size} bytes")
    elif code == 0:
        print(f"finished: {given.out}")
    else:
        print(f"no epoch was finished (exit status {code}): give it more time, or see above", file=sys.stderr)
    return int(code != 0 and not left.is_file())


def _run_for(seconds: float, command: Sequence[str]) -> int:
    """The exit status of a command that is ended, with all that it started, once the time is up."""
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(ENDING_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
