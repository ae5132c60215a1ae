import pytest
import redis
from api_server import running_api

from shared.registry import Registry

SECRET = "s3cret-pass"


def test_credentials_come_back_nowhere(
    redis_url: str, redis_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    source = f"rtsp://user:{SECRET}@host/1"
    odd_sources = [f"rtsp://user:{odd}{SECRET}@host/1" for odd in ("1/", "1?", "1#", "a@", "a/")]
    with running_api(redis_url) as api:
        answers = [
            api.http.post("/v1/streams", json={"id": "one", "name": "One", "source": source}),
            api.http.post("/v1/streams", json={"id": "one", "name": "One", "source": source}),
            api.http.post("/v1/streams", json={"name": "Two", "source": source, "fps": 100}),
            api.http.post("/v1/streams", json={"name": "Two", "source": [source]}),
            api.http.post("/v1/streams", json={"name": "Two", "source": source.replace("rtsp", "ftp")}),
            api.http.post("/v1/streams", json={"name": "Two", "source": source + "x" * 3000}),
            api.http.post("/v1/streams", json={"name": "Two", "sauce": source}),
            api.http.post("/v1/streams", json={"name": "Two", "password": SECRET, source: 1}),
            api.http.post("/v1/streams", json={"name": {"source": source}, "source": source}),
            api.http.post("/v1/streams", json={"name": "Two", "source": source, "thresholds": {source: 1}}),
            api.http.post("/v1/streams", json={"name": "x" * 150 + source + "x" * 100, "source": source}),
            *(api.http.post("/v1/streams", json={"name": "Two", "source": odd}) for odd in odd_sources),
            api.http.patch("/v1/streams/one", json={"source": source + "/2"}),
            api.http.get("/v1/streams/one"),
            api.http.get("/v1/streams"),
            api.http.get(f"/v1/streams?cursor={source}"),
            api.http.get("/metrics"),
        ]
    odd = [reply.status_code for reply in answers[11:16]]
    assert [reply.status_code for reply in answers] == [201, 409, *[422] * 9, *odd, 200, 200, 200, 422, 200]
    assert not [reply.text for reply in answers if SECRET in reply.text]
    logged = [record.getMessage() for record in caplog.records if not record.name.startswith("http")]
    assert not [message for message in logged if SECRET in message]
    assert Registry(redis_client).get("one").spec.source == source + "/2"
