import pytest

from services.ingest.sources.timing.patience import Patience
from shared.errors import SourceFailed


def test_before_a_keyframe_there_is_no_limit() -> None:
    patience = Patience(10, now=0)
    for second in range(600):
        patience.saw_packet(second, is_keyframe=False)
        assert patience.waiting_for(second) == ("waiting for a keyframe" if second >= 3 else None)
    patience.saw_picture(600)
    assert patience.waiting_for(700) is None


def test_a_keyframe_that_brings_nothing_either_is_given_up() -> None:
    patience = Patience(10, now=0)
    patience.saw_packet(50, is_keyframe=True)
    for second in range(51, 60):
        patience.saw_packet(second, is_keyframe=second % 2 == 0)
        assert patience.waiting_for(second) is None
    with pytest.raises(SourceFailed, match="no picture could be decoded for 10 s"):
        patience.saw_packet(60, is_keyframe=False)


def test_a_picture_begins_anew() -> None:
    patience = Patience(10, now=0)
    patience.saw_packet(0, is_keyframe=True)
    patience.saw_picture(9)
    patience.saw_packet(18, is_keyframe=True)
    patience.saw_packet(27, is_keyframe=True)
