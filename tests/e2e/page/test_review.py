"""The review: what has happened is found, looked at, judged and left behind, by keyboard and by hand."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
from api_server import an_event, write_event
from browser import Complaints
from default_layout import keys_of
from patience import eventually
from playwright.sync_api import Locator, Page, expect

from page.conftest import OpenTab
from page.house import ROOM, House
from shared.clock import now_ms

MANY: Final = 2_600
HOUR_MS: Final = 3_600_000


class Past:
    """A camera that stands still, with events of an hour ago."""

    def __init__(self, house: House, stream_id: str) -> None:
        self.house, self.store, self.id = house, house.store, stream_id
        house.play(stream_id, ROOM, name=f"Camera {stream_id}", groups=["past"])
        house.ask("POST", f"/v1/streams/{stream_id}/pause")
        self.since_ms = now_ms() - HOUR_MS

    def happens(self, at: int = 0, **fields: Any) -> str:
        """An event so many seconds after that hour began; its id."""
        event = an_event(
            self.id, self.since_ms + 1000 * at, fields.pop("label", "moved"), fields.pop("state", "closed")
        )
        return write_event(self.store, event.model_copy(update=fields))

    def show(self, page: Page, query: str = "") -> Locator:
        """The review of this camera alone; its cards."""
        page.goto(f"{self.house.url}/#/review?stream={self.id}{query}")
        return page.get_by_role("article")

    def of(self, event_id: str) -> dict[str, Any]:
        """An event as the admin sees it."""
        shown: dict[str, Any] = self.house.ask("GET", f"/v1/events/{event_id}")
        return shown


@pytest.fixture
def past(house: House, request: pytest.FixtureRequest) -> Past:
    return Past(house, re.sub("[^a-z]+", "-", request.node.originalname.removeprefix("test_"))[:40])


def ids(cards: Locator) -> list[str]:
    found: list[str] = cards.evaluate_all("(cards) => cards.map((card) => card.id.replace('event-', ''))")
    return found


def test_open_ones_come_first_then_the_newest_alerts_and_notices_apart(page: Page, past: Past) -> None:
    opened = past.happens(0, state="open")
    older, newer = past.happens(1), past.happens(2, label="covered")
    notice = past.happens(3, severity="notice")
    cards = past.show(page)
    expect(cards).to_have_count(3)
    assert ids(cards) == [opened, newer, older]
    expect(page.get_by_role("link", name="Alerts 3")).to_have_attribute("aria-current", "true")
    page.get_by_role("link", name="Notices 1").click()
    expect(cards).to_have_count(1)
    assert ids(cards) == [notice]
    assert "severity=notice" in page.url
    past.show(page, "&label=frozen")
    expect(page.get_by_text("No event fits these filters.")).to_be_visible()
    page.get_by_role("button", name="Without Label frozen").click()
    expect(cards).to_have_count(3)


def test_by_keyboard_alone(page: Page, past: Past) -> None:
    older, newer = past.happens(0), past.happens(1)
    cards = past.show(page)
    expect(cards).to_have_count(2)
    page.keyboard.press("j")
    expect(cards.nth(1)).to_be_focused()
    for key, words in (("w", "Wrong"), ("a", "Acknowledge"), ("s", "Keep")):
        page.keyboard.press(key)
        expect(cards.nth(1).get_by_role("button", name=words)).to_have_attribute("aria-pressed", "true")
    said = past.of(older)
    assert (said["feedback"]["verdict"], said["reviewed"], said["kept"]["by"]) == ("wrong", True, "first admin key")
    page.keyboard.press("w")
    expect(cards.nth(1).get_by_role("button", name="Wrong")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("k")
    expect(cards.nth(0)).to_be_focused()
    page.keyboard.press("v")
    expect(cards.nth(0).get_by_role("button", name="Reviewed")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press(" ")
    expect(cards.nth(0)).to_contain_text("There is no clip: no frame of it was left")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys of the review")).to_contain_text("play the clip")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(cards.nth(0)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/#/event/{newer}?stream={past.id}")
    expect(page.get_by_role("heading", name="Why it fired")).to_be_visible()
    page.keyboard.press("j")
    page.wait_for_url(f"**/#/event/{older}?stream={past.id}")


def test_many_at_once(page: Page, past: Past) -> None:
    events = [past.happens(at) for at in range(4)]
    cards = past.show(page)
    expect(cards).to_have_count(4)
    for at in range(3):
        page.keyboard.press("x")
        page.keyboard.press("j")
        expect(cards.nth(min(3, at + 1))).to_be_focused()
    expect(page.get_by_text("3 selected")).to_be_visible()
    bulk = page.locator(".bulk")
    bulk.get_by_role("button", name="Right").click()
    expect(bulk.get_by_role("status")).to_have_text("Done: 3.")
    assert [past.of(each)["feedback"] is not None for each in events] == [False, True, True, True]
    page.get_by_role("checkbox", name=re.compile("Select moved")).last.check()
    bulk.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(cards).to_have_count(4)
    bulk.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(cards).to_have_count(3)
    assert [each["id"] for each in past.house.ask("GET", "/v1/events", stream_id=past.id)["items"]] == events[:0:-1]


def test_another_tab_follows_what_is_reviewed_here(page: Page, past: Past) -> None:
    events = [past.happens(at) for at in range(3)]
    other = page.context.new_page()
    theirs, alerts = past.show(other, "&label=moved&reviewed=no"), other.get_by_role("link", name="Alerts")
    expect(alerts).to_have_text(re.compile(r"Alerts\s+3"))
    cards = past.show(page, "&label=moved")
    cards.first.get_by_role("button", name="Reviewed").click()
    expect(theirs.first).to_contain_text("reviewed")
    expect(alerts).to_have_text(re.compile(r"Alerts\s+2"))
    page.get_by_role("button", name="Select all 3").click()
    page.locator(".bulk").get_by_role("button", name="Reviewed").click()
    expect(other.locator("article.reviewed")).to_have_count(3)
    other.goto(f"{past.house.url}/#/event/{events[0]}")
    cards.last.get_by_role("button", name="Reviewed").click()
    expect(other.get_by_role("button", name="Reviewed", exact=True)).to_be_visible()


def test_what_happens_shows_by_itself_and_moves_nothing_under_the_reader(page: Page, past: Past) -> None:
    for at in range(30):
        past.happens(at)
    cards = past.show(page)
    expect(cards.first).to_be_visible()
    first = past.happens(100, state="open")
    expect(page.locator(f"[id='event-{first}']")).to_contain_text("open for")
    page.mouse.move(700, 700)
    page.mouse.wheel(0, 900)
    eventually(lambda: page.evaluate("scrollY") > 500, "it is scrolled")
    before = page.evaluate("document.elementFromPoint(200, 600).closest('article').id")
    past.happens(101, state="open")
    past.happens(102, state="open", severity="notice")
    past.happens(103, state="open")
    bar = page.get_by_role("button", name="2 new events")
    expect(bar).to_be_visible()
    assert page.evaluate("document.elementFromPoint(200, 600).closest('article').id") == before
    write_event(past.store, an_event(past.id, past.since_ms + 100_000))
    bar.click()
    expect(bar).to_have_count(0)
    assert [each.rpartition(".")[2] for each in ids(cards)[:3]] == [
        str(past.since_ms + 1000 * at) for at in (103, 101, 100)
    ]
    expect(page.locator(f"[id='event-{first}']")).not_to_contain_text("open for")


def test_what_has_closed_stands_behind_the_open_ones_once_nobody_reads_there(page: Page, past: Past) -> None:
    past.happens(0)
    cards = past.show(page)
    expect(cards).to_have_count(1)
    first, second = past.happens(10, state="open"), past.happens(11, state="open")
    eventually(lambda: len(ids(cards)) == 3, "they show")
    assert ids(cards)[:2] == [second, first]
    cards.last.hover()
    write_event(past.store, an_event(past.id, past.since_ms + 11_000))
    expect(page.locator(f"[id='event-{second}']")).not_to_contain_text("open for")
    assert ids(cards)[:2] == [second, first]
    page.mouse.move(10, 10)
    eventually(lambda: ids(cards)[:2] == [first, second], "the open one comes first")


def test_a_query_that_cannot_be_read_is_passed_over(page: Page, past: Past) -> None:
    past.happens(0)
    odd = "&since=abc&until=zz&last=-1&severity=x&state=y&feedback=z&reviewed=perhaps&nothing=1"
    expect(past.show(page, odd)).to_have_count(1)
    expect(page.get_by_role("button", name="Reset filters")).to_be_visible()  # of the camera alone
    expect(past.show(page, "&since=999999999999999")).to_have_count(0)
    expect(page.get_by_text("No event fits these filters.")).to_be_visible()


def test_nothing_is_cut_or_moved_by_what_is_said_and_selected(page: Page, past: Past) -> None:
    event_id = past.happens(0)
    for method, what in (("POST", "acknowledge"), ("PUT", "keep"), ("PUT", "reviewed")):
        past.house.ask(method, f"/v1/events/{event_id}/{what}")
    past.house.ask("PUT", f"/v1/events/{event_id}/feedback", {"verdict": "wrong"})
    cards = past.show(page)
    expect(cards.get_by_role("button", name="Reviewed")).to_have_attribute("aria-pressed", "true")
    acts = cards.locator(".acts")
    assert acts.evaluate("(acts) => [acts, ...acts.children].every((each) => each.scrollWidth <= each.clientWidth)")
    before = cards.bounding_box()
    cards.get_by_role("checkbox").check()
    expect(page.get_by_text("1 selected")).to_be_visible()
    assert cards.bounding_box() == before


def test_of_very_many_only_what_is_seen_is_drawn(page: Page, past: Past) -> None:
    keys, pipeline = keys_of(past.id), past.store.pipeline(transaction=False)
    for at in range(MANY):
        event = an_event(past.id, past.since_ms + at)
        pipeline.zadd(keys.events(past.id), {event.id: event.started_at_ms})
        pipeline.hset(keys.event_data(past.id), event.id, event.model_dump_json())
    pipeline.execute()
    cards = past.show(page)
    expect(page.get_by_role("link", name="Alerts 2,000+")).to_be_visible()
    seen: set[str] = set()

    def scrolled() -> bool:
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        shown = ids(cards)
        assert len(shown) < 80
        seen.update(shown)
        return f"{past.id}.moved.{past.since_ms}" in seen

    eventually(scrolled, "the oldest")
    expect(page.get_by_text(f"These are all: {MANY:,}.")).to_be_visible()


def test_the_same_events_as_a_file(page: Page, past: Past) -> None:
    right, _ = past.happens(0), past.happens(1)
    past.house.ask("PUT", f"/v1/events/{right}/feedback", {"verdict": "right"})
    expect(past.show(page, "&feedback=right")).to_have_count(1)
    with page.expect_download() as downloading:
        page.get_by_role("link", name="JSON lines").click()
    lines = Path(downloading.value.path()).read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [right]


def test_a_viewer_reviews_and_is_offered_no_more(
    open_tab: OpenTab, house: House, past: Past, complaints: Complaints
) -> None:
    event_id = past.happens(0)
    page = house.enter(open_tab(), house.new_key("viewer")[1])
    cards = past.show(page)
    expect(cards).to_have_count(1)
    assert cards.first.get_by_role("button").all_inner_texts() == ["Reviewed"]
    page.keyboard.press("j")
    for key in "rwas":
        page.keyboard.press(key)
    page.keyboard.press("v")
    expect(cards.first.get_by_role("button", name="Reviewed")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("x")
    assert page.locator(".bulk").get_by_role("button").all_inner_texts()[:1] == ["Reviewed"]
    said = past.of(event_id)
    assert (said["feedback"], said["acknowledged"], said["kept"], said["reviewed"]) == (None, None, None, False)
    past.show(page, "&reviewed=no")
    expect(page.get_by_text("No event fits these filters.")).to_be_visible()
    page.goto(f"{house.url}/#/event/{event_id}")
    expect(page.get_by_role("heading", name="Why it fired")).to_be_visible()
    assert page.locator("main").get_by_role("button").all_inner_texts() == ["Not reviewed"]
    complaints.expect(r"403 ")
    refused = page.evaluate(f"fetch('/v1/events/{event_id}', {{method: 'DELETE'}}).then((answer) => answer.status)")
    assert refused == 403


def test_an_event_says_why_it_fired_and_shows_what_was_seen(page: Page, house: House) -> None:
    house.play("door", house.render("moved"), name="Door")
    event_id = house.event("door", label="moved")["id"]
    page.goto(f"{house.url}/#/event/{event_id}")
    expect(page.get_by_text("by itself").or_(page.locator("video"))).to_be_visible()
    video = page.locator("video")  # it comes without anything being done
    eventually(lambda: video.count() and video.evaluate("(film) => film.readyState") >= 1, "the clip")
    for kind in ("before", "opening", "peak"):
        picture = page.get_by_role("img", name=f"{kind} on Door")
        assert picture.evaluate("(image) => image.decode().then(() => image.naturalWidth)") >= 192
    event = house.ask("GET", f"/v1/events/{event_id}")
    why = page.locator("section", has=page.get_by_role("heading", name="Why it fired"))
    expect(why).to_contain_text(f"reached {event['thresholds']['enter']}")
    expect(why).to_contain_text(event["model_sha256"])
    expect(page.locator(".score-chart canvas")).to_be_visible()
    expect(page.get_by_role("heading", name="What one frame alone would have said")).to_be_visible()
    page.get_by_label("Note").fill("the ladder")
    page.get_by_role("button", name="Wrong", exact=True).click()
    expect(page.get_by_text("Wrong, says first admin key")).to_be_visible()
    assert house.ask("GET", f"/v1/events/{event_id}")["feedback"]["note"] == "the ladder"
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.wait_for_url(re.compile(rf"#/(review|event/(?!{re.escape(event_id)}))"))
    house.ask("POST", "/v1/streams/door/pause")
