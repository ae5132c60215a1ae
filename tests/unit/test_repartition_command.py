"""What the command says in text; what it does is an integration test."""

import subprocess
import sys

import pytest
from patience import TOOL_SECONDS

from shared.service.settings import PROJECT_ROOT
from shared.store.repartition.steps import Division


@pytest.mark.parametrize("count", ["0", "1025", "-1", "many", "9" * 5000], ids=["none", "over", "less", "word", "long"])
def test_a_number_that_is_not_allowed_is_one_line(count: str) -> None:
    command = [sys.executable, "-m", "shared.store.repartition", f"--to={count}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TOOL_SECONDS, cwd=PROJECT_ROOT)
    assert done.returncode == 2
    assert done.stderr.endswith("error: argument --to: allowed is a whole number from 1 to 1024\n")
    assert len(done.stderr) < 300


def test_where_all_was_moved_before_it_says_so() -> None:
    assert str(Division(32, 48, 0)) == "32 -> 48 partitions; nothing was left to be moved"
