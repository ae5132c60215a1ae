"""`make api-fuzz`: schemathesis against an api on a Redis of its own, with what it finds accepted in schemathesis.toml.

`PYTHONPATH=tests python -m api_fuzz SCHEMATHESIS [its options]`
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from api_server import BASE_MS, an_event, publish, running_api, write_event
from redis_process import redis_process

from services.api.schemas.examples import EVENT
from shared.store.client import connect

CONFIG = Path(__file__).with_name("schemathesis.toml")
STREAMS = ("front-door", "yard-monday")


def main() -> int:
    """Runs it; its exit code."""
    with tempfile.TemporaryDirectory(prefix="afterimage-") as folder, redis_process(Path(folder)) as url:
        client = connect(url)
        with running_api(url, max_streams=100_000) as api:
            for stream_id in STREAMS:
                api.add(stream_id, groups=["north"], tags=["outdoor"])
                publish(client, stream_id, BASE_MS)
                for number in range(20):
                    write_event(client, an_event(stream_id, BASE_MS + 1000 * number))
            write_event(client, an_event(EVENT["stream_id"], EVENT["started_at_ms"], EVENT["label"]))
            tool, *options = sys.argv[1:]
            command = [tool, "--config-file", str(CONFIG), "run", f"{api.url}/openapi.json", "--no-color", *options]
            return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
