"""The page around its views: the way in and out, what it says when the api is away, light and dark, the keyboard."""

import os
import re
import signal
from pathlib import Path

import pytest
from browser import Complaints
from patience import eventually
from playwright.sync_api import Page, Route, expect

from page.conftest import OpenTab
from page.house import House
from services.api.security.keys import ApiKey

PAGE = Path(__file__).resolve().parents[3] / "services" / "api" / "page"
MODULES = sorted(path.relative_to(PAGE).as_posix() for path in PAGE.rglob("*.js") if path.name != "app.js")
API_IS_AWAY = (
    r"ERR_(CONNECTION_\w+|INCOMPLETE_CHUNKED_ENCODING|CONTENT_LENGTH_MISMATCH|EMPTY_RESPONSE|NETWORK\w*)"
    r"|WebSocket connection|50[234] "
)

AS_ONE_SIGNED_OUT = r"401 .*/v1/|WebSocket"
"""What a view was asking then, or was being connected to."""


def log_in(page: Page, key: str) -> None:
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()


def test_the_key_that_up_has_made_opens_it_and_signing_out_closes_it(
    open_tab: OpenTab, house: House, complaints: Complaints
) -> None:
    complaints.expect(AS_ONE_SIGNED_OUT)
    page = open_tab()
    page.goto(f"{house.url}/#/system")
    expect(page.get_by_label("Key")).to_be_focused()
    log_in(page, house.key)
    expect(page.locator("header .who")).to_have_text("first admin key (admin)")
    expect(page.get_by_role("link", name="System")).to_have_attribute("aria-current", "page")
    page.reload()
    expect(page.locator("header .who")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Key")).to_be_visible()
    expect(page.get_by_text("The session has ended")).to_have_count(0)
    page.reload()
    expect(page.get_by_label("Key")).to_be_visible()


def test_a_wrong_key_is_told_beside_the_field(open_tab: OpenTab, house: House) -> None:
    page = open_tab()
    page.goto(house.url)
    for wrong, why in ((house.key[:-1], "That is not a whole key."), (ApiKey.new().text, "no such key")):
        log_in(page, wrong)
        expect(page.locator(".field .error")).to_contain_text(why)
        expect(page.get_by_label("Key")).to_have_attribute("aria-invalid", "true")
    log_in(page, f" {house.key}\n")
    expect(page.locator("header .who")).to_be_visible()


def test_a_session_that_ends_says_so_and_one_is_where_one_was(
    open_tab: OpenTab, house: House, complaints: Complaints
) -> None:
    complaints.expect(r"401 |ERR_INCOMPLETE_CHUNKED_ENCODING|WebSocket")
    key_id, key = house.new_key("operator")
    page = house.enter(open_tab(), key, "#/review?label=moved")
    house.ask("DELETE", f"/v1/keys/{key_id}")
    expect(page.get_by_text("The session has ended")).to_be_visible()
    log_in(page, house.key)
    expect(page.get_by_role("link", name="Review")).to_have_attribute("aria-current", "page")
    assert page.url.endswith("#/review?label=moved")


def test_as_many_tabs_as_one_likes_follow_what_happens(page: Page, house: House) -> None:
    tabs = [page.context.new_page() for _ in range(7)]
    for each in tabs:
        each.goto(f"{house.url}/#/system")
        expect(each.get_by_role("heading", name="Workers")).to_be_visible()
        expect(each.get_by_text("The live feed is interrupted")).to_have_count(0)
    for each in tabs:
        each.close()


def test_an_api_that_restarts_is_told_and_it_goes_on_by_itself(
    page: Page, house: House, complaints: Complaints
) -> None:
    complaints.expect(API_IS_AWAY)
    expect(page.locator(".notice")).to_have_count(0)
    killed = house.system.pid_of("services.api")
    assert killed
    os.kill(killed, signal.SIGKILL)
    expect(page.locator(".notice")).to_contain_text(re.compile("interrupted|does not answer"))
    expect(page.locator(".notice")).to_have_count(0)
    expect(page.locator("header .who")).to_be_visible()
    assert house.system.pid_of("services.api") != killed


def test_a_page_that_is_opened_while_the_api_is_away_waits_for_it(
    page: Page, house: House, complaints: Complaints
) -> None:
    complaints.expect(API_IS_AWAY)
    page.route("**/v1/session", lambda route: route.abort("connectionrefused"), times=2)
    page.reload()
    expect(page.get_by_role("status")).to_contain_text("does not answer")
    expect(page.locator("header .who")).to_be_visible()


def test_it_is_light_or_dark_as_the_machine_is_until_somebody_turns_it(open_tab: OpenTab, house: House) -> None:
    def is_dark(page: Page) -> bool:
        red, green, blue = map(
            int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
        )
        return red + green + blue < 150

    light, dark = (house.enter(open_tab(scheme=scheme)) for scheme in ("light", "dark"))
    assert (is_dark(light), is_dark(dark)) == (False, True)
    light.emulate_media(color_scheme="dark")
    eventually(lambda: is_dark(light), "it follows the machine")
    dark.get_by_role("button", name="Theme: As the machine").click()
    expect(dark.get_by_role("button", name="Theme: Light")).to_be_visible()
    assert not is_dark(dark)
    dark.emulate_media(color_scheme="light")
    dark.emulate_media(color_scheme="dark")
    dark.reload()
    expect(dark.get_by_role("button", name="Theme: Light")).to_be_visible()
    assert not is_dark(dark)
    for name in ("Light", "Dark"):
        dark.get_by_role("button", name=f"Theme: {name}").click()
    expect(dark.get_by_role("button", name="Theme: As the machine")).to_be_visible()


def focused(page: Page) -> str:
    name: str = page.evaluate(
        "document.activeElement.textContent.trim() || document.activeElement.getAttribute('aria-label')"
    )
    return name


def test_the_keyboard_reaches_all_of_it_and_skips_to_the_content(page: Page) -> None:
    names = []
    for _ in range(8):
        page.keyboard.press("Tab")
        names.append(focused(page))
    assert names == ["Skip to content", "Afterimage", "Wall", "Review", "Add camera", "System", "◐", "Sign out"]
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "what has the focus is seen"
    page.reload()
    page.locator("header .who").wait_for()
    page.keyboard.press("Tab")
    assert page.get_by_role("link", name="Skip to content").bounding_box()["x"] >= 0  # type: ignore[index]
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    expect(page.get_by_role("link", name="Wall")).to_have_attribute("aria-current", "page")


def test_a_viewer_is_offered_no_cameras_to_add(viewer_page: Page, house: House) -> None:
    expect(viewer_page.get_by_role("link", name="Review")).to_be_visible()
    expect(viewer_page.get_by_role("link", name="Add camera")).to_have_count(0)


def test_a_place_that_there_is_not_says_so(page: Page, house: House) -> None:
    for place in ("nothing", "__proto__", "constructor", "toString"):
        page.goto(f"{house.url}/#/{place}")
        expect(page.get_by_text("There is no such page.")).to_be_visible()
    page.get_by_role("link", name="Wall").click()
    expect(page.get_by_text("There is no such page.")).to_have_count(0)


def test_what_is_gone_says_so(page: Page, house: House, complaints: Complaints) -> None:
    complaints.expect("404 ")
    page.goto(f"{house.url}/#/event/yard.moved.1")
    expect(page.get_by_text("This event is not there any more")).to_be_visible()


def test_a_view_that_could_not_be_loaded_says_so_and_is_tried_again(
    page: Page, house: House, complaints: Complaints
) -> None:
    complaints.expect(r"ERR_FAILED")
    page.route("**/page/views/system/bars.js", lambda route: route.abort())
    page.goto(f"{house.url}/#/system")
    expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("main h2").first).to_be_visible()
    assert page.url.endswith("#/system")


def test_a_view_that_failed_is_well_at_another_place_and_when_tried_again(
    page: Page, house: House, complaints: Complaints
) -> None:
    def broken(route: Route) -> None:
        reply = route.fetch()
        route.fulfill(response=reply, json=reply.json() | {"created_at_ms": 10**20})

    page.route("**/v1/streams/yard", broken)
    page.goto(f"{house.url}/#/camera/yard")
    expect(page.get_by_role("alert")).to_contain_text("This view has failed")
    page.goto(f"{house.url}/#/camera/room")
    expect(page.get_by_role("heading", name="Room")).to_be_visible()
    page.goto(f"{house.url}/#/camera/yard")
    expect(page.get_by_role("alert")).to_contain_text("This view has failed")
    page.unroute_all(behavior="ignoreErrors")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Yard")).to_be_visible()


def test_the_tab_says_what_is_looked_at_and_how_many_alerts_are_open(
    page: Page, house: House, complaints: Complaints
) -> None:
    complaints.expect(AS_ONE_SIGNED_OUT)
    expect(page).to_have_title(re.compile(r"^(\(\d+\) )?Wall · Afterimage$"))
    page.goto(f"{house.url}/#/camera/yard")
    expect(page).to_have_title(re.compile(r"^(\(\d+\) )?Yard · Afterimage$"))
    page.evaluate(
        """() => import("/page/lib/live.js").then(({ open }) => {
          open.value = new Map([["a", { severity: "alert" }]]);
        })"""
    )
    expect(page).to_have_title("(1) Yard · Afterimage")
    page.goto(f"{house.url}/#/system")
    expect(page).to_have_title(re.compile(r"System · Afterimage$"))
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_title("Afterimage")


def test_a_clock_that_is_an_hour_off_is_told(open_tab: OpenTab, house: House) -> None:
    page = open_tab()
    page.add_init_script("{ const real = Date.now; Date.now = () => real() - 3_600_000; }")
    house.enter(page)
    expect(page.get_by_text("This machine's clock is 60 min behind")).to_be_visible()


def test_every_module_is_whole(page: Page, house: House) -> None:
    load = "(names) => Promise.all(names.map((name) => import(`/page/${name}`))).then((all) => all.length)"
    assert page.evaluate(load, MODULES) == len(MODULES)


@pytest.mark.parametrize(
    "fault",
    [
        "setTimeout(() => nothing())",
        "console.error('a')",
        "fetch('/v1/streams/nobody')",
        "document.body.append(Object.assign(document.createElement('script'), { text: '1' }))",
        "document.body.append(Object.assign(new Image(), { src: 'http://127.0.0.2/a.png' }))",
    ],
    ids=range(5),
)
def test_what_goes_wrong_in_a_page_fails_its_test(page: Page, complaints: Complaints, fault: str) -> None:
    complaints.check()
    with page.expect_console_message() if "setTimeout" not in fault else page.expect_event("pageerror"):
        page.evaluate(f"() => {{ {fault}; }}")
    page.wait_for_timeout(100)
    with pytest.raises(AssertionError):
        complaints.check()
    complaints.expect("")
