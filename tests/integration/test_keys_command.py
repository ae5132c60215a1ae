"""`afterimage keys` on an api that runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from api_server import RunningApi, running_api
from in_process import InProcess

from afterimage import own_key
from afterimage.client import Client
from services.api.security.keys import ApiKey
from shared.errors import RequestRefused, SettingsInvalid


@pytest.fixture
def first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ApiKey:
    """The admin key of a user's machine."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv(own_key.VARIABLE, raising=False)
    key = ApiKey.parse(own_key.kept_key(lambda: ApiKey.new().text))
    assert key
    return key


@pytest.fixture
def api(redis_url: str, redis_client: redis.Redis, first: ApiKey) -> Iterator[RunningApi]:
    with running_api(redis_url, admin_key_hash=first.fingerprint) as running:
        yield running
    redis_client.flushall()  # others need no key


def test_a_key_is_made_listed_and_revoked(
    api: RunningApi, first: ApiKey, in_process: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ("--url", api.url)
    made = in_process("keys", "create", "wall", "--role", "operator", "--group", "north", "--days", "1", *where)
    key = ApiKey.parse(made.output.strip())
    assert key
    listed = in_process("keys", "list", *where).output
    assert all(word in listed for word in (first.id, key.id, "wall", "operator", "north", "never"))
    assert key.text[30:] not in listed
    assert f'"id": "{key.id}"' in in_process("keys", "list", "--json", *where).output
    monkeypatch.setenv(own_key.VARIABLE, key.text)
    assert "needs the role admin" in in_process("keys", "list", *where).errors
    assert in_process("streams", "list", *where).code == 0
    monkeypatch.delenv(own_key.VARIABLE)
    assert in_process("keys", "revoke", key.id, *where).code == 0
    assert "revoked" in in_process("keys", "list", *where).output
    with Client(api.url, key.text) as client, pytest.raises(RequestRefused, match=r"was revoked.*AFTERIMAGE_KEY"):
        client.keys()


def test_the_files_key_goes_to_this_machine_alone(first: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("http://127.0.0.1:8000", "http://localhost", "http://[::1]:8000/x"):
        assert own_key.key_for(url) == first.text
    for url in ("http://cameras.example", "http://127.0.0.1.evil.example", "http://192.0.2.1:8000", "nonsense"):
        assert own_key.key_for(url) is None
    assert own_key.kept_key(lambda: "another") == first.text
    assert own_key.key_file().stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv(own_key.VARIABLE, "afi_ä")
    with pytest.raises(SettingsInvalid, match="AFTERIMAGE_KEY: holds no key"):
        own_key.key_for("http://cameras.example")
