"""What somebody has typed is neither lost unasked nor asked for in vain."""

from api_server import an_event, write_event
from patience import eventually
from playwright.sync_api import Page, expect

from page.house import House
from shared.clock import now_ms


def test_a_key_that_judges_takes_the_note_along(page: Page, house: House) -> None:
    event_id = write_event(house.store, an_event("yard", now_ms() - 60_000))
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
