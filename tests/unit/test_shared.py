import json
import logging
from pathlib import Path

import pytest
from default_layout import NUM_PARTITIONS, PARTITIONS, keys_of, partition_of
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ModelUnusable, SettingsInvalid
from shared.manifest import Thresholds, read_manifest
from shared.service.logs import RedactingFormatter
from shared.service.settings import PROJECT_ROOT, ServiceSettings, read_settings
from shared.streams import Progress, ThresholdOverride
from shared.words.redaction import redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://user:s3cret@host:554/main", "rtsp://***@host:554/main"),
        ("rtsp://user:p@ss@host/x", "rtsp://***@host/x"),
        ("failed: rtsps://u:p@h/ and rtsp://a:b@c/", "failed: rtsps://***@h/ and rtsp://***@c/"),
        ("rtsp://host/x?password=abc&channel=1", "rtsp://host/x?password=***&channel=***"),
        ("no scheme, a:b@c and a@b.c/d", "no scheme, ***@c and ***@b.c/d"),
        (
            "no login: Door@Garden @ home, camera-events@0123abcd",
            "no login: Door@Garden @ home, camera-events@0123abcd",
        ),
    ],
)
def test_credentials_are_hidden(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_log_lines_hide_credentials_in_both_forms() -> None:
    record = logging.LogRecord("a", logging.INFO, "f", 1, "lost %s", ("rtsp://u:s3cret@h/",), None)
    assert "s3cret" not in RedactingFormatter("ingest", "text").format(record)
    line = json.loads(RedactingFormatter("ingest", "json").format(record))
    assert (line["message"], line["service"], line["level"]) == ("lost rtsp://***@h/", "ingest", "info")


@given(st.text(min_size=1, max_size=64))
def test_all_keys_of_a_stream_are_in_one_slot(stream_id: str) -> None:
    keys = keys_of(stream_id)
    assert 0 <= partition_of(stream_id) < NUM_PARTITIONS
    tag = f"{{p{keys.partition:02d}}}:"
    owned = [keys.frames(stream_id), keys.scores(stream_id), keys.events(stream_id), keys.event_data(stream_id)]
    assert all(key.startswith(tag) for key in [*owned, keys.progress, keys.state, keys.feed, keys.lease("ingest")])


def test_streams_spread_over_the_partitions() -> None:
    used = {partition_of(f"camera-{number}") for number in range(1000)}
    assert used == set(range(len(PARTITIONS)))


def test_progress_comes_back_as_it_was_written() -> None:
    progress = Progress(7, "1700000000000-1", 12, 10, "1699999999000-0")
    assert Progress.parse(str(progress).encode()) == progress


def test_the_progress_of_an_earlier_version_names_no_checkpoint() -> None:
    assert Progress.parse("7 1700000000000-1 12 10") == Progress(7, "1700000000000-1", 12, 10)


@pytest.mark.parametrize("text", ["7 9999999999999999999-0 12 10", "7 1-0 12 10 9999999999999999999-0", "7 1 12 10"])
def test_a_progress_with_a_cursor_that_no_entry_can_have_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an entry id|is no progress"):
        Progress.parse(text)


def test_a_lone_threshold_pulls_the_other_along() -> None:
    stated = Thresholds(enter=0.6, exit=0.4)
    assert ThresholdOverride(enter=0.3).applied_to(stated) == Thresholds(enter=0.3, exit=0.3)
    assert ThresholdOverride(exit=0.8).applied_to(stated) == Thresholds(enter=0.8, exit=0.8)
    assert ThresholdOverride(min_seconds=2).applied_to(stated) == Thresholds(enter=0.6, exit=0.4, min_seconds=2)


def test_a_wrong_setting_is_named_with_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERIMAGE_METRICS_PORT", "99999")
    with pytest.raises(SettingsInvalid, match=r"AFTERIMAGE_METRICS_PORT.*65535.*99999"):
        read_settings(ServiceSettings)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "no such file"),
        ("{", "Expecting property name"),
        ("[]", "valid dictionary"),
        ('{"name": "m"}', "labels"),
    ],
)
def test_a_corrupt_manifest_is_refused_with_the_reason(content: str | None, problem: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "model.json").write_text(content)
    with pytest.raises(ModelUnusable, match=problem):
        read_manifest(tmp_path)


@pytest.mark.parametrize("name", ["mean", "std"])
def test_a_normalisation_that_the_network_does_not_count_on_is_refused(name: str, tmp_path: Path) -> None:
    shipped = json.loads((PROJECT_ROOT / "models" / "camera-events" / "model.json").read_text())
    shipped["input"][name][0] = 0.4
    (tmp_path / "model.json").write_text(json.dumps(shipped))
    with pytest.raises(ModelUnusable, match=rf"input: .*{name} \(0\.4, .*allowed is \(0\."):
        read_manifest(tmp_path)
