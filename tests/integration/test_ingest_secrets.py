"""Neither what ingest says nor what it stores shows a secret."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from api_server import running_api
from ingest_runner import stream_spec
from kept_secrets import FORMS, KEY, SECRET, KeepingRedis, leaks, redis_that_keeps
from patience import eventually
from process_tree import command_lines
from pydantic import SecretStr
from secret_forms import CASES, SOURCES, reference_forms
from service_process import ingest_process
from web_server import WebServer, web_server

from shared.probes import ProbeQueue
from shared.store.registry import Registry
from shared.words.sealing import Vault


@pytest.fixture
def keeping_redis() -> Iterator[KeepingRedis]:
    with redis_that_keeps() as kept:
        yield kept


@pytest.fixture
def telling_server() -> Iterator[WebServer]:
    """One whose answers hold the secret: where it leads, what its playlists name, what it calls itself."""
    elsewhere = f"http://user:{SECRET}@127.0.0.1:9/seg.ts?token={SECRET}"
    lines = {
        "/segment": elsewhere,
        "/key": f'#EXT-X-KEY:METHOD=AES-128,URI="{elsewhere}"',
        "/script": f"tcp:{SECRET}@h",
    }
    with web_server() as server:
        server.answers["/login"] = lambda handler: handler.reply(401, WWW_Authenticate=f'Basic realm="{SECRET}"')
        server.answers["/broken"] = lambda handler: handler.reply(500, SECRET.encode(), X_Token=SECRET)
        server.answers["/away"] = lambda handler: handler.reply(302, Location=elsewhere)
        for path, line in lines.items():
            server.give(path, f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,{SECRET}\n{line}\n".encode())
        yield server


def sources_of_old() -> Iterator[str]:
    """All forms that an older version may have stored."""
    others = [form.replace("{}", SECRET) for form in reference_forms("sources")] if CASES.is_file() else []
    yield from (text for text in [*FORMS, *others] if len(text) <= 2048)


def test_ingest_shows_no_secret(keeping_redis: KeepingRedis, tmp_path: Path, telling_server: WebServer) -> None:
    """Its log, what it stores, its metrics, its processes; of streams and of probes. And Redis, with a key."""
    redis_url, redis_client = keeping_redis.url, keeping_redis.client
    log, registry = tmp_path / "log", Registry(redis_client, Vault(KEY))
    for number, source in enumerate(sources_of_old()):
        registry.add(stream_spec(f"stream-{number}", source, pace="live"))
    ids = sorted(registry.specs())
    with (
        running_api(redis_url, media_root=tmp_path, secret_key=SecretStr(KEY)) as api,
        ingest_process(redis_url, tmp_path, log, LOG_LEVEL="debug", SECRET_KEY=KEY) as ingest,
        ThreadPoolExecutor(8) as callers,
    ):
        eventually(ProbeQueue(redis_client).desks, "a desk")
        odd = [telling_server.url(path, f"user:{SECRET}@") for path in telling_server.answers]
        probes = [{"source": text} for text in [*FORMS[::2], *odd]]
        probed = list(callers.map(lambda body: api.http.post("/v1/streams/probe", json=body), probes))
        eventually(lambda: all(record.status.reason for record in registry.records(ids)), "every stream's reason")
        for number, source in enumerate(SOURCES):
            changed = api.http.patch(
                f"/v1/streams/stream-{number}", json={"source": source.replace("{}", f"x{SECRET}")}
            )
            assert changed.status_code == 200
        lines = command_lines(ingest.process.pid)
        views = [api.http.get("/v1/streams?limit=1000"), *probed]
        told = f"{ingest.page()} {[record.status for record in registry.records(ids)]} {lines}"
    assert leaks(views) == []
    assert {reply.status_code for reply in probed} == {200, 422}
    assert all(reply.json()["reason"] for reply in probed[-len(odd) :])
    assert "services.ingest" in lines
    assert SECRET not in told
    assert keeping_redis.holding() == []
    said = log.read_text()
    assert "probe of rtsp://***@127.0.0.1:9/s" in said
    assert "source rtsp://***@127.0.0.1:9/s: connection refused" in said
    assert SECRET not in said
