"""How the system stands, and what an admin does there."""

import os
import signal

from browser import Complaints
from patience import eventually
from playwright.sync_api import Page, expect
from web_server import Handler, web_server

from page.conftest import OpenTab
from page.house import House
from page.views import give_up


def test_all_of_the_system_is_seen(page: Page, house: House) -> None:
    page.goto(f"{house.url}/#/system")
    for role in ("Ingest", "Inference", "Delivery", "Recorder"):
        expect(page.get_by_role("heading", name=role)).to_be_visible()
    expect(page.locator(".sys-loud")).to_have_count(0)
    expect(page.locator(".sys-strip")).to_have_count(4)
    expect(page.get_by_role("img", name="Memory: ")).to_be_visible()
    expect(page.get_by_text("Keeps a log on disk")).to_be_visible()
    expect(page.get_by_text("No camera was away.")).to_be_visible()
    expect(page.get_by_role("link", name="live 2")).to_be_visible()


def test_a_model_is_shown_with_its_card_and_what_memory_is_for(page: Page, house: House) -> None:
    page.goto(f"{house.url}/#/system/models/camera-events")
    rows = page.locator(".sys-memory-row")
    expect(rows).to_have_count(7)
    expect(rows.first.get_by_role("img", name="covered, one frame: 0.062")).to_be_visible()
    card = page.locator(".sys-markdown")
    expect(card.get_by_role("heading", name="What memory is for")).to_be_visible()
    expect(card.get_by_role("heading", name="Pictures")).to_have_count(0)
    expect(card.locator("img")).to_have_count(0)
    expect(card.get_by_role("cell", name="memory and order").first).to_be_visible()
    assert card.locator("pre").first.inner_text().startswith("afterimage train")


def test_a_target_is_added_tested_and_deleted(page: Page, house: House) -> None:
    page.goto(f"{house.url}/#/system/delivery")
    page.get_by_role("button", name="Add target").click()
    form = page.get_by_role("dialog", name="Add target")
    form.get_by_label("Id", exact=True).fill("nobody")
    form.get_by_label("URL", exact=True).fill("http://127.0.0.1:9/in?token=s3cret-word")
    form.get_by_role("button", name="Add target").click()
    once = page.get_by_role("dialog", name="The secret of nobody")
    assert once.get_by_role("textbox").input_value().startswith("whsec_")
    once.get_by_role("button", name="Done").click()
    row = page.get_by_role("row", name="nobody")
    expect(row).to_contain_text("http://127.0.0.1:9/***")
    row.get_by_role("button", name="Test").click()
    expect(row).to_contain_text("It did not take the message:")
    row.get_by_role("button", name="Switch off").click()
    expect(row.get_by_role("button", name="Switch on")).to_be_visible()
    assert house.ask("GET", "/v1/targets/nobody")["enabled"] is False
    row.get_by_role("button", name="Not delivered").click()
    expect(page.get_by_text("Nothing was given up.")).to_be_visible()
    page.keyboard.press("Escape")
    row.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Nobody is told of events yet.")).to_be_visible()
    assert house.ask("GET", "/v1/targets")["items"] == []


def test_a_key_is_made_opens_the_page_and_is_revoked(
    page: Page, open_tab: OpenTab, house: House, complaints: Complaints
) -> None:
    complaints.expect(r"401 ")
    page.goto(f"{house.url}/#/system/keys")
    expect(page.get_by_role("row", name="yours")).to_have_count(1)
    page.get_by_role("button", name="Make a key").click()
    form = page.get_by_role("dialog", name="Make a key")
    form.get_by_label("Name", exact=True).fill("wall display")
    form.get_by_label("Groups", exact=True).fill("north")
    form.get_by_role("button", name="Make a key").click()
    once = page.get_by_role("dialog", name="The key of wall display")
    key = once.get_by_role("textbox").input_value()
    once.get_by_role("button", name="Done").click()
    theirs = house.enter(open_tab(), key, place="#/system")
    expect(theirs.get_by_text("Redis and storage are shown to operators")).to_be_visible()
    expect(theirs.get_by_role("link", name="Keys")).to_have_count(0)
    page.get_by_role("row", name="wall display").get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("Revoked and ended (1)")).to_be_visible()
    theirs.reload()
    expect(theirs.get_by_label("Key")).to_be_visible()


def test_a_viewer_sees_what_it_may(viewer_page: Page, house: House) -> None:
    viewer_page.goto(f"{house.url}/#/system")
    expect(viewer_page.get_by_role("heading", name="Workers")).to_be_visible()
    expect(viewer_page.get_by_text("Redis and storage are shown to operators")).to_be_visible()
    viewer_page.goto(f"{house.url}/#/system/keys")
    expect(viewer_page.get_by_text("This is for keys of the role admin; yours is viewer.")).to_be_visible()


def test_a_worker_that_is_dead_is_told_with_what_that_means(page: Page, house: House) -> None:
    page.goto(f"{house.url}/#/system")
    expect(page.get_by_role("heading", name="Recorder")).to_be_visible()
    recorder = house.system.pid_of("services.api.media")
    assert recorder
    os.kill(recorder, signal.SIGSTOP)  # one that was killed is there again too soon
    try:
        expect(page.locator(".sys-loud")).to_contain_text("No living recorder worker. No pictures or clips are kept")
    finally:
        os.kill(recorder, signal.SIGCONT)
    expect(page.locator(".sys-loud")).to_have_count(0)


def test_what_was_not_delivered_is_told_and_sent_again(page: Page, house: House) -> None:
    with web_server() as server:
        server.RequestHandlerClass = type("Hook", (Handler,), {"do_POST": Handler.do_GET})
        server.answers["/in"] = lambda handler: handler.reply(500)
        house.ask("POST", "/v1/targets", {"id": "desk", "url": server.url("/in"), "labels": ["fell"]})
        give_up(house, "desk")
        page.goto(f"{house.url}/#/system")
        page.get_by_role("link", name="To desk: 1.").click()
        page.get_by_role("button", name="Not delivered").click()
        letters = page.get_by_role("dialog", name="Not delivered to desk")
        expect(letters.get_by_role("row", name="attic opened fell")).to_contain_text("it answered 500 (for a day)")
        taken = len(server.asked)
        server.answers["/in"] = lambda handler: handler.reply(204)
        letters.get_by_role("button", name="Send all again").click()
        expect(letters.get_by_role("status")).to_have_text("Put back: 1. Each is tried for another day.")
        expect(letters.get_by_text("Nothing was given up.")).to_be_visible()
        eventually(lambda: len(server.asked) > taken, "it is sent")
    house.ask("DELETE", "/v1/targets/desk")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Add target").click()
    page.get_by_role("dialog").get_by_label("URL", exact=True).fill("https://a.invalid/half")
    page.go_back()
    page.get_by_role("dialog", name="What is here is not saved.").get_by_role("button", name="Leave").click()
    page.wait_for_url("**/#/system")
