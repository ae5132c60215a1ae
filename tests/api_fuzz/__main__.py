"""`make api-fuzz`: schemathesis as each role in turn, each against an api on a Redis of its own.

What it finds is mended, or accepted in schemathesis.toml with the reason.
`PYTHONPATH=tests python -m api_fuzz SCHEMATHESIS [--role viewer] [its options]`
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

import pytest
import redis
from api_server import BASE_MS, RunningApi, an_event, publish, running_api, write_event
from redis_process import redis_process

from services.api.schemas.examples import EVENT
from services.api.security import lockout
from services.api.security.keys import AccessRole, ApiKey
from services.api.tiles import showing
from shared.store.client import connect

HERE = Path(__file__).parent
STREAMS = ("front-door", "yard-monday")
Role = Literal["keyless", "nobody", AccessRole]
"""`keyless`: there is no key at all; `nobody`: there are keys, and none is sent."""
ROLES: tuple[Role, ...] = ("keyless", "nobody", *get_args(AccessRole))
TARGET = "home"
MAX_EXAMPLES = "100"
"""Of each operation in each phase: more than 5,000 cases as each role."""


def main() -> int:
    """Runs it; 1 where anything was found."""
    parser = argparse.ArgumentParser(prog="api_fuzz")
    parser.add_argument("tool")
    parser.add_argument("--role", choices=ROLES, action="append", help="all of them if none is given")
    arguments, options = parser.parse_known_args()
    codes: dict[Role, int] = {}
    for role in arguments.role or ROLES:
        print(f"as {role}:", flush=True)
        with an_api() as api:
            codes[role] = fuzz(api, role, arguments.tool, options)
    for role, code in codes.items():
        print(f"as {role}: {f'found something ({code})' if code else 'nothing found'}")
    return int(any(codes.values()))


def fuzz(api: RunningApi, role: Role, tool: str, options: list[str]) -> int:
    """Schemathesis' exit code; 1 also where the key was lost on the way."""
    key = key_of(api, role)
    spared = [*STREAMS[:1], TARGET, EVENT["id"], *([key.id] if key else [])]
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py"),
        "AFTERIMAGE_FUZZ_SPARED": ",".join(spared),
    }
    command = [tool, "--config-file", str(HERE / "schemathesis.toml"), "run", f"{api.url}/openapi.json"]
    command += ["--no-color", "--max-examples", MAX_EXAMPLES]
    if role == "keyless":
        command += ["--exclude-operation-id", "create_key"]  # from then on none goes without
        command += ["--exclude-checks", "ignored_auth"]  # this machine is let in
    if key:
        command += ["--header", f"Authorization: Bearer {key.text}"]
    code = subprocess.run([*command, *options], check=False, env=environment).returncode
    if key and api.http.get("/v1/session", headers={"Authorization": f"Bearer {key.text}"}).is_error:
        print("its key opens nothing any more: it was tried as nobody")
        return 1
    return code


@contextmanager
def an_api() -> Iterator[RunningApi]:
    """One with something to find in it."""
    with (
        tempfile.TemporaryDirectory(prefix="afterimage-") as folder,
        redis_process(Path(folder)) as url,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(lockout, "MAX_OF_ADDRESS", 1 << 20)  # this machine guesses all the time
        patch.setattr(showing, "IDLE_SECONDS", 0.1)  # a live view has an end
        with running_api(url, max_streams=100_000) as api:
            fill(api, connect(url))
            yield api


def fill(api: RunningApi, client: redis.Redis) -> None:
    """Streams, with a frame and events each, and a target."""
    for stream_id in STREAMS:
        api.add(stream_id, groups=["north"], tags=["outdoor"])
        publish(client, stream_id, BASE_MS)
        for number in range(20):
            write_event(client, an_event(stream_id, BASE_MS + 1000 * number))
    write_event(client, an_event(EVENT["stream_id"], EVENT["started_at_ms"], EVENT["label"]))
    api.http.post("/v1/targets", json={"id": TARGET, "url": "http://receiver.invalid/"}).raise_for_status()


def key_of(api: RunningApi, role: Role) -> ApiKey | None:
    """The key to ask with, if any; there is another admin's besides."""
    if role == "keyless":
        return None
    api.context.keyring.create("another", "admin")
    return None if role == "nobody" else api.context.keyring.create(role, role)[0]


if __name__ == "__main__":
    sys.exit(main())
