"""What somebody has typed is neither lost unasked nor asked for in vain."""

from collections.abc import Callable

from api_server import an_event, write_event
from browser import Complaints
from patience import eventually
from playwright.sync_api import Page, expect

from page.house import YARD, House
from shared.clock import now_ms


def test_a_key_that_judges_takes_the_note_along(page: Page, house: House) -> None:
    house.play("stair", YARD, paused=True)
    event_id = write_event(house.store, an_event("stair", now_ms() - 60_000))
    page.goto(f"{house.url}/#/event/{event_id}")
    note = page.get_by_label("Note")

    def judge(typed: str, key: str, expected: str | None) -> None:
        if typed:
            note.fill(typed)
            note.blur()
        page.keyboard.press(key)

        def is_so() -> bool:
            feedback = house.ask("GET", f"/v1/events/{event_id}")["feedback"]
            return bool((feedback and f"{feedback['verdict']} {feedback['note']}") == expected)

        eventually(is_so, f"the verdict is {expected}")
        is_right = str(bool(expected and expected.startswith("right"))).lower()
        expect(page.get_by_role("button", name="Right", exact=True)).to_have_attribute("aria-pressed", is_right)

    judge("the ladder", "r", "right the ladder")
    expect(note).to_have_value("the ladder")
    judge("a ladder", "r", "right a ladder")
    judge("", "w", "wrong a ladder")
    judge("", "w", None)
    expect(note).to_have_value("")
    page.get_by_role("link", name="All events").click()
    page.wait_for_url("**/#/review*")


def test_a_dialog_begins_at_its_field_and_closes_over_nothing_typed_unasked(page: Page, house: House) -> None:
    page.goto(f"{house.url}/#/system/delivery")
    opener = page.get_by_role("button", name="Add target")
    opener.click()
    form = page.get_by_role("dialog", name="Add target")
    expect(form.get_by_label("Kind")).to_be_focused()
    page.keyboard.press("Escape")
    expect(form).to_have_count(0)
    expect(opener).to_be_focused()
    opener.click()
    field = form.get_by_label("Id", exact=True)
    field.fill("half")
    box = field.bounding_box()
    assert box
    page.mouse.move(box["x"] + 40, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(5, 300)
    page.mouse.up()
    question = page.get_by_role("dialog", name="What is here is not saved")
    ways: tuple[Callable[[], None], ...] = (
        lambda: page.mouse.click(5, 300),
        lambda: page.keyboard.press("Escape"),
        lambda: form.get_by_role("button", name="Close").click(),
    )
    for leave in ways:
        expect(question).to_have_count(0)
        leave()
        question.get_by_role("button", name="Cancel").click()
        expect(field).to_have_value("half")
    page.keyboard.press("Escape")
    question.get_by_role("button", name="Leave").click()
    expect(form).to_have_count(0)
    expect(opener).to_be_focused()


def test_a_secret_that_is_shown_once_stays_until_one_is_done(page: Page, house: House) -> None:
    page.goto(f"{house.url}/#/system/keys")
    page.get_by_role("button", name="Make a key").click()
    page.get_by_label("Name", exact=True).fill("short")
    page.keyboard.press("Enter")
    once = page.get_by_role("dialog", name="The key of short")
    expect(once.get_by_role("textbox")).to_be_focused()
    for key in ("Enter", "Escape", "Escape"):
        page.keyboard.press(key)
    page.mouse.click(5, 300)
    expect(once.get_by_role("button", name="Close")).to_have_count(0)
    once.get_by_role("button", name="Done").click()
    expect(once).to_have_count(0)


def test_what_was_undone_or_only_looked_at_is_not_asked_for(page: Page, viewer_page: Page, house: House) -> None:
    page.goto(f"{house.url}/#/camera/yard")
    page.get_by_role("button", name="Camera", exact=True).click()
    name, save = page.get_by_label("Name", exact=True), page.get_by_role("button", name="Save")
    name.fill("Yards")
    expect(save).to_be_enabled()
    name.fill("Yard")
    expect(save).to_be_disabled()
    viewer_page.goto(f"{house.url}/#/camera/yard")
    viewer_page.get_by_role("slider", name="Opens at, slider: activity").fill("0.11")
    expect(viewer_page.get_by_role("button", name="Discard changes")).to_be_visible()
    for each in (page, viewer_page):
        each.get_by_role("link", name="Review", exact=True).click()
        each.wait_for_url("**/#/review")


def test_a_camera_is_found_by_its_name_and_what_is_not_found_is_said_beside_the_field(page: Page, house: House) -> None:
    page.goto(f"{house.url}/#/review")
    camera = page.get_by_label("Camera", exact=True)
    camera.fill("Atlantis ?")
    camera.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Camera not found")
    assert page.url.endswith("#/review")
    camera.fill("Yard")
    camera.press("Enter")
    page.wait_for_url("**/#/review?stream=yard")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(camera).to_have_value("")


def test_what_could_not_be_sent_says_so_until_the_api_is_back(page: Page, house: House, complaints: Complaints) -> None:
    complaints.expect("ERR_INTERNET_DISCONNECTED")
    page.goto(f"{house.url}/#/add")
    page.get_by_label("Name", exact=True).fill("Late")
    page.get_by_label("Source", exact=True).fill("rtsp://127.0.0.1:1/late")
    page.context.set_offline(True)
    page.get_by_role("button", name="Add", exact=True).click()
    said = page.get_by_role("alert").get_by_text("Try again once it does.")
    expect(said).to_be_visible()
    page.context.set_offline(False)
    expect(said).to_have_count(0)
    expect(page.get_by_label("Name", exact=True)).to_have_value("Late")
