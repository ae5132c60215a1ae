import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from default_layout import partition_of
from patience import TOOL_SECONDS
from web_server import web_server

from shared.service.logs import MAX_KNOWN_LINES, MAX_REPEATS, REPEAT_SECONDS, RedactingFormatter, Repeats, request_id


def record(message: str = "lost", **fields: Any) -> logging.LogRecord:
    made = logging.LogRecord("services.ingest", logging.WARNING, "f", 1, message, (), None)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def line(made: logging.LogRecord) -> dict[str, Any]:
    return json.loads(RedactingFormatter("ingest", "json", "host-1-abc", partition_of).format(made))  # type: ignore[no-any-return]


@pytest.fixture
def request_number() -> Iterator[str]:
    token = request_id.set("r-1")
    yield "r-1"
    request_id.reset(token)


def test_what_a_line_is_about_are_fields() -> None:
    said = line(record(stream_id="door"))
    assert (said["stream_id"], said["partition"], said["worker"]) == ("door", partition_of("door"), "host-1-abc")
    assert "request_id" not in said
    assert line(record(partition=7))["partition"] == 7
    assert line(record(model="camera-events"))["model"] == "camera-events"


def test_a_line_within_a_request_names_it(request_number: str) -> None:
    assert line(record())["request_id"] == request_number


def seen(repeats: Repeats, made: logging.LogRecord) -> bool:
    return bool(repeats.filter(made))


def test_a_flood_is_cut_to_a_few_lines_a_minute_and_told() -> None:
    now = 0.0
    repeats = Repeats(lambda: now)
    assert sum(seen(repeats, record("a")) for _ in range(100)) == MAX_REPEATS
    assert seen(repeats, record("b")), "another line is not kept back"
    now += REPEAT_SECONDS
    later = record("a")
    assert seen(repeats, later)
    assert line(later)["repeated"] == 100 - MAX_REPEATS
    assert line(later)["message"] == "a (and 95 times more before)"
    assert RedactingFormatter("ingest", "text").format(later).endswith("a (and 95 times more before)")
    now += REPEAT_SECONDS
    quiet = record("a")
    assert seen(repeats, quiet)
    assert "repeated" not in line(quiet)


def test_what_is_known_of_lines_is_bounded() -> None:
    repeats = Repeats(lambda: 0.0)
    for number in range(2 * MAX_KNOWN_LINES):
        assert seen(repeats, record(str(number)))
    assert len(repeats._known) == MAX_KNOWN_LINES


def test_an_http_client_says_nothing_of_its_requests() -> None:
    """At the finest level, too: it would tell every answer's headers, a session's cookie among them."""
    code = (
        "import sys, httpx; from shared.service.logs import configure_logging\n"
        "configure_logging('ingest', 'debug', 'text')\n"
        "httpx.get(sys.argv[1], auth=('guard', 's3cret'), headers={'X-Key': 's3cret'}, trust_env=False)"
    )
    with web_server() as server:
        server.give("/x?key=s3cret", b"x", Set_Cookie="JX=s3cret")
        command = [sys.executable, "-c", code, server.url("/x?key=s3cret")]
        said = subprocess.run(command, capture_output=True, text=True, timeout=TOOL_SECONDS, check=True).stderr
        [(_, headers)] = server.asked
    assert headers["X-Key"] == "s3cret"
    assert "s3cret" not in said
