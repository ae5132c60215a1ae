"""What a page of another site gets from an api on this machine: nothing."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
import redis
from api_server import CAMERA, RunningApi, running_api
from patience import TOOL_SECONDS

from services.api.protocol.headers import HEADERS
from services.api.security.keys import ApiKey

PAGE, OTHER = "https://cameras.example", "https://evil.example"


@pytest.fixture(scope="module")
def api(redis_url: str) -> Iterator[RunningApi]:
    with running_api(redis_url, api_allowed_hosts="cameras.example, api", api_cors_origins=PAGE) as running:
        running.context.client.flushall()
        yield running


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("127.0.0.1", True),
        ("127.0.0.1:9999", True),
        ("localhost:8000", True),
        ("LOCALHOST.", True),
        ("[::1]:8000", True),
        ("cameras.example:443", True),
        ("API", True),
        ("", True),
        ("evil.example", False),
        ("evil.example:8000", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("x.cameras.example", False),
        ("192.0.2.1", False),
        ("0.0.0.0", False),
        ("[::ffff:192.0.2.1]", False),
        ("evil.example@127.0.0.1", False),
    ],
)
def test_only_its_own_names_lead_to_it(api: RunningApi, host: str, is_ours: bool) -> None:
    for path in ("/v1/streams", "/healthz", "/docs"):
        reply = api.http.get(path, headers={"Host": host})
        assert reply.status_code == (200 if is_ours else 421), path
        told = {name: reply.headers[name] for name in HEADERS}
        assert path == "/docs" or told == HEADERS


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"Origin": "http://localhost:8000", "Host": "localhost:8000", "Sec-Fetch-Site": "same-origin"}, 201),
        ({"Origin": PAGE, "Sec-Fetch-Site": "cross-site"}, 201),
        ({"Sec-Fetch-Site": "none"}, 201),
        ({"Origin": "http://localhost:3000", "Host": "localhost:8000", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": OTHER}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://["}, 403),
        ({"Origin": "null", "Host": ""}, 403),
        ({"Origin": "http://", "Host": ""}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": f"{PAGE}.evil.example"}, 403),
    ],
)
def test_pages_of_others_change_nothing(api: RunningApi, headers: dict[str, str], status: int) -> None:
    reply = api.http.post("/v1/streams", json=CAMERA, headers=headers)
    assert reply.status_code == status
    read = api.http.get("/v1/streams", headers=headers)
    allowed = PAGE if headers.get("Origin") == PAGE else None
    assert (read.status_code, read.headers.get("Access-Control-Allow-Origin")) == (200, allowed)


def test_what_a_page_may_send_is_told_only_where_the_settings_name_it(
    api: RunningApi, redis_url: str, redis_client: redis.Redis
) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    allowed = api.http.options("/v1/streams", headers={"Origin": PAGE, **asked})
    assert (allowed.status_code, allowed.headers["Access-Control-Allow-Origin"]) == (200, PAGE)
    assert "Access-Control-Allow-Credentials" not in allowed.headers
    assert (
        "Access-Control-Allow-Origin" not in api.http.options("/v1/streams", headers={"Origin": OTHER, **asked}).headers
    )
    with running_api(redis_url) as silent:
        for reply in (
            silent.http.options("/v1/streams", headers={"Origin": PAGE, **asked}),
            silent.http.get("/healthz"),
        ):
            assert not [name for name in reply.headers if name.startswith("access-control")]


def test_behind_a_prefix_it_answers_with_and_without_it(redis_url: str, redis_client: redis.Redis) -> None:
    with running_api(redis_url, api_root_path="/watch") as api:
        for prefix in ("", "/watch"):
            made = api.http.post(f"{prefix}/v1/streams", json=CAMERA)
            assert made.headers["Location"] == f"/watch/v1/streams/{made.json()['id']}"
            assert api.http.get(f"{prefix}/openapi.json").json()["servers"] == [{"url": "/watch"}]
        key = ApiKey.new()
    with running_api(redis_url, api_root_path="/watch", admin_key_hash=key.fingerprint) as api:
        for path in ("/watch/v1/streams", "/v1/streams", "/watch/watch/healthz", "/watchhealthz"):
            assert api.http.get(path).status_code == 401, path
        assert api.http.get("/watch/healthz").status_code == 200


def test_the_documentation_needs_no_server_of_others(redis_url: str, redis_client: redis.Redis) -> None:
    with running_api(redis_url, api_root_path="/watch", admin_key_hash=ApiKey.new().fingerprint) as api:
        page = api.http.get("/watch/docs")
        assert "script-src 'self'; style-src 'self'; " in page.headers["Content-Security-Policy"]
        wanted = re.findall(r'(?:href|src)="([^"]+)"', page.text)
        assert len(wanted) == 4
        sizes = {}
        for link in [*wanted, "openapi.json"]:
            reply = api.http.get(str(httpx.URL(f"{api.url}/watch/docs").join(link)))
            assert reply.status_code == 200, link
            sizes[link] = len(reply.content)
            assert not re.findall(r"(?:src|href)=.?https?://", reply.text[:2000]), link
        assert sizes["docs/swagger-ui-bundle.js"] > 1_000_000
        assert "<script>" not in page.text
        for name in ("index.html", "redoc.standalone.js", "..%2F__init__.py"):
            assert api.http.get(f"/docs/{name}").status_code == 404, name


def started(*arguments: str) -> tuple[int, str]:
    environment = dict(pair.split("=", 1) for pair in arguments)
    done = subprocess.run(
        [sys.executable, "-m", "services.api"],
        env=os.environ | {"AFTERIMAGE_API_PORT": "0"} | environment,
        capture_output=True,
        text=True,
        timeout=TOOL_SECONDS,
        check=False,
    )
    return done.returncode, done.stderr


def test_it_does_not_start_where_others_reach_it_before_there_is_a_key(
    redis_url: str, redis_client: redis.Redis
) -> None:
    code, said = started(f"AFTERIMAGE_REDIS_URL={redis_url}", "AFTERIMAGE_API_HOST=0.0.0.0")
    assert (code, said.count("\n")) == (2, 1)
    assert "AFTERIMAGE_API_HOST: 0.0.0.0 can be reached from other machines, and there is no key yet" in said
