"""The whole system on one machine: Redis and the services, as supervised children of this process."""

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from afterimage.child import Command
from afterimage.client import Client
from afterimage.data_folder import DataFolder, open_data_folder
from afterimage.interrupts import StopRequest
from afterimage.ports import usable_port
from afterimage.redis_server import RedisServer, prepare_server
from afterimage.sealed import VARIABLE as SECRET_KEY
from afterimage.sealed import seal_stored, sealing_keys
from afterimage.supervise import ProcessSupervisor
from services.api.security.keys import ApiKey
from shared.errors import AfterimageError, StackFailed, StoreUnfit
from shared.service.settings import ServiceSettings, read_settings
from shared.store.client import connect
from shared.store.layout.known import layout_of

LOOK_EVERY_SECONDS = 0.1
REDIS_TIMEOUT_SECONDS = 120.0
READY_TIMEOUT_SECONDS = 90.0
MODULES = {"recorder": "api.media", "delivery": "api.delivery"}
"""Of services that are parts of another."""


@dataclass(frozen=True, slots=True)
class StackOptions:
    """What a stack is made of; port 0 means any free port, `metrics_port` is ingest's, the others' follow it.

    `records`: a recorder cuts events' pictures and clips.
    """

    data: Path
    media_root: Path
    models: Path
    host: str = "127.0.0.1"
    port: int = 0
    metrics_port: int = 0
    device: str = "auto"
    redis_max_memory_mb: int = 1024
    inference_workers: int = 1
    records: bool = False
    key: ApiKey = field(default_factory=ApiKey.new)
    """whose hash the API gets: no request goes without it"""

    @property
    def services(self) -> tuple[str, ...]:
        """The names of the processes, in the order of their starts; several of one role are `inference-1` and on."""
        several = (f"inference-{number}" for number in range(1, self.inference_workers + 1))
        inference = ["inference"] if self.inference_workers == 1 else [*several]
        return "ingest", *inference, *(["recorder"] if self.records else []), "api", "delivery"


class Stack:
    """Runs from entering to leaving the context; a thread of its own starts, watches and stops the children.

    `say` gets what the user should know (a child died), `echo` every line that a service writes, with its name.
    """

    def __init__(
        self,
        options: StackOptions,
        request: StopRequest,
        say: Callable[[str], None],
        echo: Callable[[str, str], None] = lambda _name, _line: None,
    ) -> None:
        self._options = options
        self._request = request
        self._supervisor, self._say = ProcessSupervisor(echo, say), say
        self._leaving = threading.Event()
        self._settled = threading.Event()
        self._failure: AfterimageError | None = None
        self._resources = ExitStack()
        port = options.port or usable_port(options.host)
        self.url, self.key = _http_url(options.host, port), options.key
        self._metrics_ports = _metrics_ports(options, port)
        self.metrics_urls = {
            name: f"{_http_url('127.0.0.1', number)}/metrics" for name, number in self._metrics_ports.items()
        }
        self._environment = {
            "AFTERIMAGE_MEDIA_ROOT": str(options.media_root),
            "AFTERIMAGE_MODELS_DIR": str(options.models),
            "AFTERIMAGE_DEVICE": options.device,
            "AFTERIMAGE_API_HOST": options.host,
            "AFTERIMAGE_API_PORT": str(port),
            "AFTERIMAGE_EVENTS_DIR": str(options.data / "events"),
            "AFTERIMAGE_ADMIN_KEY_HASH": options.key.fingerprint,
        }
        if options.inference_workers > 1 and "AFTERIMAGE_TORCH_THREADS" not in os.environ:
            threads = (os.cpu_count() or 1) // 2 // options.inference_workers  # together as many as one would take
            self._environment["AFTERIMAGE_TORCH_THREADS"] = str(max(1, threads))
        self.redis_url = ""
        """The private Redis's; may hold a password."""

    def __enter__(self) -> Self:
        """Starts everything and waits until it is ready; raises StackFailed, with nothing left running."""
        folder = self._resources.enter_context(open_data_folder(self._options.data))
        try:
            self._environment[SECRET_KEY] = sealing_keys(folder.path)
            server = prepare_server(folder.redis, self._options.redis_max_memory_mb)
            self.redis_url = server.url
            self._thread = threading.Thread(target=self._run, args=(folder, server), name="stack")
            self._thread.start()
            self._resources.callback(self._thread.join)
            self._resources.callback(self._leaving.set)
            self._wait_until_ready()
        except BaseException:
            self._resources.close()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stops everything: the workers, api, then Redis."""
        self._resources.close()

    @property
    def stopping(self) -> bool:
        """Whether the user asked for an end."""
        return self._request.stop.is_set()

    def check(self) -> None:
        """Raises StackFailed where the stack is down."""
        if self._failure:
            raise self._failure
        if not self._thread.is_alive():
            raise StackFailed("the stack ended")

    def wait(self, seconds: float) -> bool:
        """Waits so long, or until the user asks for an end; returns whether to go on. Raises StackFailed."""
        self.check()
        return not self._request.stop.wait(seconds)

    def _run(self, folder: DataFolder, server: RedisServer) -> None:
        try:
            self._start_redis(folder, server)
            self._seal_stored(folder, server)
            for name in self._options.services:
                self._supervisor.start(self._service(name, folder, server.url))
            while not self._leaving.wait(LOOK_EVERY_SECONDS):
                self._supervisor.watch(settled=self._settled.is_set())
        except AfterimageError as err:
            self._failure = err
        finally:
            self._supervisor.stop_all(self._request.kill)

    def _start_redis(self, folder: DataFolder, server: RedisServer) -> None:
        self._supervisor.start(
            Command(
                name="redis",
                argv=server.argv,
                log_folder=folder.logs,
                folder=server.folder,
                kept_fds=(folder.lock_fd,),
            )
        )
        deadline = time.monotonic() + REDIS_TIMEOUT_SECONDS
        while not server.is_ready():
            self._supervisor.watch(settled=False)
            if time.monotonic() > deadline:
                raise StackFailed(f"Redis is not ready after {REDIS_TIMEOUT_SECONDS:g} s; see {folder.logs}/redis.log")
            if self._leaving.wait(LOOK_EVERY_SECONDS):
                return
        _check_layout(server.url, self._options.data)
        server.forget_workers()

    def _seal_stored(self, folder: DataFolder, server: RedisServer) -> None:
        if self._leaving.is_set():
            return
        problem = seal_stored(server.url, self._environment[SECRET_KEY], folder.path, self._leaving.wait)
        if problem:
            self._say(problem)

    def _service(self, name: str, folder: DataFolder, redis_url: str) -> Command:
        return Command(
            name=name,
            argv=(sys.executable, "-m", f"services.{MODULES.get(role := name.partition('-')[0], role)}"),
            log_folder=folder.logs,
            environment={
                **self._environment,
                "AFTERIMAGE_REDIS_URL": redis_url,
                "AFTERIMAGE_METRICS_PORT": str(self._metrics_ports[name]),
            },
        )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        with Client(self.url, self.key.text) as client:
            while self.wait(LOOK_EVERY_SECONDS):
                missing = client.not_ready()
                if missing is None:
                    self._settled.set()
                    return
                if time.monotonic() > deadline:
                    logs = self._options.data / "logs"
                    raise StackFailed(f"not ready after {READY_TIMEOUT_SECONDS:g} s: {missing}; see {logs}")


def _check_layout(redis_url: str, data: Path) -> None:
    """Raises StackFailed where the store is divided otherwise than the settings say, or half-way."""
    with connect(redis_url, partitions=read_settings(ServiceSettings).partitions) as client:
        try:
            layout_of(client)
        except StoreUnfit as err:
            raise StackFailed(f"{err}, with `--data {data}`") from err


def _metrics_ports(options: StackOptions, api_port: int) -> dict[str, int]:
    """A port for each service: one after the other from the given one on, or free ones, all different."""
    if options.metrics_port:
        return {name: options.metrics_port + number for number, name in enumerate(options.services)}
    ports: dict[str, int] = {}
    for name in options.services:
        while (port := usable_port("127.0.0.1")) in {api_port, *ports.values()}:
            pass
        ports[name] = port
    return ports


def _http_url(host: str, port: int) -> str:
    """The URL to reach a server of ours at, from this machine."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
