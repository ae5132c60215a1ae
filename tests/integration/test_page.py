"""The web page as the api gives it: to everybody, checked anew each time, and nothing of what lies beside it."""

import http.client
import re
from pathlib import Path
from typing import Final

import httpx
import pytest
import redis
from api_server import RunningApi, running_api

from services.api.routes.page import OWN, POLICY
from services.api.security.keys import ApiKey

FILES: Final = ("app.js", "index.html", "icon.svg", "style/base.css", "vendor/uplot.js", "vendor/htm.LICENSE")
KINDS: Final = {
    ".html": {"text/html"},
    ".js": {"text/javascript", "application/javascript"},
    ".css": {"text/css"},
    ".svg": {"image/svg+xml"},
}


def bare(text: str) -> str:
    """Without comments and white space."""
    return re.sub(r"\s+", "", re.sub(r"(?s)/\*.*?\*/", "", text))


def status_of(api: RunningApi, path: str) -> int:
    """Of a path as it stands: no client has made it plain."""
    connection = http.client.HTTPConnection(httpx.URL(api.url).host, httpx.URL(api.url).port, timeout=60)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_page_is_given_to_everybody_with_a_policy_that_lets_nothing_else_in(server: RunningApi) -> None:
    got = server.http.get("/")
    assert (got.status_code, got.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert bare(got.text) == bare((OWN / "index.html").read_text())
    assert got.headers["Content-Security-Policy"] == POLICY
    assert "unsafe" not in POLICY
    assert {part.split()[0]: part.split()[1:] for part in POLICY.split("; ")} == {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "blob:"],
        "media-src": ["'self'"],
        "connect-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
    assert got.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_of_its_kind_and_asked_for_anew_each_time(server: RunningApi, name: str) -> None:
    path = f"/page/{name}"
    got = server.http.get(path, headers={"Accept-Encoding": "gzip"})
    assert got.status_code == 200
    assert bare(got.text) == bare((OWN / name).read_text())
    if "vendor" in name:
        assert got.content == (OWN / name).read_bytes()
    elif Path(name).suffix in KINDS:
        assert not re.search(r"(?m)^\s|^/\*", got.text)
        assert len(got.content) <= (OWN / name).stat().st_size
    if Path(name).suffix in KINDS:
        assert got.headers["Content-Type"].partition(";")[0] in KINDS[Path(name).suffix]
    assert (got.headers.get("Content-Encoding") == "gzip") == (len(got.content) >= 200)
    assert server.http.get(path, headers={"Accept-Encoding": "identity"}).content == got.content
    assert got.headers["Cache-Control"] == "no-cache"
    assert "default-src 'none'" in got.headers["Content-Security-Policy"]
    again = server.http.get(path, headers={"If-None-Match": got.headers["ETag"]})
    assert (again.status_code, again.content, again.headers["Cache-Control"]) == (304, b"", "no-cache")
    head = server.http.head(path)
    assert (head.status_code, head.content, head.headers["ETag"]) == (200, b"", got.headers["ETag"])


def test_the_page_itself_is_asked_for_anew_too(server: RunningApi) -> None:
    got = server.http.get("/")
    assert got.headers["Cache-Control"] == "no-cache"
    again = server.http.get("/", headers={"If-None-Match": got.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Content-Security-Policy"] == POLICY


@pytest.mark.parametrize(
    "path",
    [
        "/page/",
        "/page/lib",
        "/page/lib/",
        "/page/nothing.js",
        "/page/../app.py",
        "/page/%2e%2e/app.py",
        "/page/..%2fapp.py",
        "/page/lib/../../settings.py",
        "/page/..%5capp.py",
        "/page//etc/passwd",
        "/page/%2fetc/passwd",
        "/page/app.js%00.css",
        f"/page/{'a' * 300}",
    ],
)
def test_nothing_beside_the_page_is_given(server: RunningApi, path: str) -> None:
    assert status_of(server, path) == 404


def test_it_is_read_and_not_written(server: RunningApi) -> None:
    for path in ("/", "/page/app.js"):
        for method in ("POST", "PUT", "DELETE"):
            reply = server.http.request(method, path)
            assert (reply.status_code, reply.headers["Allow"]) == (405, "GET"), f"{method} {path}"
            assert reply.headers["Content-Type"] == "application/problem+json"


def test_its_files_are_counted_as_one_route(server: RunningApi) -> None:
    assert server.http.get("/page/app.js").status_code == 200
    assert server.http.get("/page/nothing.js").status_code == 404
    counted = [line for line in server.metrics().splitlines() if line.startswith("afterimage_api_requests_total")]
    assert any('route="/page/{path:path}"' in line and 'status="200"' in line for line in counted), counted
    assert not any("app.js" in line for line in counted)


def test_behind_a_prefix_all_that_it_links_to_is_found(redis_url: str, redis_client: redis.Redis) -> None:
    with running_api(redis_url, api_root_path="/watch", admin_key_hash=ApiKey.new().fingerprint) as api:
        for place in ("/watch/", "/"):
            page = api.http.get(place)
            links = re.findall(r'(?:href|src)="([^"]+)"', page.text)
            assert len(links) > 5
            for link in links:
                reply = api.http.get(str(httpx.URL(f"{api.url}{place}").join(link)))
                assert reply.status_code == 200, link
        bare = api.http.get("/watch", params={"from": "proxy"})
        assert (bare.status_code, bare.headers["Location"]) == (307, "/watch/?from=proxy")
    redis_client.flushall()
