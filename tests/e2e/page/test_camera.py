"""One camera: its picture, its past, thresholds that are tried, and what is asked of it."""

import re
from typing import Any

import pytest
from browser import Complaints
from patience import eventually
from playwright.sync_api import Page, Route, expect

from page.conftest import OpenTab
from page.house import House

GATE = "gate"
LABEL = "moved"
SHOWN = "(image) => image.complete && image.naturalWidth > 0"


@pytest.fixture
def gate(page: Page, house: House) -> Page:
    """A camera that is knocked, in its view."""
    house.play(GATE, house.render(LABEL), name="Gate", groups=["north"])
    page.goto(f"{house.url}/#/camera/{GATE}")
    expect(page.get_by_role("heading", name="Gate")).to_be_visible()
    return page


def asked(house: House, field: str) -> Any:
    return house.ask("GET", f"/v1/streams/{GATE}")[field]


KEPT_MS = 25_000
"""Frames of the time before this are not kept any more, but in clips: the queue's 10 s, and those that are recorded."""


def clip_of(house: House) -> dict[str, Any]:
    """An event that has one, and happened so long ago that its frames are kept nowhere else."""

    def found() -> list[dict[str, Any]]:
        events = house.ask("GET", "/v1/events", stream_id=GATE)["items"]
        gone_ms = house.ask("GET", f"/v1/streams/{GATE}")["last_frame_at_ms"] - KEPT_MS
        return [each for each in events if each["media"] and each["media"]["clip"] and each["started_at_ms"] < gone_ms]

    return eventually(found, "an event with its clip alone")[0]


def test_it_is_dragged_and_moved_by_keys_through_time_and_back(gate: Page) -> None:
    live = gate.get_by_role("button", name="Live", exact=True)
    expect(live).to_have_attribute("aria-pressed", "true")
    drawing = eventually(gate.locator(".u-over").bounding_box, "the drawing")
    assert drawing
    gate.get_by_role("button", name="60 s").click()
    eventually(lambda: gate.locator(".legend .value").first.inner_text() != "–", "scores")
    chart = gate.get_by_role("group", name="Scores over time")
    chart.focus()
    gate.keyboard.press("ArrowLeft")
    expect(gate.get_by_role("button", name="Back to live")).to_be_visible()
    gate.keyboard.press("Escape")
    expect(gate.get_by_role("button", name="Back to live")).to_have_count(0)
    gate.mouse.move(drawing["x"] + 100, drawing["y"] + 60)
    gate.mouse.down()
    gate.mouse.move(drawing["x"] + 400, drawing["y"] + 60, steps=4)
    gate.mouse.up()
    gate.keyboard.press("End")
    expect(live).to_have_attribute("aria-pressed", "true")


def test_thresholds_are_tried_on_the_past_before_they_are_saved(gate: Page, house: House) -> None:
    house.event(GATE, label=LABEL, state="closed")
    gate.get_by_role("slider", name=f"Opens at, slider: {LABEL}").fill("0.99")
    trial = gate.get_by_role("region", name="What these thresholds would have given")
    expect(trial).to_contain_text(re.compile(r"\d+ events? instead of [1-9]\d* event"))
    expect(trial.locator("li").first).to_be_visible()
    assert LABEL not in asked(house, "thresholds")
    save = gate.get_by_role("button", name="Save")
    save.click()
    expect(save).to_be_disabled()
    expect(trial).to_have_count(0)
    saved = asked(house, "thresholds")[LABEL]
    own = house.ask("GET", "/v1/models")["items"][0]["thresholds"][LABEL]
    assert saved == {"enter": 0.99, "exit": own["exit"], "min_seconds": None, "merge_seconds": None}
    gate.get_by_role("spinbutton", name=f"Ends below: {LABEL}").fill("0.995")
    expect(gate.get_by_text("An event must end at or below where it opens.")).to_be_visible()
    expect(save).to_be_disabled()
    gate.get_by_role("button", name="Discard changes").click()
    gate.get_by_role("button", name=f"The model's own thresholds for {LABEL}").click()
    save.click()
    eventually(lambda: asked(house, "thresholds") == {}, "the model's own")


def test_who_was_slower_is_told_and_changes_nothing(gate: Page, house: House) -> None:
    gate.get_by_role("button", name="Camera", exact=True).click()
    gate.get_by_label("Tags").fill("mine")
    house.ask("PATCH", f"/v1/streams/{GATE}", {"tags": ["theirs"]})
    conflict = gate.get_by_text("Somebody else changed this camera meanwhile.")
    expect(conflict).to_be_visible()
    expect(gate.get_by_role("button", name="Save")).to_be_disabled()
    gate.get_by_role("button", name="Show what is so now").click()
    expect(gate.get_by_label("Tags")).to_have_value("theirs")
    assert asked(house, "tags") == ["theirs"]


def test_it_is_seen_live_with_its_scores_and_as_it_was(gate: Page, house: House) -> None:
    live = gate.get_by_role("img", name="Live picture of Gate")
    eventually(lambda: live.evaluate(SHOWN), "the live picture")
    switch = gate.get_by_role("list", name="Labels").get_by_role("button", name=re.compile(rf"{LABEL} \d\.\d\d"))
    expect(switch).to_have_attribute("aria-pressed", "true")
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "false")
    switch.click()
    drawing = eventually(gate.locator(".u-over").bounding_box, "the drawing")
    assert drawing

    def shows_a_kept_frame() -> bool:
        """Pointed at again and again: on a busy machine a frame may be gone before it is asked for."""
        for before_end in (40, 3):
            gate.mouse.move(drawing["x"] + drawing["width"] - before_end, drawing["y"] + 60)
        gate.wait_for_timeout(1000)
        return "Kept frame" in gate.locator("figcaption").inner_text()

    eventually(shows_a_kept_frame, "a kept frame")
    moment = gate.get_by_role("img", name="Gate at the moment")
    eventually(lambda: moment.evaluate(SHOWN), "a kept frame")
    gate.get_by_role("button", name="60 min").click()
    event = clip_of(house)
    gate.get_by_text("List of th").click()
    gate.locator(f".list a[href='#/event/{event['id']}']").focus()
    expect(gate.locator("figcaption")).to_contain_text("From a clip")
    eventually(lambda: gate.locator("video").evaluate("(film) => film.readyState >= 2 && film.currentTime > 0"), "it")
    gate.locator(".strip .bar").first.click()
    gate.wait_for_url("**/#/event/gate.*")


def test_what_is_refused_stands_beside_its_field(gate: Page, house: House, complaints: Complaints) -> None:
    complaints.expect(rf"422 .*/v1/streams/{GATE}\)$")
    gate.get_by_role("button", name="Camera", exact=True).click()
    gate.get_by_label("Tags").fill("a b!c")
    gate.get_by_role("button", name="Save").click()
    expect(gate.locator(".field.wrong .error")).to_contain_text("What you wrote is not allowed here")
    gate.get_by_label("Tags").fill("a, b")
    gate.get_by_label("Frames per second to look at").fill("4")
    gate.get_by_role("button", name="Try this source").click()
    expect(gate.get_by_text("It gives pictures.")).to_be_visible()
    gate.get_by_role("button", name="Save").click()
    eventually(lambda: (asked(house, "tags"), asked(house, "fps")) == (["a", "b"], 4), "what was saved")


def test_delivery_is_asked_for(gate: Page, house: House) -> None:
    gate.get_by_role("button", name="Delivery", exact=True).click()
    gate.get_by_label("Maintenance", exact=True).check()
    gate.get_by_label("Deliver only what begins in these hours").check()
    gate.get_by_role("button", name="Sat").click()
    gate.get_by_label("Severity: glitch").select_option("notice")
    gate.get_by_label("Rest after one was delivered, seconds: glitch").fill("60")
    gate.get_by_role("button", name="Save").click()
    expect(gate.get_by_text("Maintenance: nothing is delivered")).to_be_visible()
    hours = {"days": ["mon", "tue", "wed", "thu", "fri", "sat"], "begin": "18:00", "end": "07:00"}
    assert asked(house, "schedule") == {"time_zone": "Europe/Berlin", "hours": [hours]}
    rule = {"severity": "notice", "cooldown_seconds": 60.0, "min_seconds": 0.0}
    assert (asked(house, "maintenance"), asked(house, "delivery")) == (True, {"glitch": rule})


def test_it_is_paused_forgets_and_goes(gate: Page, house: House, complaints: Complaints) -> None:
    complaints.expect(rf"404 .*/v1/streams/{GATE}/")  # of what was being asked as it went
    gate.get_by_role("button", name="Pause").click()
    expect(gate.get_by_text("‖ Paused")).to_be_visible()
    gate.get_by_role("button", name="Resume").click()
    expect(gate.get_by_text("● Live")).to_be_visible()
    gate.get_by_role("button", name="New normal").click()
    gate.get_by_role("button", name="Take this as usual").click()
    expect(gate.get_by_role("dialog")).to_have_count(0)
    gate.get_by_role("button", name="Remove…").click()
    remove = gate.get_by_role("dialog").get_by_role("button", name="Remove", exact=True)
    expect(remove).to_be_disabled()
    gate.get_by_label("Type its name to remove it").fill("Gate")
    remove.click()
    gate.wait_for_url("**/#/wall")
    assert GATE not in [each["id"] for each in house.ask("GET", "/v1/streams")["items"]]


def test_a_viewer_may_try_thresholds_and_save_none(open_tab: OpenTab, house: House) -> None:
    page = house.enter(open_tab(width=390), house.new_key("viewer")[1], "#/camera/yard")
    page.get_by_role("slider", name="Opens at, slider: activity").fill("0.05")
    expect(page.get_by_role("region", name="What these thresholds would have given")).to_contain_text("instead of")
    for name in ("Save", "Pause", "Remove…", "New normal", "Camera", "Delivery"):
        expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)


def test_one_that_is_not_there_is_said_to_be_so(page: Page, house: House, complaints: Complaints) -> None:
    complaints.expect(r"404 .*/v1/streams/nobody\)$")
    page.goto(f"{house.url}/#/camera/nobody")
    expect(page.get_by_text("There is no camera “nobody”")).to_be_visible()
    complaints.expect(r"422 .*/v1/streams/%25E0%25A4%25A\)$")
    page.goto(f"{house.url}/#/camera/%E0%A4%A")
    expect(page.get_by_text("There is no camera “%E0%A4%A”")).to_be_visible()


def test_one_that_is_looked_at_late_says_so_as_its_tile_does(page: Page, house: House) -> None:
    def late(route: Route) -> None:
        reply = route.fetch()
        route.fulfill(response=reply, json=reply.json() | {"lag_frames": 600})

    page.route("**/v1/streams/yard", late)
    page.goto(f"{house.url}/#/camera/yard")
    expect(page.locator(".top .state.warn")).to_have_text("! Live")
    expect(page.locator(".top .reason")).to_contain_text("It is looked at")
    page.unroute_all(behavior="ignoreErrors")
    expect(page.locator(".top .state.good")).to_have_text("● Live")


def test_a_model_that_is_not_read_yet_is_not_said_to_be_unknown(page: Page, house: House) -> None:
    held = list[Route]()

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/v1/models", hold)
    page.goto(f"{house.url}/#/camera/yard")
    expect(page.locator(".forms")).to_contain_text("Loading")
    expect(page.get_by_text("is not on the API's machine")).to_have_count(0)
    for route in held:
        route.continue_()
    page.unroute_all(behavior="ignoreErrors")
    expect(page.get_by_role("slider", name="Opens at, slider: activity")).to_be_visible()


@pytest.mark.parametrize("at_ms", ["99999999999999999", "-99999999999999999", "Infinity"])
def test_a_moment_that_there_never_is_shows_the_nearest(page: Page, house: House, at_ms: str) -> None:
    page.goto(f"{house.url}/#/camera/yard?at={at_ms}")
    expect(page.get_by_role("button", name="Back to live")).to_be_visible()
    expect(page.get_by_text("This view has failed")).to_have_count(0)
