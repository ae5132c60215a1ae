"""The page's views, each as it is when there is something to see in it, and the dialogs that open over them."""

import json
from collections.abc import Mapping
from typing import Any, Final

from api_server import an_event
from default_layout import keys_of
from patience import eventually
from playwright.sync_api import Page, expect
from web_server import Handler, web_server

from page.house import House
from shared.clock import now_ms

FAULTY: Final = "hall"
"""A camera that is knocked, over and over."""
DIALOGS: Final = {
    "review-keys": ("review", "Keys of the review"),
    "event-delete": ("event", "Delete"),
    "camera-forget": ("camera", "New normal"),
    "camera-remove": ("camera", "Remove…"),
    "target-form": ("delivery", "Add target"),
    "dead-letters": ("delivery", "Not delivered"),
    "target-delete": ("delivery", "Delete"),
    "key-form": ("keys", "Make a key"),
    "unsaved": ("many", "Sign out"),
}
"""By name: the view, and the button that opens it."""
PLACES: Final = ("login", "wall", "camera", "review", "event", "add", "many", "system", "models", "delivery", "keys")
VIEWS: Final = (*PLACES, *DIALOGS)
PICTURED: Final = {"wall", "camera", "review", "event"}
PICTURES: Final = """() => {
  const isSeen = (each) => {
    const { top, bottom } = each.getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
  };
  const drawn = [...document.querySelectorAll("main .tile canvas")].map((each) => !each.hidden && each.width > 16);
  const read = [...document.querySelectorAll("main img")].filter(isSeen).map((each) => each.complete);
  return drawn.length + read.length > 0 && [...drawn, ...read].every(Boolean);
}"""
"""Whether all pictures have come."""
SETTLE_MS: Final = 300
"""Until what has come is drawn."""
LONG_AGO_MS: Final = 90_000_000
PASTED: Final = "Gate,rtsp://user:pass@127.0.0.1:1/main\nvtest.avi\nYard,vtest.avi"


def furnish(house: House) -> Mapping[str, str]:
    """Has an event with its pictures and clip, and a letter that was given up; gives the place of each view by name."""
    house.play(FAULTY, house.render("moved"), name="Hall", groups=["north"])
    event_id = house.event(FAULTY)["id"]

    def has_clip() -> bool:
        media = house.ask("GET", f"/v1/events/{event_id}")["media"]
        return media is not None and media["clip"] is not None

    eventually(has_clip, "a clip")
    with web_server() as server:
        server.RequestHandlerClass = type("Hook", (Handler,), {"do_POST": Handler.do_GET})
        server.answers["/in"] = lambda handler: handler.reply(500)
        target = {"id": "desk", "url": server.url("/in"), "labels": ["fell"], "severity": "alert"}
        house.ask("POST", "/v1/targets", target)
        give_up(house, "desk")
    return {
        "login": "",
        "wall": "#/wall",
        "camera": f"#/camera/{FAULTY}",
        "review": "#/review",
        "event": f"#/event/{event_id}",
        "add": "#/add",
        "many": "#/add/many",
        "system": "#/system",
        "models": "#/system/models/camera-events",
        "delivery": "#/system/delivery",
        "keys": "#/system/keys",
    }


def give_up(house: House, target_id: str) -> dict[str, Any]:
    """A letter to a target that was tried for a day, as its receiver has it now."""
    event = an_event("attic", now_ms() - LONG_AGO_MS, "fell").model_dump_json()
    letter: dict[Any, Any] = {"t": target_id, "s": "attic", "k": "opened", "e": event, "m": "1.5-0"}
    house.store.xadd(keys_of("attic").outbox, letter, id=f"{now_ms() - LONG_AGO_MS}-0")
    path = f"/v1/targets/{target_id}/dead-letters"
    [dead] = eventually(lambda: house.ask("GET", path)["items"], "a dead letter")
    assert json.loads(dead["event"])["label"] == "fell"
    return dict(dead)


def show(house: House, page: Page, places: Mapping[str, str], view: str) -> Page:
    """Goes to a view, as the admin, and waits until it is there."""
    place, opener = DIALOGS.get(view, (view, None))
    if view == "login":
        page.goto(house.url)
        page.get_by_label("Key").wait_for()
        return page
    house.enter(page, place=places[place])
    expect(page.locator("main .loading[role=status]")).to_have_count(0)
    if view in PICTURED:
        page.wait_for_function(PICTURES)
        page.wait_for_timeout(SETTLE_MS)
    if place == "many":
        page.get_by_label("One camera a line").fill(PASTED)
        page.get_by_role("button", name="Check").click()
        expect(page.get_by_role("button", name="Add 2")).to_be_enabled()
    if opener:
        page.get_by_role("button", name=opener, exact=True).first.click()
        page.get_by_role("dialog").wait_for()
        expect(page.locator("dialog .loading")).to_have_count(0)
    return page
