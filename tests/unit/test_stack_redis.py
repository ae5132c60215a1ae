"""The private Redis of a data folder."""

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from afterimage.data_folder import open_data_folder, remove_abandoned
from afterimage.local_redis import redis_of_stopped, running_redis
from afterimage.redis_server import find_server, prepare_server, url_of_running
from shared.errors import StackFailed
from shared.store.client import connect


def test_it_listens_on_a_private_socket_and_keeps_what_it_is_told(tmp_path: Path) -> None:
    with open_data_folder(tmp_path / "data") as data:
        with running_redis(data.redis) as client:
            client.set("a", "1")
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert client.config_get("port") == {"port": "0"}
            assert stat.S_IMODE((data.redis / "redis.sock").stat().st_mode) == 0o600
            assert stat.S_IMODE(data.redis.stat().st_mode) == 0o700
        with running_redis(data.redis) as client:
            assert client.get("a") == b"1"


def test_where_the_path_is_too_long_it_takes_a_port_and_a_password(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    server = prepare_server(folder, 64)
    assert server.url.startswith("redis://:")
    password = server.url.split(":")[2].partition("@")[0]
    assert password not in " ".join(server.argv)
    assert stat.S_IMODE((folder / "redis.conf").stat().st_mode) == 0o600
    with running_redis(folder) as client:
        assert client.ping()
        assert client.connection_pool.connection_kwargs["host"] == "127.0.0.1"


def test_others_find_it_while_it_runs(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    with pytest.raises(StackFailed, match="no Redis: none runs in"):
        url_of_running(folder)
    with running_redis(folder):
        url = url_of_running(folder)
        assert url.startswith("redis://:")
        assert stat.S_IMODE((folder / "url").stat().st_mode) == 0o600
    with pytest.raises(StackFailed, match="--redis or AFTERIMAGE_REDIS_URL") as refused:
        url_of_running(folder)
    assert url.split(":")[2].partition("@")[0] not in str(refused.value)


def test_without_a_server_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(StackFailed, match="pip install"):
        find_server()


def test_the_server_on_the_path_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "valkey-server"
    shutil.copy("/bin/true", own)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server() == own


def test_two_stacks_never_share_a_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("afterimage.data_folder.LOCK_WAIT_SECONDS", 0.1)
    with (
        open_data_folder(tmp_path / "data"),
        pytest.raises(StackFailed, match="another afterimage uses it"),
        open_data_folder(tmp_path / "data"),
    ):
        pass
    with open_data_folder(tmp_path / "data") as data:
        assert data.path == tmp_path / "data"


def test_the_folder_stays_locked_while_its_redis_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("afterimage.data_folder.LOCK_WAIT_SECONDS", 0.1)
    with open_data_folder(tmp_path) as data:
        sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[data.lock_fd])
    with pytest.raises(StackFailed, match="another afterimage uses it"), open_data_folder(tmp_path):
        pass
    sleeper.communicate(b"\n")
    with open_data_folder(tmp_path):
        pass


def test_the_redis_of_a_stopped_stack_runs_for_a_while_and_keeps_others_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("afterimage.data_folder.LOCK_WAIT_SECONDS", 0.1)
    with open_data_folder(tmp_path) as data, running_redis(data.redis) as client:
        client.set("a", "1")
        with pytest.raises(StackFailed, match="another afterimage uses it"), redis_of_stopped(tmp_path):
            pass
    with redis_of_stopped(tmp_path) as url, connect(url) as client:
        assert client.get("a") == b"1"
        assert client.config_get("maxmemory") == {"maxmemory": "0"}
        with pytest.raises(StackFailed, match="another afterimage uses it"), open_data_folder(tmp_path):
            pass
    with open_data_folder(tmp_path), pytest.raises(StackFailed, match="no Redis: none runs in"):
        url_of_running(tmp_path / "redis")
    with (
        pytest.raises(StackFailed, match="no `afterimage up` has kept anything there"),
        redis_of_stopped(tmp_path / "no"),
    ):
        pass
    assert not (tmp_path / "no").exists()


def test_what_killed_processes_left_is_removed_and_what_is_open_is_not(tmp_path: Path) -> None:
    with open_data_folder(tmp_path / "left"):
        pass
    (tmp_path / "new").mkdir()
    with open_data_folder(tmp_path / "open"):
        remove_abandoned(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"new", "open"}


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackFailed, match="Not a directory"), open_data_folder(tmp_path / "file" / "data"):
        pass
