"""Server-sent events as the command line reads them."""

import pytest

from afterimage.live import Message, parse_feed


def test_openings_and_closings_are_read_with_their_positions() -> None:
    lines = ["", "event: opened", "id: 1:7", 'data: {"id": "a"}', "", "event:closed", 'data:{"id":"a"}', "id:1:8", ""]
    assert list(parse_feed(lines)) == [
        Message("opened", {"id": "a"}, "1:7"),
        Message("closed", {"id": "a"}, "1:8"),
    ]


def test_comments_and_hints_are_passed_over_and_a_lone_id_is_a_position() -> None:
    assert list(parse_feed([": heartbeat", "", "retry: 1000", "", "id: 3:9", ""])) == [Message("", {}, "3:9")]


@pytest.mark.parametrize(
    ("retry", "seconds"), [("250", 0.25), ("999999999", 60.0), ("-1", 1.0), ("1e9", 1.0), ("9" * 5000, 1.0), ("", 1.0)]
)
def test_a_feed_without_a_place_says_when_to_come_back(retry: str, seconds: float) -> None:
    lines = ["event: full", 'data: {"reason": "there are 2"}', f"retry: {retry}", ""]
    assert list(parse_feed(lines)) == [Message("full", {"reason": "there are 2"}, None, seconds)]


def test_a_message_cut_off_is_not_given() -> None:
    assert list(parse_feed(["event: opened", "id: 1:7", 'data: {"id": "a"}'])) == []
