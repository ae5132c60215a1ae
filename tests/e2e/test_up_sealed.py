"""`afterimage up` keeps no login in its Redis's files, also where an earlier version left some."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from default_layout import partition_of
from ingest_runner import stream_spec
from patience import eventually
from running import Running, running

from afterimage.redis_server import url_of_running
from afterimage.sealed import KEY_FILE, MARK_FILE, keys_beside, sealing_keys
from services.api.delivery.targets import Target, TargetBook
from shared.errors import SettingsInvalid
from shared.sources import LOCKED
from shared.store.client import connect
from shared.store.registry import Registry
from shared.words.sealing import Vault, new_key

PASSWORD = "s3cret-pass"
CAMERA = f"rtsp://user:{PASSWORD}@127.0.0.1:9/s"
SHOWN = "rtsp://***@127.0.0.1:9/s"
HOOK = Target(id="hook", kind="webhook", url=f"http://u:{PASSWORD}@127.0.0.1:9/", secret=PASSWORD, created_at_ms=0)


def up(home: Path) -> tuple[str, ...]:
    return "up", "--port", "0", "--data", str(home / "data"), "--media-root", str(home), "--device", "cpu"


def add(system: Running, stream_id: str) -> None:
    body = {"id": stream_id, "name": stream_id, "source": CAMERA}
    httpx.post(f"{system.url}/v1/streams", json=body, headers=system.headers, timeout=30).raise_for_status()


def view(system: Running, stream_id: str) -> dict[str, Any]:
    reply = httpx.get(f"{system.url}/v1/streams/{stream_id}", headers=system.headers, timeout=30)
    found: dict[str, Any] = reply.raise_for_status().json()
    return found


def tried(system: Running, stream_id: str) -> str:
    """Why the camera does not answer, once ingest has tried it."""
    return str(eventually(lambda: view(system, stream_id)["reason"], f"a reason for {stream_id}"))


def holders(data: Path, text: str) -> list[str]:
    """Files under the data folder that hold a text."""
    files = (path for path in data.rglob("*") if path.is_file() and not path.is_symlink())
    return [path.name for path in files if text.encode() in path.read_bytes()]


def stop(system: Running) -> None:
    system.interrupt()
    assert system.wait(60) == 0


def test_a_login_is_nowhere_on_the_disk_and_is_still_known_next_time(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(*up(tmp_path), home=tmp_path) as system:
        add(system, "door")
        assert LOCKED not in tried(system, "door")
        with connect(url_of_running(data / "redis")) as client:  # as an earlier version would have
            Registry(client).add(stream_spec("old", CAMERA))
            TargetBook(client).add(HOOK)
        assert view(system, "old")["source"] == SHOWN
        stop(system)
    assert (data / KEY_FILE).stat().st_mode & 0o777 == 0o600
    [held] = holders(data, PASSWORD)
    assert "appendonly" in held, "only what was written unsealed"
    with running(*up(tmp_path), home=tmp_path) as system:
        assert LOCKED not in tried(system, "door") + tried(system, "old")
        assert [view(system, each)["source"] for each in ("door", "old")] == [SHOWN] * 2
        with connect(url_of_running(data / "redis")) as client:
            vault = Vault((data / KEY_FILE).read_text().strip())
            known = Registry(client, vault).specs()
            assert TargetBook(client, vault).all() == {"hook": HOOK}
        assert {each: spec.source for each, spec in known.items()} == {"door": CAMERA, "old": CAMERA}
        eventually(lambda: not holders(data, PASSWORD), "no file with the password")
        assert not (data / MARK_FILE).exists()
        one_more_worker_has_the_key(system, data)
        stop(system)
    assert holders(data, PASSWORD) == []


def one_more_worker_has_the_key(system: Running, data: Path) -> None:
    def workers() -> list[dict[str, Any]]:
        items = (
            httpx.get(f"{system.url}/v1/workers", headers=system.headers, timeout=30).raise_for_status().json()["items"]
        )
        return [each for each in items if each["role"] == "ingest"]

    [first] = workers()
    command = ("worker", "--role", "ingest", "--redis", url_of_running(data / "redis"), "--media-root", str(data))
    with running(*command, home=system.home, guest=True) as guest:
        theirs = eventually(
            lambda: [each["partitions"] for each in workers() if each["id"] != first["id"] and each["partitions"]],
            "partitions of the second worker",
        )[0]
        names = (f"cam{number}" for number in range(10_000))
        stream_id = next(each for each in names if partition_of(each) == theirs[0])
        add(system, stream_id)
        assert LOCKED not in tried(system, stream_id)
        stop(guest)


def test_the_key_stays_and_a_variable_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AFTERIMAGE_SECRET_KEY", raising=False)
    assert keys_beside(tmp_path / "redis") is None
    own, other = sealing_keys(tmp_path), new_key()
    assert sealing_keys(tmp_path) == own == keys_beside(tmp_path / "redis")
    monkeypatch.setenv("AFTERIMAGE_SECRET_KEY", other)
    assert sealing_keys(tmp_path) == f"{other},{own}"
    assert sealing_keys(tmp_path / "new") == other
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("content", [b"", b"s3cret", b"\xff"], ids=["empty", "another", "not text"])
def test_a_key_that_is_none_is_neither_used_nor_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(SettingsInvalid, match=KEY_FILE) as refusal:
        sealing_keys(tmp_path)
    assert "s3cret" not in str(refusal.value)
    assert (tmp_path / KEY_FILE).read_bytes() == content
