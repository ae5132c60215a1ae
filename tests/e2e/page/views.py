"""The page's views, each as it is when there is something to see in it."""

from collections.abc import Mapping
from typing import Final

from patience import eventually
from playwright.sync_api import Page, expect

from page.house import House

FAULTY: Final = "hall"
"""A camera that is knocked, over and over."""
VIEWS: Final = ("login", "wall", "camera", "review", "event", "add", "system")
SETTLE_MS: Final = 3000
"""Until pictures have come."""


def furnish(house: House) -> Mapping[str, str]:
    """Has an event with its pictures and clip, and gives the place of each view by name."""
    house.play(FAULTY, house.render("moved"), name="Hall", groups=["north"])
    event_id = house.event(FAULTY)["id"]

    def has_clip() -> bool:
        media = house.ask("GET", f"/v1/events/{event_id}")["media"]
        return media is not None and media["clip"] is not None

    eventually(has_clip, "a clip")
    return {
        "login": "",
        "wall": "#/wall",
        "camera": f"#/camera/{FAULTY}",
        "review": "#/review",
        "event": f"#/event/{event_id}",
        "add": "#/add",
        "system": "#/system",
    }


def show(house: House, page: Page, places: Mapping[str, str], view: str) -> Page:
    """Goes to a view, as the admin, and waits until it is there."""
    if view == "login":
        page.goto(house.url)
        page.get_by_label("Key").wait_for()
    else:
        house.enter(page, place=places[view])
        expect(page.locator("main .loading[role=status]")).to_have_count(0)
        page.wait_for_timeout(SETTLE_MS)
    return page
