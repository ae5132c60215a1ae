"""A frame is followed from its source to the receiver of the event that it opens, and no span holds a secret."""

import random
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from api_server import running_api
from default_layout import keys_of
from deliveries import Receiver
from films import VideoFile
from ingest_runner import IngestRunner, stream_spec
from otlp_receiver import OtlpReceiver, ReceivedSpan, otlp_receiver, tracing_to
from patience import eventually
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from service_process import ServiceProcess, inference_process, ingest_process, service_process
from web_server import web_server
from worker_runner import WorkerRunner, pictures, save_random_model, spec_of

from services.api.delivery.targets import Target, TargetBook, new_secret
from services.ingest.frame_traces import FrameTraces
from shared.store.registry import Registry
from shared.streams import StreamState
from shared.tracing.spans import trace_id

SECRET = "s3cret-pass"
LABELS = 2
STAGES = ["commit", "decode", "encode", "step"]


def settings_for(receiver: OtlpReceiver) -> dict[str, str]:
    """Of a process whose spans go there soon."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{SECRET}",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }


def within(inner: ReceivedSpan, outer: ReceivedSpan) -> bool:
    return outer.began_ns <= inner.began_ns <= inner.ended_ns <= outer.ended_ns


def exemplars(worker: ServiceProcess) -> set[str]:
    """The traces that the worker's latencies name, as Prometheus asks for them."""
    url = f"http://127.0.0.1:{worker.port}/metrics"
    asked = urllib.request.Request(url, headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    with urllib.request.urlopen(asked, timeout=10) as reply:
        assert reply.headers["Content-Type"].startswith("application/openmetrics-text")
        page = reply.read().decode()
    families = text_string_to_metric_families(page)  # type: ignore[no-untyped-call]
    samples = [sample for family in families for sample in family.samples]
    return {sample.exemplar.labels["trace_id"] for sample in samples if sample.exemplar}


def test_a_frame_is_followed_from_its_source_to_the_receiver_of_its_event(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path, video_file: VideoFile
) -> None:
    """Through three services, of which each has told a secret of its own; every frame is traced."""
    save_random_model(tmp_path, enter=0.01)
    hook = Receiver(new_secret(), random.Random(1), moody=False)
    logs = [tmp_path / f"{name}.log" for name in ("ingest", "inference", "delivery")]
    said = {"TRACE_EVERY": "1", "LOG_LEVEL": "debug", "LOG_FORMAT": "json", "DELIVER_PRIVATE": "true"}
    with ExitStack() as stack:
        web = stack.enter_context(web_server())
        web.give_parts(f"/film.mp4?token={SECRET}", video_file("film.mp4", seconds=2).read_bytes())
        spans = stack.enter_context(otlp_receiver())
        stack.enter_context(hook.listening())
        TargetBook(redis_client).add(
            Target(id="hook", kind="webhook", url=hook.url, secret=hook.secret, created_at_ms=0)
        )
        source = web.url(f"/film.mp4?token={SECRET}", f"guard:{SECRET}@")
        Registry(redis_client).add(stream_spec("door", source, pace="live", model="tiny"))
        shared = settings_for(spans)
        worker = stack.enter_context(inference_process(redis_url, tmp_path, logs[1], shared, **said))
        stack.enter_context(service_process("api.delivery", redis_url, logs[2], shared, said))
        stack.enter_context(ingest_process(redis_url, tmp_path, logs[0], shared, **said))
        eventually(lambda: len(spans.spans("deliver")) == LABELS, "both openings delivered")
        eventually(lambda: sum(len(each.links) for each in spans.spans("worker.batch")) == 16, "all frames")
        named = exemplars(worker)
        assert "trace_id" not in worker.page()
    check_the_way(spans)
    assert named
    assert named <= {span.trace for span in spans.spans("ingest.publish")}
    assert all(headers["authorization"] == f"Bearer {SECRET}" for headers in spans.headers)
    told = b" ".join(spans.bodies) + b" ".join(log.read_bytes() for log in logs)
    assert SECRET.encode() not in told
    assert b"hush-hush" not in told
    assert hook.secret.encode() not in told


def check_the_way(receiver: OtlpReceiver) -> None:
    """Sixteen frames through ingest and inference, two events of them through delivery."""
    published = {span.id: span for span in receiver.spans("ingest.publish")}
    assert len(published) == len({span.trace for span in published.values()}) == 16
    assert {(span.parent, span.service) for span in published.values()} == {("", "afterimage-ingest")}
    batches = {span.id: span for span in receiver.spans("worker.batch")}
    linked = [link for span in batches.values() for link in span.links]
    assert sorted(linked) == sorted(published)
    for batch in batches.values():
        assert (batch.parent, batch.trace) == (batch.links[0], published[batch.links[0]].trace)
        assert batch.told["afterimage.frames"] >= len(batch.links)
        stages = [span for span in receiver.spans() if span.parent == batch.id]
        assert sorted(span.name for span in stages) == STAGES
        assert all(within(span, batch) and span.trace == batch.trace for span in stages)
    opened = {span.id: span for span in receiver.spans("event.open")}
    assert len(opened) == LABELS
    for event in opened.values():
        [batch_id] = event.links
        assert event.trace == published[event.parent].trace
        assert event.parent in batches[batch_id].links
        assert event.told["afterimage.stream_id"] == "door"
    delivered = receiver.spans("deliver")
    assert sorted(span.parent for span in delivered) == sorted(opened)
    assert all(span.trace == opened[span.parent].trace and not span.is_failed for span in delivered)
    assert {span.service for span in delivered} == {"afterimage-delivery"}
    assert {span.service for span in batches.values()} == {"afterimage-inference"}


@pytest.mark.parametrize(("disabled", "num_traced"), [("false", 5), ("true", 0)])
def test_exactly_one_frame_in_so_many_is_traced(
    ingest: IngestRunner,
    video_file: VideoFile,
    monkeypatch: pytest.MonkeyPatch,
    disabled: str,
    num_traced: int,
) -> None:
    with otlp_receiver() as receiver:
        with tracing_to(receiver.url, monkeypatch) as tracer:
            ingest.traces = FrameTraces(tracer, every=8) if disabled == "false" else None
            ingest.add("clip", video_file("clip.mp4", seconds=5).name)
            ingest.start()
            ingest.until("clip", StreamState.ENDED)
            ingest.stop()
        traced = [frame.traceparent for frame in ingest.frames("clip") if frame.traceparent]
        assert len(ingest.frames("clip")) == 40
        assert [each[36:52] for each in traced] == [span.id for span in receiver.spans("ingest.publish")]
        assert len(traced) == num_traced


def test_a_batch_names_its_trace_in_the_log_and_refuses_no_frame_for_what_is_no_traceparent(
    runner: WorkerRunner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One frame is traced and does not decode; another comes with something else where a traceparent goes."""
    seen: dict[str, str | None] = {}
    caplog.handler.addFilter(lambda record: bool(seen.setdefault(record.getMessage(), trace_id.get())) or True)
    with otlp_receiver() as receiver:
        with tracing_to(receiver.url, monkeypatch) as tracer:
            span = tracer.begin("ingest.publish")
            assert span
            runner.tracer = tracer
            spec = spec_of("cam")
            runner.registry.add(spec)
            jpegs = pictures(6)
            runner.publish(spec, [*jpegs[:2], b"\xff\xd8nothing", *jpegs[3:]], traceparents={2: span.traceparent})
            redis_key = keys_of("cam").frames("cam")
            runner.client.xadd(redis_key, {"n": 7, "j": jpegs[0], "traceparent": b"\xff" * 4096}, id=f"{2 * 10**12}-0")
            runner.start()
            runner.wait_processed("cam", 7)
            runner.stop()
        [batch] = receiver.spans("worker.batch")
        assert batch.links == (span.traceparent[36:52],)
        assert batch.trace == span.traceparent[3:35]
    [line] = [line for line in seen if "no picture" in line]
    assert seen[line] == batch.trace


def test_a_receiver_that_hangs_holds_up_neither_frames_nor_the_end(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path, video_file: VideoFile
) -> None:
    Registry(redis_client).add(stream_spec("clip", video_file("clip.mp4", seconds=5).name))
    with otlp_receiver() as receiver:
        receiver.let_go.clear()
        variables = settings_for(receiver) | {"OTEL_EXPORTER_OTLP_TIMEOUT": "120"}
        with ingest_process(redis_url, tmp_path, tmp_path / "log", variables, TRACE_EVERY="1") as ingest:
            eventually(lambda: ingest.samples().total("frames_published", stream_id="clip") == 40, "all frames")
            eventually(lambda: ingest.samples().total("spans_ended") >= 40, "their spans")
            assert ingest.samples().total("spans_sent") == 0
            began = time.monotonic()
        assert time.monotonic() - began < 10, "and not until the request times out"
        assert receiver.bodies == []


def test_what_delivery_could_not_send_has_failed(
    redis_url: str, redis_client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with otlp_receiver() as receiver:
        with tracing_to(receiver.url, monkeypatch) as tracer:
            span = tracer.begin("event.open")
            assert span
        url = f"http://127.0.0.1:9/{SECRET}?token={SECRET}"
        TargetBook(redis_client).add(Target(id="gone", kind="webhook", url=url, secret=new_secret(), created_at_ms=0))
        event = '{"id":"a.moved.5","stream_id":"a","label":"moved","started_at_ms":5,"ended_at_ms":null}'
        letter: dict[Any, Any] = {
            "t": "gone",
            "s": "a",
            "k": "opened",
            "e": event,
            "m": "1.5-0",
            "traceparent": span.traceparent,
        }
        redis_client.xadd(keys_of("a").outbox, letter, id="5-0")
        log, said = tmp_path / "log", {"DELIVER_PRIVATE": "true", "LOG_FORMAT": "json"}
        with service_process("api.delivery", redis_url, log, settings_for(receiver), said):
            [delivered] = eventually(lambda: receiver.spans("deliver"), "an attempt")
    assert delivered == replace(delivered, parent=span.traceparent[36:52], trace=span.traceparent[3:35], is_failed=True)
    assert delivered.told["error.type"] == "DeliveryFailed"
    assert SECRET.encode() not in b"".join(receiver.bodies)


def test_the_api_tells_nobody_what_it_is_asked(
    redis_url: str, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its framework would, by its own spans and logs, with all that a query holds."""
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    with otlp_receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        with running_api(redis_url) as api:
            assert api.http.get(f"/v1/streams?token={SECRET}").status_code == 422
        assert receiver.num_asked == 0
