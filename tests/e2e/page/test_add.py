"""Adding cameras: tried, judged beside each field, and many at once."""

from browser import Complaints
from patience import eventually
from playwright.sync_api import Page, Route, expect

from page.house import ROOM, YARD, House

REFUSED = r"4(12|22) .*/v1/streams/"
LOGIN = "rtsp://viewer:s3cret-word@127.0.0.1:1/main"


def test_a_camera_is_tried_and_added(page: Page, house: House) -> None:
    page.goto(f"{house.url}/#/add")
    page.get_by_label("Name", exact=True).fill("Back yard")
    expect(page.get_by_label("Id", exact=True)).to_have_value("back-yard")
    page.get_by_label("Source", exact=True).fill(YARD)
    page.get_by_role("button", name="Try").click()
    found = page.locator(".add-found")
    expect(found).to_contain_text("768 × 576 pixels")
    picture = found.get_by_role("img", name="The source's first picture")
    assert picture.evaluate("async (image) => { await image.decode(); return image.naturalWidth }") > 100
    page.get_by_label("Groups", exact=True).fill("north, back")
    page.get_by_label("Tags", exact=True).fill("outdoor floor:0")
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Begin a file again when it ends").check()
    page.get_by_role("button", name="Add", exact=True).click()
    page.wait_for_url("**/#/camera/back-yard")
    made = house.ask("GET", "/v1/streams/back-yard")
    assert (made["groups"], made["tags"], made["loop"]) == (["back", "north"], ["floor:0", "outdoor"], True)


def test_what_is_wrong_stands_beside_its_field(page: Page, house: House, complaints: Complaints) -> None:
    complaints.expect(REFUSED)
    page.goto(f"{house.url}/#/add")
    for label, typed in {"Name": "Odd", "Id": "yard", "Source": "../x.mp4", "Groups": "-x", "Tags": "outdoor"}.items():
        page.get_by_label(label, exact=True).fill(typed)
    add = page.get_by_role("button", name="Add", exact=True)
    add.click()
    groups = page.get_by_label("Groups", exact=True)
    expect(groups).to_have_attribute("aria-invalid", "true")
    expect(groups).to_be_focused()
    groups.fill("north")
    add.click()
    expect(page.get_by_text("There is a camera with this id already")).to_be_visible()
    page.get_by_label("Id", exact=True).fill("odd")
    add.click()
    expect(page.locator(".field.wrong")).to_contain_text("Source")
    page.get_by_label("Source", exact=True).fill("rtsp://127.0.0.1:1/none")
    page.get_by_role("button", name="Try").click()
    expect(page.locator(".field.wrong .error")).to_contain_text("It gives no picture:")
    assert "odd" not in [each["id"] for each in house.ask("GET", "/v1/streams")["items"]]


def test_many_are_judged_and_added_and_no_login_is_shown_back(page: Page, house: House, complaints: Complaints) -> None:
    complaints.expect(REFUSED)
    page.goto(f"{house.url}/#/add/many")
    box = page.get_by_label("One camera a line")
    box.fill(f"# the new ones\nGate east, {LOGIN}\n{YARD}\nYard,{YARD}\nroom001.mp4\nYard,room001.mp4\nNo,../x.mp4")
    page.get_by_role("button", name="Check").click()
    rows = page.locator(".add-rows tbody tr")
    expect(rows).to_have_count(6)
    expect(page.locator(".add-rows td.bad")).to_have_count(3)
    expect(rows.nth(2)).to_contain_text("another line has the same source")
    expect(rows.nth(5)).to_contain_text("source")
    assert "s3cret" not in page.content()
    assert "s3cret" not in box.input_value()
    page.get_by_role("button", name="Add 3").click()
    expect(page.get_by_text("3 added, 3 not.")).to_be_visible()
    assert box.input_value() == f"Yard,{YARD}\nYard,room001.mp4\nNo,../x.mp4"
    made = house.ask("GET", "/v1/streams/gate-east")
    assert made["source"] == "rtsp://***@127.0.0.1:1/main"
    assert {"vtest", "room001"} <= {each["id"] for each in house.ask("GET", "/v1/streams")["items"]}


def test_what_is_being_added_waits_for_an_api_that_is_away(page: Page, house: House, complaints: Complaints) -> None:
    complaints.expect("ERR_INTERNET_DISCONNECTED")
    page.goto(f"{house.url}/#/add/many")
    page.get_by_label("One camera a line").fill("rtsp://127.0.0.1:1/late-1\nrtsp://127.0.0.1:1/late-2")
    page.get_by_role("button", name="Check").click()
    page.get_by_role("button", name="Add 2").wait_for()
    page.context.set_offline(True)
    page.get_by_role("button", name="Add 2").click()
    expect(page.get_by_text("The API is away; it goes on as soon as it is back.")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_text("All 2 are added.")).to_be_visible()


def test_a_late_answer_carries_nobody_off(page: Page, house: House) -> None:
    page.goto(f"{house.url}/#/add")
    page.get_by_label("Name", exact=True).fill("Slow")
    page.get_by_label("Source", exact=True).fill(YARD)
    asked: list[Route] = []  # of the addition itself: what is only judged has a query

    def hold(route: Route) -> None:
        asked.append(route)

    page.route("**/v1/streams/slow", hold)
    with page.expect_request("**/v1/streams/slow"):
        page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("link", name="System").click()
    page.get_by_role("dialog").get_by_role("button", name="Leave").click()
    with page.expect_response("**/v1/streams/slow") as adding:
        asked[0].continue_()
    assert adding.value.status == 201
    expect(page.get_by_role("heading", name="Workers")).to_be_visible()
    page.wait_for_timeout(300)  # longer than it took to be carried off
    assert page.url.endswith("#/system")


def test_what_was_typed_is_not_lost_unasked(page: Page, house: House) -> None:
    page.goto(f"{house.url}/#/add")
    name = page.get_by_label("Name", exact=True)
    name.fill("Half")
    question = page.get_by_role("dialog", name="What is here is not saved. Leave it?")
    ways = (
        page.get_by_role("link", name="Review").click,
        page.get_by_role("button", name="Sign out").click,
        page.go_back,
    )
    for leave in ways:
        leave()
        question.get_by_role("button", name="Cancel").click()
        expect(question).to_have_count(0)
        assert page.url.endswith("#/add")
        expect(name).to_have_value("Half")
    page.go_back()
    question.get_by_role("button", name="Leave").click()
    page.wait_for_url("**/#/wall")
    expect(page.get_by_role("link", name="Yard").first).to_be_visible()
    page.get_by_role("link", name="Review").click()
    page.wait_for_url("**/#/review")


def test_who_closes_the_page_is_asked_by_the_browser(page: Page, house: House) -> None:
    page.goto(f"{house.url}/#/add")
    page.get_by_label("Name", exact=True).click()
    page.keyboard.type("Half")
    with page.expect_event("dialog") as asked:
        page.close(run_before_unload=True)
    assert asked.value.type == "beforeunload"
    asked.value.accept()


def test_groups_are_looked_for_as_they_are_typed(page: Page, house: House) -> None:
    page.goto(f"{house.url}/#/add")
    groups = page.get_by_label("Groups", exact=True)
    with page.expect_request("**/v1/groups?text=nor&limit=100"):
        groups.press_sequentially("south, nor")
    offered = page.locator("#add-groups option")
    eventually(
        lambda: offered.evaluate_all("(all) => all.map((each) => each.value)") == ["south, north"], "it is offered"
    )


def test_a_name_without_a_plain_letter_gives_an_id_that_is_free(page: Page, house: House) -> None:
    house.play("camera-1", YARD, paused=True)
    page.goto(f"{house.url}/#/add")
    page.get_by_label("Name", exact=True).fill("الباب الخلفي")
    expect(page.get_by_label("Id", exact=True)).to_have_value("camera-2")
    page.get_by_label("Name", exact=True).fill("")
    page.goto(f"{house.url}/#/add/many")
    page.get_by_label("One camera a line").fill(f"الباب,{YARD}\nباب,{ROOM}")
    expect(page.get_by_text("Pasted: 2.")).to_be_visible()
    page.get_by_role("button", name="Check").click()
    expect(page.locator(".add-rows tbody tr").nth(1)).to_contain_text("camera-3")
    expect(page.locator(".add-rows td.bad")).to_have_count(0)


def test_a_viewer_is_offered_no_form(viewer_page: Page, house: House) -> None:
    viewer_page.goto(f"{house.url}/#/add")
    expect(viewer_page.get_by_text("Your key reads only.")).to_be_visible()
    expect(viewer_page.get_by_role("button", name="Add", exact=True)).to_have_count(0)
