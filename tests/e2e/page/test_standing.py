"""Where a stream stands, as the page tells it: who needs somebody, and who is only quiet."""

from collections.abc import Iterator
from typing import Any

import pytest
from browser import Complaints, tab
from playwright.sync_api import Browser, Page

from page.house import House

STANDINGS = """async (looks) => {
  const { lookedAt } = await import("/page/lib/standing.js");
  let seen, standing;
  for (const [nowMs, view] of looks) ({ standing, seen } = lookedAt(view, seen, nowMs));
  return standing;
}"""
VIEW: dict[str, Any] = {
    "id": "a", "name": "A", "groups": [], "tags": [], "state": "live", "reason": None, "maintenance": False, "fps": 5.0,
    "source": "rtsp://a",
    "pace": "live", "duration_seconds": None, "offline_seconds": 30.0, "next_attempt_at_ms": None, "lag_frames": 0,
    "frames_processed": 100, "last_frame_at_ms": 1_000_000,
}  # fmt: skip


@pytest.fixture(scope="module")
def page(browser: Browser, house: House) -> Iterator[Page]:
    """One for all: only its modules are asked, and it takes far longer to open."""
    heard = Complaints()
    with tab(browser, heard) as page:
        yield house.enter(page, place="#/system")
    heard.check()


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([(1_010_000, {})], {"isTroubled": False, "silentSinceMs": None, "looksAtFps": None}),
        (
            [(1_000_000, {}), (1_005_000, {"frames_processed": 120, "last_frame_at_ms": 1_004_900})],
            {"isTroubled": False, "looksAtFps": 4},
        ),
        ([(1_031_000, {})], {"isTroubled": True, "silentSinceMs": 1_000_000}),
        (
            [(9_000_000, {"duration_seconds": 20.0}), (9_005_000, {"duration_seconds": 20.0})],
            {"isTroubled": False, "silentSinceMs": None},
        ),
        (
            [(9_000_000, {"duration_seconds": 20.0}), (9_031_000, {"duration_seconds": 20.0})],
            {"isTroubled": True, "silentSinceMs": 9_000_000},
        ),
        (
            [(9_000_000, {"source": "/media/a.h264", "pace": "fast"})],
            {"isFile": True, "isTroubled": False, "silentSinceMs": None},
        ),
        ([(1_000_000, {"lag_frames": 151})], {"isTroubled": True, "isBehind": True, "lagMs": 30_200}),
        ([(1_000_000, {"lag_frames": 151, "pace": "fast"})], {"isTroubled": False, "isBehind": False}),
        ([(1_000_000, {"state": "pending"})], {"isTroubled": False, "pendingSinceMs": None}),
        (
            [(1_000_000, {"state": "pending"}), (1_016_000, {"state": "pending"})],
            {"isTroubled": True, "pendingSinceMs": 1_000_000},
        ),
        ([(1_000_000, {"state": "connecting"})], {"isTroubled": False}),
        ([(1_000_000, {"state": "connecting", "reason": "refused"})], {"isTroubled": True}),
        ([(1_000_000, {"state": "ended", "lag_frames": 9})], {"isTroubled": False, "lagFrames": 0}),
        ([(1_000_000, {"reason": "no model"})], {"isTroubled": True}),
    ],
    ids=[
        "well",
        "rate",
        "silent camera",
        "file of another time",
        "silent file",
        "file of no known length",
        "behind",
        "fast",
        "new",
        "not taken up",
        "connects",
        "connects again",
        "ended",
        "live with a reason",
    ],
)
def test_who_needs_somebody(page: Page, looks: list[tuple[int, dict[str, Any]]], expected: dict[str, Any]) -> None:
    standing = page.evaluate(STANDINGS, [[at_ms, VIEW | changed] for at_ms, changed in looks])
    assert expected.items() <= standing.items()
