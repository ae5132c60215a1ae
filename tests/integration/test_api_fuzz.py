"""The short form of `make api-fuzz`: requests made of the document's own names and of anything; none is a 5xx."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from api_server import BASE_MS, RunningApi, an_event, publish, running_api, write_event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from services.api.app import create_app
from services.api.security.keys import AccessRole
from services.api.settings import ApiSettings
from shared.store.client import connect

NUMBERS = st.sampled_from([-1, 0, 1, 2**31, 2**53, 2**64, 10**30, 0.5, -0.0, 1e308])
WORDS = st.sampled_from(
    ["one", "moved", "", " ", "*", "null", "0", "a" * 3000, "ä", "\x00", "../..", "rtsp://h/x", "%2F"]
)
SCALARS = NUMBERS | WORDS | st.booleans() | st.none() | st.text(max_size=12)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3))
PATHS = st.sampled_from(["one", "nobody", f"one.moved.{BASE_MS}"]) | st.text(min_size=1, max_size=12)
DOCUMENT = create_app(ApiSettings(redis_url=SecretStr("redis://127.0.0.1:1/0"))).openapi()
WITHOUT_END = ("/v1/events/live", "/v1/streams/{stream_id}/live.mjpeg")


@pytest.fixture(scope="module")
def api(redis_url: str) -> Iterator[RunningApi]:
    client = connect(redis_url)
    client.flushall()
    with running_api(redis_url) as api:
        api.add("one")
        publish(client, "one", BASE_MS)
        write_event(client, an_event("one", BASE_MS))
        yield api
    client.flushall()  # others need no key


@pytest.fixture(scope="module")
def logins(api: RunningApi) -> list[dict[str, str]]:
    """Headers of each role, and of nobody."""
    roles: tuple[AccessRole, ...] = ("admin", "operator", "viewer")
    made = [api.context.keyring.create(role, role)[0] for role in roles]
    return [{"Authorization": f"Bearer {key.text}"} for key in made] + [{}]


def bodies(document: dict[str, Any], operation: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Bodies of the right names, of any, and what is no JSON at all."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = document["components"]["schemas"].get(content.get("schema", {}).get("$ref", "").rpartition("/")[2])
    if schema is None:
        return st.just(b"")
    names = st.sampled_from(sorted(schema["properties"])) | WORDS
    given = {**schema["examples"][0]}
    altered = st.dictionaries(names, VALUES, max_size=4).map(lambda changes: json.dumps({**given, **changes}).encode())
    return altered | VALUES.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=20)


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_request_of_any_role_is_an_error_of_the_api(
    api: RunningApi, logins: list[dict[str, str]], data: st.DataObject
) -> None:
    document = DOCUMENT
    path, method = data.draw(st.sampled_from(sorted((p, m) for p, found in document["paths"].items() for m in found)))
    operation = document["paths"][path][method]
    url, headers = path, {"Content-Type": "application/json", **data.draw(st.sampled_from(logins))}
    query: list[tuple[str, str | int | float | bool | None]] = []
    for parameter in operation.get("parameters", ()):
        name, place = parameter["name"], parameter["in"]
        if place == "path":
            url = url.replace(f"{{{name}}}", quote(data.draw(PATHS), safe=""))
        elif place == "query" and data.draw(st.booleans()):
            query += [(name, str(value)) for value in data.draw(st.lists(SCALARS, min_size=1, max_size=2))]
        elif place == "header" and data.draw(st.booleans()):
            headers[name] = data.draw(st.sampled_from(["*", '"1-0"', "x", "", "0:1-1", '"' * 500]))
    verb = "HEAD" if path in WITHOUT_END else method.upper()
    reply = api.http.request(verb, url, params=query, headers=headers, content=data.draw(bodies(document, operation)))
    assert reply.status_code < 500 or (reply.status_code == 503 and path in {"/readyz", "/v1/streams/probe"})
    assert str(reply.status_code) in {*operation["responses"], "404", "405"}
    if reply.is_error and verb != "HEAD":
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert reply.json()["errors"]
