import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.readers.messages import (
    MAX_MARK,
    MAX_MESSAGE_BYTES,
    MAX_REASON,
    Counted,
    Marked,
    Opened,
    Over,
    Picture,
    Waiting,
    pack_counted,
    pack_ended,
    pack_failed,
    pack_marked,
    pack_opened,
    pack_picture,
    pack_waiting,
    unpack,
)
from services.ingest.sources.decoding.tally import TALLY_BYTES, Tally
from services.ingest.sources.video import SampledFrame, VideoInfo
from shared.entries import MAX_FIGURES, MAX_JPEG_BYTES, Figures
from shared.errors import SourceChanged, SourceFailed, SourceSilent

INFO = VideoInfo(codec="h264", width=1920, height=1080, fps=25.0, duration_seconds=None)
TALLY = Tally(decoded=3, skipped=2, read_seconds=0.5)


FIGURES = tuple(index / 4 for index in range(MAX_FIGURES))


def frame(*, damaged: bool = False, figures: Figures | None = None) -> SampledFrame:
    return SampledFrame(7, 0.875, 1_700_000_000_000, 1_700_000_000_123, np.empty(0, np.uint8), damaged, figures)


def tally() -> Tally:
    return Tally.unpack(Tally(decoded=3, skipped=2, read_seconds=0.5).take())


def test_every_message_comes_out_as_it_went_in() -> None:
    assert unpack(pack_opened(INFO)) == Opened(INFO)
    assert unpack(pack_counted(tally())) == Counted(TALLY)
    assert unpack(pack_waiting("waiting for a keyframe")) == Waiting("waiting for a keyframe")
    assert unpack(pack_picture(tally(), frame(), b"jpeg")) == Picture(
        TALLY, 7, 0.875, 1_700_000_000_000, 1_700_000_000_123, b"jpeg"
    )
    assert unpack(pack_picture(tally(), frame(damaged=True, figures=FIGURES), b"jpeg")) == Picture(
        TALLY, 7, 0.875, 1_700_000_000_000, 1_700_000_000_123, b"jpeg", damaged=True, figures=FIGURES
    )
    assert unpack(pack_waiting("waiting for a keyframe")) == Waiting("waiting for a keyframe")
    assert unpack(pack_marked("[1,false]")) == Marked("[1,false]")
    assert unpack(pack_ended(tally(), None)) == Over(TALLY, None)
    assert unpack(pack_ended(tally(), "cut off")) == Over(TALLY, None, remark="cut off")
    for kind in (SourceFailed, SourceSilent, SourceChanged):
        assert unpack(pack_failed(tally(), kind("gone"))) == Over(TALLY, "gone", kind)


def test_packing_takes_the_counts() -> None:
    counts = tally()
    pack_counted(counts)
    assert counts == Tally()


def test_the_largest_picture_fits() -> None:
    assert len(pack_picture(tally(), frame(figures=FIGURES), bytes(MAX_JPEG_BYTES))) <= MAX_MESSAGE_BYTES


def test_a_reason_is_cut() -> None:
    told = unpack(pack_failed(tally(), SourceFailed("ö" * 10_000)))
    assert isinstance(told, Over)
    assert told.reason == "ö" * MAX_REASON


NONSENSE = {
    "nothing": b"",
    "an unknown kind": b"Zabc",
    "an opening without json": b"O{",
    "an opening that is a list": b"O[]",
    "an opening that is a number": b"O1",
    "an opening with other fields": b'O{"a": 1}',
    "an opening with a wrong type": b"O"
    + json.dumps({"codec": 7, "width": "wide", "height": None, "fps": [], "duration_seconds": {}}).encode(),
    "an opening nested too deep": b"O" + b"[" * 100_000,
    "a mark that is too long": b"M" + b"1" * (MAX_MARK + 1),
    "a mark that is no text": b"M\xff\xfe",
    "a short tally": b"C" + bytes(TALLY_BYTES - 1),
    "counts with more behind them": b"C" + bytes(TALLY_BYTES + 1),
    "a picture without times": b"P" + bytes(TALLY_BYTES),
    "a picture with fewer figures than it says": b"P" + bytes(TALLY_BYTES) + bytes(33) + b"\x41" + b"\x01" + bytes(59),
    "an end that is no text": b"E" + bytes(TALLY_BYTES) + b"\xff\xfe",
    "a reason that is no text": b"W\xff\xfe",
}


@pytest.mark.parametrize("message", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_refused(message: bytes) -> None:
    with pytest.raises(SourceFailed, match="makes no sense"):
        unpack(message)


@given(st.binary(max_size=400), st.sampled_from([b"", b"O", b"M", b"C", b"W", b"P", b"E"]))
def test_no_bytes_do_anything_but_make_sense_or_not(message: bytes, kind: bytes) -> None:
    try:
        unpack(kind + message)
    except SourceFailed as err:
        assert "makes no sense" in str(err)  # noqa: PT017
