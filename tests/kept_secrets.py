"""Where a secret must not be found: in answers, and in what a Redis keeps."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import redis
from redis_process import redis_process
from secret_forms import MISTYPED, SOURCES

from shared.store.client import connect

SECRET = "s3cret-pass"
KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
FORMS = [form.replace("{}", SECRET) for form in (*SOURCES, *MISTYPED)]


@dataclass(frozen=True)
class KeepingRedis:
    """A Redis that writes all it is given to files."""

    url: str
    folder: Path
    client: redis.Redis

    def holding(self, secret: str = SECRET) -> list[str]:
        """Its files that hold the secret, and the commands that do."""
        self.client.save()
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        assert {path.suffix for path in files} >= {".aof", ".rdb"}
        commands: Any = self.client.slowlog_get(100_000)
        assert len(commands) > 1000
        told = [str(each) for each in commands if secret in str(each)]
        return [str(path) for path in files if secret.encode() in path.read_bytes()] + told


@contextmanager
def redis_that_keeps() -> Iterator[KeepingRedis]:
    with tempfile.TemporaryDirectory(prefix="afterimage-") as name:
        files = ("--appendonly", "yes", "--rdbcompression", "no")
        commands = ("--slowlog-log-slower-than", "0", "--slowlog-max-len", "100000")
        with redis_process(Path(name), *files, *commands) as url, connect(url) as client:
            yield KeepingRedis(url, Path(name), client)


def leaks(replies: list[httpx.Response], secret: str = SECRET) -> list[str]:
    """Those answers that hold the secret, or that say that something broke."""
    return [
        f"{reply.request.method} {reply.request.url}: {reply.status_code} {reply.text} {reply.headers}"
        for reply in replies
        if secret in f"{reply.text} {reply.headers}" or reply.status_code == 500
    ]
