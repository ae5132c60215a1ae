"""Thresholds that agree with what people said of events, shown before they are taken."""

from collections.abc import Iterator

import pytest
import redis
from api_server import BASE_MS, RunningApi, an_event, running_api, write_event
from default_layout import keys_of
from in_process import InProcess

from afterimage.tuning import JudgedSpans, Span, choices, replayed
from shared.entries import labels_field, scores_text
from shared.manifest import Thresholds
from shared.streams import InferenceStatus

FRAME_MS = 125
PEAKS = {10: 0.9, 20: 0.75, 30: 0.62, 40: 0.55, 50: 0.8}
"""Second → score of the two seconds from it on; elsewhere it is low."""
RIGHT, WRONG = (10, 20), (30, 40)
PRESENT = Thresholds(enter=0.5, exit=0.3, min_seconds=0.5, merge_seconds=1)


def at(seconds: float) -> int:
    return BASE_MS + round(seconds * 1000)


def span(second: int) -> Span:
    return Span(at(second), at(second + 2))


SCORES = [
    (time_ms, next((peak for second, peak in PEAKS.items() if at(second) <= time_ms <= at(second + 2)), 0.1))
    for time_ms in range(at(0), at(60), FRAME_MS)
]


def test_each_choice_says_what_it_would_have_given() -> None:
    judged = JudgedSpans([span(second) for second in RIGHT], [span(second) for second in WRONG])
    present, *others = choices(SCORES, judged, PRESENT, FRAME_MS)
    figures = [
        (round(each.thresholds.enter, 4), each.num_right, each.num_wrong, each.num_others)
        for each in (present, *others)
    ]
    assert figures == [
        (0.5, 2, 2, 1),
        (0.685, 2, 0, 1),
        (0.825, 1, 0, 0),
        (0.585, 2, 1, 1),
        (0.95, 0, 0, 0),
        (0.275, 2, 2, 1),
    ]
    assert others[0].thresholds == PRESENT.model_copy(update={"enter": 0.685, "exit": 0.411})
    assert replayed(SCORES, PRESENT, FRAME_MS) == [span(second) for second in PEAKS]


def test_events_count_only_where_their_scores_are_stored() -> None:
    events = [
        {
            "label": "moved",
            "started_at_ms": at(second),
            "ended_at_ms": at(second + 2) if second < 40 else None,
            "feedback": {"verdict": "right"} if second < 50 else None,
        }
        for second in (1, 10, 20, 40, 50)
    ]
    times = [time_ms for time_ms, _ in SCORES]
    assert JudgedSpans.of(events, "moved", times) == JudgedSpans([span(10), span(20)], [])
    assert JudgedSpans.of(events, "frozen", times) == JudgedSpans.of(events, "moved", []) == JudgedSpans([], [])


@pytest.fixture
def api(redis_client: redis.Redis, redis_url: str) -> Iterator[RunningApi]:
    with running_api(redis_url) as api:
        api.add("cam", thresholds={"moved": PRESENT.model_dump(), "covered": 0.7})
        yield api


def test_what_is_proposed_is_taken_when_asked(
    api: RunningApi, redis_client: redis.Redis, in_process: InProcess
) -> None:
    model = next(each for each in api.http.get("/v1/models").json()["items"] if each["name"] == "camera-events")
    told = InferenceStatus(model=model["reference"]).model_dump_json()
    redis_client.hset(keys_of("cam").inference, "cam", told)
    assert "nothing to propose" in in_process("tune", "cam", "--url", api.url).output
    pipeline = redis_client.pipeline()
    for time_ms, score in SCORES:
        pipeline.xadd(keys_of("cam").scores("cam"), {labels_field(["moved"]): scores_text([score])}, f"{time_ms}-0")
    pipeline.execute()
    for verdict, seconds in (("right", RIGHT), ("wrong", WRONG)):
        for second in seconds:
            event = an_event("cam", at(second)).model_copy(update={"ended_at_ms": at(second + 2)})
            api.http.put(f"/v1/events/{write_event(redis_client, event)}/feedback", json={"verdict": verdict})
    before = api.http.get("/v1/streams/cam").json()["thresholds"]
    shown = in_process("tune", "cam", "--url", api.url)
    assert "of 2 right" in shown.output
    assert "moved: enter 0.685, exit 0.411 would agree with more" in shown.output
    assert api.http.get("/v1/streams/cam").json()["thresholds"] == before
    assert in_process("tune", "cam", "--take", "--url", api.url).output.endswith("taken\n")
    after = api.http.get("/v1/streams/cam").json()["thresholds"]
    assert after == before | {"moved": {**PRESENT.model_dump(), "enter": 0.685, "exit": 0.411}}
    assert "nothing to propose" in in_process("tune", "cam", "--url", api.url).output
    failed = in_process("tune", "nobody", "--url", api.url)
    assert (failed.code, "no stream has the id 'nobody'" in failed.errors) == (1, True)
