"""An earlier commit's services in a folder of their own, so that their workers run beside today's on one Redis."""

import io
import subprocess
import tarfile
from pathlib import Path
from typing import Final

from chaos.waiting import ChaosFailed
from shared.service.settings import PROJECT_ROOT

EARLIER: Final = "19a79f3dcaa3fb1db4016738f0fbc1dd3cb2f3d9"
"""The newest commit on main, before what other versions store was read by a rule, that changed what a service runs."""
PARTS: Final = ("shared", "services")


class NotHere(ChaosFailed):
    """This clone does not have the commit, or is none."""


def unpack(commit: str, folder: Path) -> Path:
    """Puts the services as of that commit into the folder; raises NotHere."""
    command = ["git", "-C", str(PROJECT_ROOT), "archive", "--format=tar", commit, "--", *PARTS]
    try:
        archive = subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as err:
        raise NotHere(f"commit {commit[:12]} is not in this clone") from err
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        packed.extractall(folder, filter="data")
    return folder
