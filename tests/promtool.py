"""Prometheus' own checker, as CI has it."""

import shutil
import subprocess
from pathlib import Path

from patience import TOOL_SECONDS, unavailable

from shared.service.settings import PROJECT_ROOT

PROMETHEUS = PROJECT_ROOT / "deploy" / "prometheus"


def promtool(*arguments: str | Path, text: str = "") -> None:
    """Runs it; fails with what it says unless it is content."""
    binary = shutil.which("promtool") or unavailable("promtool (Debian package prometheus)")
    done = subprocess.run(
        [binary, *arguments], input=text, capture_output=True, text=True, timeout=TOOL_SECONDS, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
