"""With AFTERIMAGE_SECRET_KEY, Redis holds no source; keys come and go, and a missing one stops its streams alone."""

from pathlib import Path

import pytest
import redis
from api_server import RunningApi, running_api
from cryptography.fernet import Fernet
from default_layout import keys_of
from films import VideoFile
from in_process import InProcess
from ingest_runner import IngestRunner, stream_spec
from pydantic import SecretStr

from shared.errors import SettingsInvalid
from shared.sources import LOCKED, SEALED
from shared.store.registry import Registry
from shared.streams import StreamState
from shared.words.sealing import MAX_KEYS, Vault

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
CAMERA = "rtsp://user:s3cret-pass@127.0.0.1:9/s"
SHOWN = "rtsp://***@127.0.0.1:9/s"


def stored(client: redis.Redis, stream_id: str) -> str:
    spec = client.hget(keys_of(stream_id).streams, stream_id)
    assert isinstance(spec, bytes)
    return spec.decode()


def test_a_new_key_takes_over_and_disturbs_no_stream(
    redis_url: str, redis_client: redis.Redis, in_process: InProcess
) -> None:
    Registry(redis_client).add(stream_spec("from-before", CAMERA))
    with running_api(redis_url, secret_key=SecretStr(OLD)) as api:
        assert api.add("one", source=CAMERA)["source"] == SHOWN
    assert [("s3cret" in stored(redis_client, each)) for each in ("from-before", "one")] == [True, False]
    both = Vault(f"{NEW},{OLD}")
    listing = Registry(redis_client, both).listing()
    listing.look(range(32))
    before = dict(listing.specs)
    with running_api(redis_url, secret_key=SecretStr(f"{NEW}, {OLD}")) as api:
        told = in_process("secrets", "rotate", "--url", api.url)
        assert told.output == "2 sources and 0 targets are under the first key\n"
        assert api.http.get("/v1/streams/one").json()["source"] == SHOWN
    assert listing.look(range(32)) == {"one", "from-before"}
    assert listing.specs == {each: spec.model_copy(update={"revision": 1}) for each, spec in before.items()}
    assert {spec.source for spec in Registry(redis_client, Vault(NEW)).specs().values()} == {CAMERA}
    assert {spec.source for spec in Registry(redis_client, Vault(OLD)).specs().values()} == {SEALED}
    assert "s3cret" not in stored(redis_client, "from-before")


def test_what_no_key_opens_is_told_of_and_what_has_none_cannot_rotate(
    redis_url: str, redis_client: redis.Redis, in_process: InProcess
) -> None:
    Registry(redis_client, Vault(OLD)).add(stream_spec("one", CAMERA))
    Registry(redis_client, Vault(NEW)).add(stream_spec("two", CAMERA))
    with running_api(redis_url, secret_key=SecretStr(NEW)) as api:
        told = in_process("secrets", "rotate", "--url", api.url)
        assert (told.code, "does not hold: one" in told.errors) == (1, True)
    with running_api(redis_url) as api:
        assert api.error(409, "POST", "/v1/secrets/rotate")["code"] == "no_key"


def test_a_missing_key_is_the_reason_of_its_own_stream(
    redis_url: str, redis_client: redis.Redis, ingest: IngestRunner, video_file: VideoFile
) -> None:
    video_file("clip.mp4")
    Registry(redis_client, Vault(OLD)).add(stream_spec("locked", CAMERA))
    ingest.vault = Vault(NEW)
    ingest.add("clip", "clip.mp4")
    ingest.start()
    assert ingest.until("clip", StreamState.ENDED).status.reason is None
    assert ingest.until("locked", StreamState.FAILED).status.reason == LOCKED
    with running_api(redis_url, media_root=Path("/nowhere")) as api:
        view = api.http.get("/v1/streams/locked").json()
        assert (view["state"], view["source"], view["reason"]) == ("failed", "***", LOCKED)
        refuses_all_but_a_source(api)
    assert Registry(redis_client, Vault(OLD)).get("locked").spec.source == "clip.mp4"
    assert ingest.until("locked", StreamState.ENDED).status.reason is None


def refuses_all_but_a_source(api: RunningApi) -> None:
    for body in ({"name": "Door"}, {"source": "***"}):
        assert api.error(409, "PATCH", "/v1/streams/locked", json=body)["field"] == "source"
    assert api.http.patch("/v1/streams/locked", json={"source": "clip.mp4"}).status_code == 200
    for taken in (SEALED, f" {SEALED}x"):
        assert api.error(422, "PATCH", "/v1/streams/locked", json={"source": taken})["field"] == "source"


def test_a_source_is_known_again_only_with_the_key() -> None:
    marks = [Vault(keys).fingerprint(CAMERA) for keys in ("", OLD, NEW, f"{OLD},{NEW}")]
    assert [len(mark) for mark in marks] == [16] * 4
    assert (len(set(marks)), marks[1]) == (3, marks[3])


@pytest.mark.parametrize(
    "keys",
    ["s3cret", OLD[:-2], f"{OLD},", f"{OLD};{NEW}", ",".join([OLD] * (MAX_KEYS + 1))],
    ids=["no key", "cut", "empty", "joined otherwise", "too many"],
)
def test_a_key_that_is_none_is_refused_and_not_repeated(keys: str) -> None:
    with pytest.raises(SettingsInvalid, match="AFTERIMAGE_SECRET_KEY: must be keys joined by commas") as refusal:
        Vault(keys)
    assert keys[:6] not in str(refusal.value)
    assert refusal.value.__cause__ is None
