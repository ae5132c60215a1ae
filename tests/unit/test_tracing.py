"""Tracing by itself: off unless it is asked for, exact in what it takes, and nothing that others wait for."""

import logging
import os
import random
import subprocess
import sys
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from otlp_receiver import otlp_receiver, tracing_to
from patience import TOOL_SECONDS, eventually
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from redis_cluster import free_port

from services.inference.metrics import InferenceMetrics
from services.ingest.frame_traces import OneIn
from shared.service.settings import PROJECT_ROOT
from shared.tracing.asked import is_wanted, problem_of
from shared.tracing.spans import known_traceparent, trace_id, trace_id_of, under_way
from shared.tracing.switch import tracing

PARENT = f"00-{'4b' * 16}-{'00f0' * 4}-01"


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x", "OTEL_TRACES_SAMPLER_ARG": "1"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "None", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
        ({"OTEL_SDK_DISABLED": "TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
    ],
    ids=str,
)
def test_it_is_off_unless_asked_for(environment: dict[str, str], wanted: bool) -> None:
    assert is_wanted(environment) is wanted


def test_what_there_is_not_is_named_with_what_is_allowed() -> None:
    assert problem_of({"OTEL_TRACES_EXPORTER": "zipkin"}) == "OTEL_TRACES_EXPORTER: allowed are otlp and none"
    name = "OTEL_EXPORTER_OTLP_PROTOCOL"
    assert problem_of({name: "grpc"}) == f"{name}: allowed is http/protobuf"
    assert problem_of({"OTEL_TRACES_EXPORTER": "otlp", name: "http/protobuf"}) is None


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        ("OTEL_SDK_DISABLED", "yes s3cret", "FALSE"),
        ("OTEL_TRACES_SAMPLER", "s3cret", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "s3cret", "0.25"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5", "1"),
        ("OTEL_TRACES_SAMPLER_ARG", "nan", "0"),
        ("OTEL_BSP_SCHEDULE_DELAY", "s3cret", "100"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "0", "1"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1", "512"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "511", "512"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2049", "2048"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "s3cret", "authorization=Bearer%20s3cret, x-scope=a=b,"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=b,s3cret", "authorization=Bearer s3cret"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "s3cret", "2.5"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "inf", "10"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "s3cret", "gzip"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/s3cret", "/etc/hosts"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/", "/etc/hosts"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "s3cret:4318", "https://c/v1/traces"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://s3cret:4317", "http://c:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://s3cret:port", "http://[::1]:4318"),
        ("OTEL_RESOURCE_ATTRIBUTES", "s3cret,,=", "deployment.environment=a%20b,x=,"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "s3cret", "0"),
    ],
)
def test_a_value_that_the_library_would_pass_over_is_refused_and_never_repeated(
    name: str, wrong: str, right: str
) -> None:
    problem = problem_of({name: wrong})
    assert problem
    assert problem.startswith(("OTEL_BSP_MAX_EXPORT_BATCH_SIZE: ", f"{name}: "))
    assert "s3cret" not in problem
    assert problem_of({name: right}) is None
    assert problem_of({name: ""}) is None


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OTEL_TRACES_SAMPLER": "foo"}, "nothing is traced: OTEL_TRACES_SAMPLER: allowed are always_on"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "broken"}, "nothing is traced: OTEL_EXPORTER_OTLP_HEADERS: allowed are name"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL: allowed is http/protobuf"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "5"}, "nothing is traced"),
    ],
    ids=str,
)
def test_what_is_set_wrong_is_a_warning_and_no_more(
    variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", **variables}.items():
        monkeypatch.setenv(name, value)
    with tracing("test", "w", CollectorRegistry()) as tracer:
        assert tracer is None
    assert said in caplog.text


OFF = """
import sys, services.ingest.__main__, services.inference.__main__
from prometheus_client import CollectorRegistry
from shared.tracing.switch import tracing
ours = ("shared.tracing.sending", "opentelemetry.sdk.trace", "opentelemetry.exporter")
with tracing("x", "y", CollectorRegistry()) as tracer:
    found = tracer or [name for name in sys.modules if name.startswith(ours)]
sys.exit(str(found) if found else 0)
"""
"""redis-py looks for OpenTelemetry by itself, and finds its metrics where it is installed."""
MISSING = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry": raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
"""


def run(code: str, **variables: str) -> str:
    """What Python says to it, on standard error; it ends with 0."""
    command, environment = [sys.executable, "-c", code], os.environ | variables
    done = subprocess.run(
        command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, timeout=TOOL_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_its_library_is_not_loaded_where_it_is_off() -> None:
    assert run(f"import services.api.delivery.__main__{OFF}") == ""


def test_without_its_library_services_go_on() -> None:
    said = run(MISSING + OFF, OTEL_EXPORTER_OTLP_ENDPOINT="http://u:s3cret@127.0.0.1:9")
    assert "pip install 'afterimage[tracing]'" in said
    assert "s3cret" not in said


@given(st.integers(1, 50), st.integers(0, 5), st.integers())
def test_of_each_so_many_turns_it_is_exactly_one(every: int, rounds: int, seed: int) -> None:
    turns = OneIn(every, random.Random(seed))
    taken = [[turns.take() for _ in range(every)] for _ in range(rounds)]
    assert [sum(each) for each in taken] == [1] * rounds


def test_it_is_any_turn_in_the_end() -> None:
    turns = OneIn(4, random.Random(1))
    places = Counter(place % 4 for place in range(4000) if turns.take())
    assert set(places) == set(range(4))
    assert min(places.values()) > 200


@given(st.binary(max_size=70))
def test_other_bytes_are_no_traceparent(written: bytes) -> None:
    assert known_traceparent(written) is None


@pytest.mark.parametrize(
    ("written", "is_known"),
    [
        (PARENT, True),
        (PARENT[:-1] + "3", True),
        (PARENT[:-1] + "0", False),
        (PARENT + "\n", False),
        (PARENT.upper(), False),
        (f"00-{'0' * 32}-{'1' * 16}-01", False),
        (f"00-{'1' * 32}-{'0' * 16}-01", False),
    ],
)
def test_a_traceparent_is_known_by_its_form(written: str, is_known: bool) -> None:
    assert known_traceparent(written.encode()) == (written if is_known else None)
    assert trace_id_of(PARENT) == "4b" * 16


def test_the_log_names_the_trace_under_way_alone() -> None:
    with under_way(PARENT):
        assert trace_id.get() == "4b" * 16
        with under_way(None):
            assert trace_id.get() == "4b" * 16
    assert trace_id.get() is None


def test_what_the_environment_says_of_resource_and_sampler_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    with otlp_receiver() as receiver:
        with tracing_to(
            receiver.url, monkeypatch, OTEL_SERVICE_NAME="mine", OTEL_TRACES_SAMPLER="always_off"
        ) as tracer:
            assert tracer.begin("a") is None
        with tracing_to(receiver.url, monkeypatch, OTEL_TRACES_SAMPLER="parentbased_always_on") as tracer:
            span = tracer.begin("ingest.publish", told={"label": "x"})
            assert span
            child = tracer.begin("step", span.traceparent, [PARENT])
            assert child
            child.end()
            span.end(fault="busy")
        first, second = receiver.spans()
    assert (first.service, first.told, first.is_failed) == (
        "mine",
        {"afterimage.label": "x", "error.type": "busy"},
        True,
    )
    assert (second.trace, second.parent, second.links) == (first.trace, first.id, ("00f000f000f000f0",))


@pytest.mark.parametrize("fate", ["away", "hangs", "refuses"])
def test_a_receiver_that_takes_nothing_is_told_of_once_and_waited_for_by_nobody(
    fate: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    registry, often = CollectorRegistry(), {"OTEL_BSP_SCHEDULE_DELAY": "10", "OTEL_BSP_MAX_QUEUE_SIZE": "512"}
    with otlp_receiver() as receiver:
        receiver.status = 500
        if fate == "hangs":
            receiver.let_go.clear()
            often["OTEL_EXPORTER_OTLP_TIMEOUT"] = "0.2"
        url = f"http://u:s3cret@127.0.0.1:{free_port() if fate == 'away' else receiver.server_port}/s3cret?s3cret"
        with tracing_to(url, monkeypatch, registry, **often) as tracer:
            began = time.monotonic()
            for _ in range(2000):
                span = tracer.begin("a")
                assert span
                span.end()
            assert time.monotonic() - began < 10
            eventually(lambda: "spans are lost" in caplog.text, "a warning")
            for _ in range(600):
                tracer.begin("a").end()  # type: ignore[union-attr]
            time.sleep(0.5)
            began = time.monotonic()
        assert time.monotonic() - began < 1
        receiver.let_go.set()
    assert registry.get_sample_value("afterimage_spans_ended_total") == 2600
    assert registry.get_sample_value("afterimage_spans_sent_total") == 0
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) == 1
    assert "s3cret" not in caplog.text
    assert "opentelemetry" not in {record.name.partition(".")[0] for record in caplog.records}


def test_spans_arrive_again_once_their_receiver_is_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    registry = CollectorRegistry()

    def tell() -> None:
        span = tracer.begin("a")
        assert span
        span.end()

    with otlp_receiver() as receiver:
        receiver.status = 404
        with tracing_to(receiver.url, monkeypatch, registry, OTEL_BSP_SCHEDULE_DELAY="10") as tracer:
            tell()
            eventually(lambda: "HTTP status 404" in caplog.text, "a warning with its reason")
            receiver.status = 200
            tell()
            eventually(lambda: "spans arrive again" in caplog.text, "the good news")
        assert len(receiver.spans()) == 1
    assert registry.get_sample_value("afterimage_spans_sent_total") == 1


def test_a_late_frame_that_was_traced_is_an_example_of_its_bucket() -> None:
    metrics = InferenceMetrics()
    metrics.latency.note("live", [0.012, 0.2, 500.0])
    metrics.latency.note_traced("live", 0.012, "ab" * 16)
    metrics.latency.note_traced("live", 500.0, "cd" * 16)
    page = generate_openmetrics(metrics.registry).decode()  # type: ignore[no-untyped-call]
    shown = {line.partition('le="')[2].partition('"')[0]: line for line in page.splitlines() if " # " in line}
    assert shown.keys() == {"0.02", "+Inf"}
    assert f'# {{trace_id="{"ab" * 16}"}} 0.012' in shown["0.02"]
    assert "trace_id" not in generate_latest(metrics.registry).decode()
