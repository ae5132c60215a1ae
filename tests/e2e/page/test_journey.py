"""The page as somebody uses it on the first day: from the first login to a camera that tells others what happens."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from browser import Complaints
from cameras import camera_server
from patience import eventually
from playwright.sync_api import Locator, Page, expect
from web_server import Handler, web_server

from page.conftest import OpenTab
from page.house import House

NAME: Final = "Gate"
LABEL: Final = "moved"


@contextmanager
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a receiver that takes everything, and what it has taken."""
    taken: list[dict[str, Any]] = []

    def take(handler: Handler) -> None:
        taken.append(json.loads(handler.rfile.read(int(handler.headers["Content-Length"]))))
        handler.reply(204)

    with web_server() as server:
        server.RequestHandlerClass = type("Hook", (Handler,), {"do_POST": take})
        yield server.url("/in"), taken


def log_in(page: Page, house: House) -> None:
    page.goto(house.url)
    page.get_by_label("Key").fill(house.key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("header .who")).to_be_visible()
    page.evaluate("window.isTheFirst = true")


def add_camera(page: Page, url: str) -> None:
    page.get_by_role("link", name="Add camera").click()
    page.get_by_label("Name", exact=True).fill(NAME)
    page.get_by_label("Source", exact=True).fill(url)
    page.get_by_role("button", name="Try").click()
    found = page.locator(".add-found")
    expect(found).to_contain_text("h264")
    expect(found.get_by_role("img", name="The source's first picture")).to_be_visible()
    page.get_by_role("button", name="Add", exact=True).click()
    page.wait_for_url("**/#/camera/gate")


def see_it_live(page: Page) -> None:
    expect(page.get_by_text("● Live")).to_be_visible()
    picture = page.get_by_role("img", name=f"Live picture of {NAME}")
    shown = picture.get_attribute("src")
    eventually(lambda: picture.get_attribute("src") != shown, "another picture")
    assert picture.evaluate("(image) => image.decode().then(() => image.naturalWidth)") >= 192


def see_it_happen(page: Page) -> Locator:
    """On the wall, then in the review, without anything being read anew by hand; the newest event there."""
    page.get_by_role("link", name="Wall").click()
    tile = page.get_by_role("link", name=NAME)
    expect(tile).to_contain_text("Live")
    expect(tile).to_contain_text(LABEL)
    page.get_by_role("link", name="Review").click()
    cards = page.get_by_role("article", name=f"{LABEL} on {NAME}")
    expect(cards.nth(1)).to_be_visible()
    assert page.evaluate("window.isTheFirst"), "it is still the page that was opened first"
    return cards.last


def look_at_it(page: Page, card: Locator, house: House) -> str:
    """Opens an event with its pictures, plays its clip, marks it wrong; its id."""
    card.get_by_role("link", name=NAME).click()
    page.wait_for_url("**/#/event/*")
    event_id = page.url.rpartition("/")[2].partition("?")[0]
    for kind in ("before", "opening", "peak"):
        picture = page.get_by_role("img", name=f"{kind} on {NAME}")
        assert picture.evaluate("(image) => image.decode().then(() => image.naturalWidth)") >= 192, kind
    clip = page.locator("video")
    clip.evaluate("(video) => video.play()")
    eventually(lambda: clip.evaluate("(video) => video.currentTime > 0.5"), "the clip plays")
    page.get_by_role("button", name="Wrong", exact=True).click()
    expect(page.get_by_role("button", name="Wrong", exact=True)).to_have_attribute("aria-pressed", "true")
    assert house.ask("GET", f"/v1/events/{event_id}")["feedback"]["verdict"] == "wrong"
    return event_id


def export(page: Page, event_id: str) -> None:
    page.get_by_role("link", name="Review").click()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="JSON lines").click()
    lines = [json.loads(line) for line in Path(downloading.value.path()).read_text().splitlines()]
    assert next(each for each in lines if each["id"] == event_id)["feedback"]["verdict"] == "wrong"


def change_a_threshold(page: Page, house: House) -> None:
    page.get_by_role("link", name="Wall").click()
    page.get_by_role("link", name=NAME).click()
    page.get_by_role("spinbutton", name=f"Opens at: {LABEL}").fill("0.999")
    trial = page.get_by_role("region", name="What these thresholds would have given")
    expect(trial).to_contain_text("instead of")
    page.get_by_role("button", name="Save").click()
    kept = eventually(lambda: house.ask("GET", "/v1/streams/gate")["thresholds"].get(LABEL), "the threshold is kept")
    assert kept["enter"] == pytest.approx(0.999)


def tell_others(page: Page, url: str, taken: list[dict[str, Any]]) -> None:
    page.get_by_role("link", name="System").click()
    page.get_by_role("link", name="Delivery").click()
    page.get_by_role("button", name="Add target").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Id", exact=True).fill("home")
    dialog.get_by_label("URL", exact=True).fill(url)
    dialog.get_by_role("button", name="Add target").click()
    secret = page.get_by_role("dialog", name="The secret of home")
    assert secret.get_by_role("textbox").input_value().startswith("whsec_")
    secret.get_by_role("button", name="Done").click()
    page.get_by_role("button", name="Test: home").click()
    expect(page.get_by_text("It took the message.")).to_be_visible()
    assert "event.test" in [message["type"] for message in taken]


@pytest.mark.timeout(400)
def test_the_first_day(open_tab: OpenTab, house: House, complaints: Complaints) -> None:
    complaints.expect(r"401 .*/v1/|WebSocket")  # of what a view was asking as one signed out
    film = house.media / house.render(LABEL)
    page = open_tab()
    with camera_server(film) as camera, hook() as (url, taken):
        log_in(page, house)
        add_camera(page, camera.url())
        see_it_live(page)
        card = see_it_happen(page)
        export(page, look_at_it(page, card, house))
        change_a_threshold(page, house)
        tell_others(page, url, taken)
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Key")).to_be_visible()


ATTEMPTS: Final = {
    "POST /v1/streams": {"name": "x", "source": "room001.mp4"},
    "PATCH /v1/streams/yard": {"fps": 1},
    "DELETE /v1/streams/yard": None,
    "POST /v1/streams/yard/pause": None,
    "POST /v1/targets": {"id": "x", "url": "https://example.com"},
    "POST /v1/keys": {"name": "x", "role": "admin"},
}


def test_a_viewer_is_offered_nothing_to_change_and_refused_it(
    viewer_page: Page, house: House, complaints: Complaints
) -> None:
    complaints.expect("403 ")
    page = viewer_page
    expect(page.get_by_role("link", name="Yard")).to_contain_text("Live")
    expect(page.get_by_role("link", name="Add camera")).to_have_count(0)
    page.goto(f"{house.url}/#/add")
    expect(page.get_by_text("Your key reads only.")).to_be_visible()
    page.goto(f"{house.url}/#/camera/yard")
    expect(page.get_by_role("heading", name="Yard")).to_be_visible()
    expect(page.get_by_role("spinbutton", name="Opens at: moved")).to_be_visible()
    for name in ("Save", "Pause", "Remove…", "New normal"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    page.goto(f"{house.url}/#/system/keys")
    expect(page.get_by_text("This is for keys of the role admin")).to_be_visible()
    page.goto(f"{house.url}/#/review")
    for name in ("Right", "Wrong", "Keep", "Delete"):
        expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
    send = """async ([attempt, body]) => {
      const [method, path] = attempt.split(" ");
      const { csrf_token: token } = await (await fetch("/v1/session")).json();
      const headers = { "X-CSRF-Token": token, "Content-Type": "application/json" };
      return (await fetch(path, { method, headers, body: body && JSON.stringify(body) })).status;
    }"""
    for attempt, body in ATTEMPTS.items():
        assert page.evaluate(send, [attempt, body]) == 403, attempt
