"""A receiver that fails, hangs and dies at random, workers that are killed, and what must be true all the same.

`make delivery` runs it for ten minutes; the suite runs a short form of it.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import redis
from api_server import an_event, write_event
from patience import eventually
from redis_cluster import free_port
from redis_process import redis_process
from standardwebhooks import Webhook

from services.api.delivery.targets import Target, TargetBook, new_secret
from shared.store.client import connect

STREAMS = tuple(f"camera-{number}" for number in range(12))
HANG_SECONDS = 12.0
"""Longer than delivery waits."""


@dataclass
class Receiver:
    """Takes webhooks at a port, or does not, as chance has it while it is `moody`; verifies every signature."""

    secret: str
    dice: random.Random
    hang_share: float = 0.0
    moody: bool = True
    port: int = field(default_factory=free_port)
    arrived: list[tuple[str, int, str]] = field(default_factory=list)
    """(stream, start of its event in ms, message id) of every request with a good signature, in their order."""
    taken: list[tuple[str, int, str]] = field(default_factory=list)
    forged: list[str] = field(default_factory=list)
    answers: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=hush-hush"

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Lives as long as the block does; then its port refuses."""
        receiver = self

        class Desk(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.receive(self)

            def log_message(self, *args: Any) -> None:
                """Says nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Desk)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def receive(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers["Content-Length"])
        body = request.rfile.read(length)
        if len(body) < length:  # whoever sent it was killed
            return
        try:
            event = Webhook(self.secret).verify(body, dict(request.headers))["data"]
        except Exception as err:
            self.forged.append(repr(err))
            raise
        letter = event.get("stream_id", ""), event.get("started_at_ms", 0), str(request.headers["webhook-id"])
        with self._lock:
            chance = self.dice.random() if self.moody else 1.0
            answer = (
                "hang" if chance < self.hang_share else "500" if chance < 0.2 else "drop" if chance < 0.3 else "200"
            )
            self.answers[answer] += 1
            self.arrived.append(letter)
            if answer == "200":
                self.taken.append(letter)
        if answer == "hang":
            time.sleep(HANG_SECONDS)
        if answer in {"hang", "drop"}:
            request.close_connection = True
            return
        with suppress(OSError):
            request.send_response(int(answer))
            request.send_header("Content-Length", "0")
            request.end_headers()


def worker(module: str, redis_url: str, log: Path, **variables: str) -> subprocess.Popen[bytes]:
    """A process of ours that may be killed."""
    settings = {"REDIS_URL": redis_url, "LEASE_SECONDS": "1", "DELIVER_PRIVATE": "true", **variables}
    environment = os.environ | {f"AFTERIMAGE_{name}": value for name, value in settings.items()}
    with log.open("ab") as output:
        return subprocess.Popen([sys.executable, "-m", module], env=environment, stdout=output, stderr=output)


def end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Kills them."""
    for process in processes:
        process.kill()
        process.wait()


def until_written(action: Callable[[], object]) -> None:
    """Does it as soon as Redis is there."""

    def done() -> bool:
        try:
            action()
        except redis.RedisError:
            return False
        return True

    eventually(done, "Redis")


class Door:
    """Opens a receiver's port and closes it again, some times in a trial."""

    def __init__(self, receiver: Receiver, dice: random.Random, open_seconds: float) -> None:
        self._receiver, self._dice, self._open_seconds = receiver, dice, open_seconds
        self._desk = ExitStack()
        self._next = open_seconds
        self._is_open = False
        self.turn(is_open=True)

    def look(self, passed: float) -> None:
        """Turns it when it is time."""
        if passed > self._next:
            self.turn(is_open=not self._is_open)
            longest = self._open_seconds if self._is_open else min(self._open_seconds / 3, 5.0)
            self._next = passed + longest * self._dice.uniform(0.3, 1.0)

    def turn(self, *, is_open: bool) -> None:
        """Opens or closes it, if it is not so."""
        if is_open and not self._is_open:
            self._desk.enter_context(self._receiver.listening())
        if not is_open:
            self._desk.close()
        self._is_open = is_open


@dataclass
class Outcome:
    """What a trial saw."""

    num_events: int
    num_killed: int
    receiver: Receiver

    def problems(self) -> list[str]:
        """What must not be: an event missed, an order broken, a signature that is none."""
        found = [f"forged: {each}" for each in self.receiver.forged]
        taken = {(stream_id, at_ms) for stream_id, at_ms, _ in self.receiver.taken}
        wanted = {(STREAMS[number % len(STREAMS)], 1 + number) for number in range(self.num_events)}
        found += [f"never taken: {stream_id} {at_ms}" for stream_id, at_ms in sorted(wanted - taken)]
        newest: defaultdict[str, int] = defaultdict(int)
        ids: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
        for stream_id, at_ms, message_id in self.receiver.arrived:
            if at_ms < newest[stream_id]:
                found.append(f"out of order: {stream_id} {at_ms} after {newest[stream_id]}")
            newest[stream_id] = max(newest[stream_id], at_ms)
            ids[stream_id, at_ms].add(message_id)
        return found + [f"several message ids: {letter}" for letter, known in ids.items() if len(known) > 1]


def trial(folder: Path, seconds: float, kills: int, seed: int, *, hang_share: float, with_api: bool) -> Outcome:
    """Events for so long, while the receiver fails and dies, workers are killed, and Redis once; until all is taken."""
    dice = random.Random(seed)
    receiver = Receiver(new_secret(), random.Random(seed + 1), hang_share)
    options = ("--appendonly", "yes", "--appendfsync", "always")
    num_events = num_killed = 0
    with ExitStack() as stack:
        store = stack.enter_context(ExitStack())
        url = store.enter_context(redis_process(folder, *options))
        client = stack.enter_context(connect(url, 2.0))
        TargetBook(client).add(
            Target(id="hook", kind="webhook", url=receiver.url, secret=receiver.secret, created_at_ms=0)
        )
        modules = ["services.api.delivery", *(["services.api"] if with_api else [])]
        api_port = str(free_port())

        def start() -> list[subprocess.Popen[bytes]]:
            return [worker(module, url, folder / f"{module}.log", API_PORT=api_port) for module in modules]

        processes = start()
        stack.callback(lambda: end(processes))
        began = time.monotonic()
        ends = [(number + 0.5) * seconds / kills for number in range(kills)]
        redis_dies_at = seconds * 0.6
        door = Door(receiver, dice, seconds / 6)
        stack.callback(lambda: door.turn(is_open=False))
        num_seen = 0
        while (passed := time.monotonic() - began) < seconds or ends:
            event = an_event(STREAMS[num_events % len(STREAMS)], 1 + num_events)
            until_written(lambda: write_event(client, event))  # noqa: B023  (called at once)
            num_events += 1
            time.sleep(dice.uniform(0.01, 0.06))
            if ends and passed > ends[0] and len(receiver.arrived) >= num_seen + 20:  # it works again
                num_seen = len(receiver.arrived)
                ends.pop(0)
                end(processes)
                num_killed += 1
                processes[:] = start()
            if redis_dies_at and passed > redis_dies_at:
                redis_dies_at = 0.0
                store.close()
                store.enter_context(redis_process(folder, *options))
            door.look(passed)
        door.turn(is_open=True)
        receiver.moody = False
        deadline = time.monotonic() + 60 + seconds
        while len({letter[:2] for letter in receiver.taken}) < num_events and time.monotonic() < deadline:
            time.sleep(0.05)
    return Outcome(num_events, num_killed, receiver)


def main() -> int:
    """Runs one and says what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="afterimage-") as folder:
        outcome = trial(Path(folder), given.seconds, given.kills, given.seed, hang_share=0.02, with_api=True)
    problems, receiver = outcome.problems(), outcome.receiver
    told = {
        "events": outcome.num_events,
        "killed": outcome.num_killed,
        "requests": len(receiver.arrived),
        "answers": dict(receiver.answers),
        "taken twice": len(receiver.taken) - len({letter[:2] for letter in receiver.taken}),
        "problems": problems,
    }
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
