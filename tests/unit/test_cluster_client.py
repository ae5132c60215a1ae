import subprocess
import sys

import redis

from shared.store.cluster import REDIS_PY


def test_the_cluster_client_is_for_the_redis_py_that_is_installed() -> None:
    """It reaches into that library: with another version look at each of its changes anew, then name it here."""
    assert redis.__version__.rpartition(".")[0] == REDIS_PY


def test_without_a_cluster_redis_py_is_left_as_it_is() -> None:
    code = (
        "import sys; from shared.store.client import connect; connect('redis://localhost'); "
        "sys.exit('shared.store.cluster' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
