from types import NoneType
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from afterimage.commands import options
from services.api.schemas.streams import Skip, StreamChange, StreamCreate, StreamView
from shared.probes import ProbeRequest
from shared.records import StreamRecord
from shared.streams import (
    InferenceStatus,
    Progress,
    RtspTransport,
    StreamSpec,
    StreamState,
    StreamStatus,
    ThresholdOverride,
)

SPEC = StreamSpec(id="one", name="One", source="rtsp://user:s3cret@host/1", base_ms=1, generation=1, created_at_ms=1)


def view(
    state: StreamState,
    *,
    published: int,
    cursor: str,
    passed: int,
    inference: InferenceStatus | None = None,
    next_attempt_at_ms: int | None = None,
) -> StreamView:
    status = StreamStatus(
        state=state,
        reason="no answer from rtsp://user:s3cret@host",
        generation=1,
        next_attempt_at_ms=next_attempt_at_ms,
        codec="hevc",
    )
    progress, inference = Progress(1, cursor, passed, passed), inference or InferenceStatus()
    return StreamView.of(StreamRecord(SPEC, status, progress, published, inference))


@pytest.mark.parametrize(
    ("state", "published", "cursor", "passed", "finished"),
    [
        (StreamState.ENDED, 8, "8-1", 8, True),
        (StreamState.FAILED, 8, "8-1", 8, True),
        (StreamState.FAILED, 0, "0-0", 0, True),
        (StreamState.ENDED, 8, "8-0", 8, False),
        (StreamState.ENDED, 9, "8-1", 8, False),
        (StreamState.LIVE, 8, "8-1", 8, False),
        (StreamState.PENDING, 0, "0-0", 0, False),
    ],
)
def test_finished_means_at_rest_and_everything_looked_at(
    state: StreamState, published: int, cursor: str, passed: int, *, finished: bool
) -> None:
    assert view(state, published=published, cursor=cursor, passed=passed).finished is finished


def test_a_camera_that_failed_but_is_tried_again_is_not_finished() -> None:
    shown = view(StreamState.FAILED, published=0, cursor="0-0", passed=0, next_attempt_at_ms=1753429688000)
    assert (shown.finished, shown.next_attempt_at_ms, shown.codec) == (False, 1753429688000, "hevc")


def test_the_requests_allow_what_the_spec_allows() -> None:
    allowed = {name: set(get_args(StreamSpec.model_fields[name].annotation)) for name in ("rtsp_transport", "skip")}
    assert set(get_args(RtspTransport)) == allowed["rtsp_transport"]
    assert set(get_args(ProbeRequest.model_fields["rtsp_transport"].annotation)) == allowed["rtsp_transport"]
    assert set(get_args(Skip)) == allowed["skip"]
    for option, name in ((options.RtspTransport, "rtsp_transport"), (options.Skip, "skip")):
        choices, nothing = get_args(get_args(option)[0])
        assert (set(get_args(choices)), nothing) == (allowed[name], NoneType)


def test_a_stream_that_no_model_can_look_at_has_failed() -> None:
    no_model = InferenceStatus(reason="its model is not usable")
    shown = view(StreamState.LIVE, published=8, cursor="3-0", passed=3, inference=no_model)
    assert (shown.state, shown.reason, shown.lag_frames) == ("failed", "its model is not usable", 5)


def test_a_stream_that_stays_on_its_former_model_goes_on_and_says_why() -> None:
    former = InferenceStatus(model="camera-events@01234567", reason="no weights")
    shown = view(StreamState.WAITING, published=8, cursor="3-0", passed=3, inference=former)
    assert (shown.state, shown.running_model) == ("waiting", "camera-events@01234567")
    assert shown.reason == "no answer from rtsp://***@host; no weights"


def test_credentials_are_in_no_view() -> None:
    text = view(StreamState.FAILED, published=0, cursor="0-0", passed=0).model_dump_json()
    assert "s3cret" not in text
    assert "rtsp://***@host/1" in text


def test_a_plain_number_is_the_enter_threshold() -> None:
    wanted = StreamCreate.model_validate({"name": "n", "source": "s", "thresholds": {"moved": 0.7}})
    assert wanted.thresholds == {"moved": ThresholdOverride(enter=0.7)}


@pytest.mark.parametrize(
    "fields",
    [
        {"fps": 0.009},
        {"fps": 61},
        {"fps": float("nan")},
        {"fps": "8"},
        {"fps": True},
        {"name": ""},
        {"name": "x" * 201},
        {"source": "x" * 2049},
        {"model": "../etc"},
        {"pace": "slow"},
        {"loop": 1},
        {"rtsp_transport": "smoke"},
        {"skip": "all"},
        {"reset_after_seconds": 0},
        {"stall_seconds": 0.5},
        {"stall_seconds": 3601},
        {"stall_seconds": float("nan")},
        {"stall_seconds": "10"},
        {"base_ms": 0},
        {"base_ms": 1 << 50},
        {"base_ms": 1.5},
        {"thresholds": {"Moved": 0.5}},
        {"thresholds": {"moved": 1}},
        {"thresholds": {"moved": True}},
        {"thresholds": {"moved": {"enter": 0.3, "exit": 0.4}}},
        {"thresholds": {"moved": {"entry": 0.3}}},
        {"thresholds": {f"l{n}": 0.5 for n in range(257)}},
        {"generation": 1},
        {"name": None},
        {"source": None},
    ],
)
def test_what_the_spec_does_not_allow_the_requests_refuse(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        StreamCreate.model_validate({"name": "n", "source": "s", **fields})
    with pytest.raises(ValidationError):
        StreamChange.model_validate(fields)
