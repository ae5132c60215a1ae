"""The wall: a tile for every stream, pictures for those that are seen, and what needs somebody found at a glance."""

import json
import re
from collections.abc import Iterator

import pytest
from browser import Complaints
from patience import eventually
from playwright.sync_api import Locator, Page, expect

from page.conftest import OpenTab
from page.house import House

ARABIC = ("كاميرا " * 19)[:128].strip()
NUM_PAUSED = 40
NOBODY = "rtsp://127.0.0.1:9/main"
PUT = """([path, body]) => import("/page/lib/api.js").then(({ ask }) => ask("PUT", path, { body }))"""
MUTE = """
const { set } = Object.getOwnPropertyDescriptor(WebSocket.prototype, "onmessage");
Object.defineProperty(WebSocket.prototype, "onmessage", {
  set(hear) { set.call(this, (message) => { if (!window.isMuted) hear(message); }); },
});
"""
"""No picture comes any more once the page is muted."""
BEGINS = """(element) => {
  const range = document.createRange();
  range.setStart(element.firstChild, 0);
  range.setEnd(element.firstChild, 1);
  const { left, right } = range.getBoundingClientRect();
  return (left + right) / 2;
}"""
"""Where a text's first letter stands."""
AWAY = {
    "errors": [{"code": "store_unavailable", "message": "x"}],
    "detail": "Redis: Error 2 connecting to unix:/tmp/a.sock.",
}


@pytest.fixture(scope="module")
def paused(house: House) -> Iterator[None]:
    """More streams than a screen holds, of which none costs anything."""
    for number in range(NUM_PAUSED):
        house.play(f"store-{number:02}", "vtest.avi", name=f"Store {number:02}", groups=["stores"], paused=True)
    yield
    for number in range(NUM_PAUSED):
        house.ask("DELETE", f"/v1/streams/store-{number:02}")


@pytest.fixture
def calm_yard(house: House) -> Iterator[None]:
    """Nothing is open on one of the cameras; else it may be live for half a minute without being pointed at."""
    house.ask("PATCH", "/v1/streams/yard", {"thresholds": {"activity": {"enter": 0.999, "exit": 0.998}}})
    yield
    house.ask("PATCH", "/v1/streams/yard", {"thresholds": {}})


def tile(page: Page, name: str) -> Locator:
    return page.locator(".tile").filter(has=page.locator(".name", has_text=re.compile(f"^{re.escape(name)}$")))


def names(page: Page) -> list[str]:
    return page.locator(".tile .name").all_inner_texts()


def test_a_tile_has_a_picture_and_leads_to_its_camera(page: Page) -> None:
    yard = tile(page, "Yard")
    expect(yard.locator("canvas")).to_be_visible()
    expect(yard.locator(".standing")).to_contain_text("Live")
    expect(yard.locator(".figures")).to_contain_text("fps")
    eventually(lambda: yard.locator("canvas").evaluate("canvas => canvas.width > 16"), "a picture is drawn")
    expect(page.locator(".summary")).to_contain_text("2 live")
    yard.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#/camera/yard$"))


def test_who_is_away_says_why_and_comes_first_where_that_is_wanted(page: Page, house: House, paused: None) -> None:
    house.ask("PUT", "/v1/streams/away", {"name": "Zone 9", "source": NOBODY, "offline_seconds": 5})
    away = tile(page, "Zone 9")
    expect(away.locator(".none")).to_contain_text("connection refused")
    expect(away.locator(".standing")).to_contain_text("Waiting")
    expect(away.locator(".tag")).to_have_text("▲ offline")
    expect(away).to_have_class(re.compile("open alert hue-"))
    assert names(page).index("Store 00") < names(page).index("Zone 9")
    page.get_by_label("Order").select_option("What needs attention first")
    eventually(lambda: names(page).index("Zone 9") < names(page).index("Store 00"), "it is first")
    page.get_by_role("button", name="in trouble").click()
    expect(tile(page, "Store 00")).to_have_count(0)
    expect(away).to_be_visible()
    page.get_by_role("button", name="in trouble").click()
    page.get_by_label("Open event").select_option("offline")
    expect(page).to_have_url(re.compile("label=offline"))
    expect(page.locator(".tile")).to_have_count(1)
    house.ask("DELETE", "/v1/streams/away")
    expect(page.get_by_text("No stream is like that.")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(tile(page, "Yard")).to_be_visible()


def test_arrow_keys_lead_from_tile_to_tile(page: Page, paused: None) -> None:
    expect(page.locator(".tile")).to_have_count(NUM_PAUSED + 2)
    columns = page.locator(".tiles").evaluate("(list) => getComputedStyle(list).gridTemplateColumns.split(' ').length")
    page.locator(".tile").first.focus()
    for key, at in {"ArrowRight": 1, "ArrowDown": 1 + columns, "ArrowLeft": columns, "ArrowUp": 0}.items():
        page.keyboard.press(key)
        expect(page.locator(".tile").nth(at)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".tile").first).to_be_focused()


def test_what_is_looked_for_stands_in_the_address(page: Page, paused: None) -> None:
    expect(tile(page, "Yard")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("store 1")
    expect(page.locator(".tile")).to_have_count(10)
    page.get_by_label("Group").select_option("stores")
    page.get_by_label("Tiles").select_option("Small")
    expect(page).to_have_url(re.compile(r"#/wall\?text=store\+1&group=stores&size=small$"))
    page.reload()
    expect(page.locator(".tile")).to_have_count(10)
    expect(page.get_by_label("Search")).to_have_value("store 1")
    page.get_by_label("Search").fill("")
    page.get_by_label("Group").select_option("Every group")
    page.get_by_label("Order").select_option("By group")
    expect(page.locator("main h2")).to_have_text([re.compile(f"^{name} ") for name in ("north", "south", "stores")])


def test_only_what_is_near_is_asked_for_and_what_is_pointed_at_is_live(
    open_tab: OpenTab, house: House, paused: None, calm_yard: None
) -> None:
    page, said = open_tab(width=800, height=600), list[dict[str, float]]()

    def hear(text: str | bytes) -> None:
        said.append(json.loads(text)["streams"])

    page.on("websocket", lambda socket: socket.on("framesent", hear))
    house.enter(page)
    expect(page.locator(".tile")).to_have_count(NUM_PAUSED + 2)
    page.wait_for_function("() => document.querySelectorAll('.tile').length > 40")

    def asked() -> dict[str, float]:
        page.wait_for_timeout(100)
        return said[-1] if said else {}

    eventually(
        lambda: {"store-00": 0.1}.items() <= asked().items(), "the first are asked for, seldom as they are paused"
    )
    assert not {"yard", "store-39"} & asked().keys()
    tile(page, "Yard").scroll_into_view_if_needed()
    eventually(lambda: {"yard", "store-39"} <= asked().keys() and "store-00" not in asked(), "others now")
    tile(page, "Yard").hover()
    eventually(lambda: asked()["yard"] == 8, "live under the pointer")
    page.mouse.move(1, 1)
    eventually(lambda: asked()["yard"] < 8, "and then not")


def test_a_picture_that_is_too_old_says_so(open_tab: OpenTab, house: House) -> None:
    page = open_tab()
    page.add_init_script(MUTE)
    yard = tile(house.enter(page), "Yard")
    yard.scroll_into_view_if_needed()
    expect(yard.locator("canvas")).to_be_visible()
    yard.hover()
    expect(yard.locator(".age")).to_have_count(0)
    page.evaluate("() => { window.isMuted = true; }")
    expect(yard.locator(".age")).to_contain_text(re.compile(r"no newer picture for \d.* s"))
    page.evaluate("() => { window.isMuted = false; }")
    expect(yard.locator(".age")).to_have_count(0)


def test_a_stream_that_pauses_and_goes_on_is_told_without_a_reload(page: Page, house: House) -> None:
    room = tile(page, "Room")
    expect(room.locator("canvas")).to_be_visible()
    house.ask("POST", "/v1/streams/room/pause")
    expect(room.locator(".standing")).to_contain_text("Paused")
    expect(room.locator(".view.dim")).to_be_visible()
    expect(room.locator(".age")).to_have_count(0)
    house.ask("POST", "/v1/streams/room/resume")
    expect(room.locator(".standing")).to_contain_text("Live")


def test_while_the_store_is_away_nobody_is_said_to_be_live(page: Page, complaints: Complaints) -> None:
    complaints.expect(r"503 .*/v1/")
    yard = tile(page, "Yard")
    expect(yard.locator(".standing")).to_contain_text("Live")
    page.route("**/v1/streams?*", lambda route: route.fulfill(status=503, json=AWAY))
    expect(yard.locator(".standing")).to_have_text("? Not known now")
    expect(page.locator(".summary")).to_contain_text("2 were live when last read")
    expect(page.get_by_text("lost Redis")).to_have_count(1)
    expect(page.get_by_text("a.sock")).to_have_count(0)
    page.unroute("**/v1/streams?*")
    expect(yard.locator(".standing")).to_contain_text("Live")
    expect(page.get_by_text("lost Redis")).to_have_count(0)


def test_what_was_added_here_is_there_before_the_next_read(page: Page, house: House) -> None:
    expect(tile(page, "Yard")).to_be_visible()
    page.goto(f"{house.url}/#/add")
    page.route("**/v1/streams?*", lambda _: None)
    page.evaluate(PUT, ["/v1/streams/shed", {"name": "Shed", "source": "vtest.avi", "paused": True}])
    page.goto(f"{house.url}/#/wall")
    expect(tile(page, "Shed")).to_be_visible()
    page.evaluate("""() => import("/page/lib/api.js").then(({ ask }) => ask("DELETE", "/v1/streams/shed"))""")
    expect(tile(page, "Shed")).to_have_count(0)
    page.unroute_all(behavior="ignoreErrors")


def test_a_long_name_of_another_script_takes_no_more_room(page: Page, house: House) -> None:
    house.play("arabic", "vtest.avi", name=ARABIC, paused=True)
    page.reload()
    arabic = tile(page, ARABIC)
    expect(arabic).to_be_visible()
    size, other = arabic.bounding_box(), tile(page, "Yard").bounding_box()
    assert size
    assert other
    assert (size["width"], size["height"]) == pytest.approx((other["width"], other["height"]), abs=0.5)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440
    name = arabic.locator(".name")
    assert name.evaluate("(element) => getComputedStyle(element).direction") == "rtl", "it is cut where it ends"
    begins = name.evaluate(BEGINS)
    box = name.bounding_box()
    assert box
    assert box["x"] <= begins <= box["x"] + box["width"], "its beginning is seen"
    house.ask("DELETE", "/v1/streams/arabic")


def test_a_key_sees_its_own_groups_and_is_told_where_there_is_nothing(open_tab: OpenTab, house: House) -> None:
    south = house.enter(open_tab(), house.new_key("viewer", "south")[1])
    expect(tile(south, "Room")).to_be_visible()
    assert names(south) == ["Room"]
    nowhere = house.enter(open_tab(), house.new_key("viewer", "nowhere")[1])
    expect(nowhere.get_by_text("There is no camera in the groups that this key is for: nowhere.")).to_be_visible()
    expect(nowhere.get_by_role("link", name="Add the first one")).to_have_count(0)
