"""What axe-core finds of the page: nothing that WCAG asks for at the levels A and AA; and it fits on a phone."""

from collections.abc import Mapping

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from page.conftest import OpenTab
from page.house import House
from page.views import VIEWS, furnish, show

LEVELS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")


@pytest.fixture(scope="module")
def places(house: House) -> Mapping[str, str]:
    return furnish(house)


def violations(page: Page) -> dict[str, list[str]]:
    """By rule, what breaks it and why."""
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": LEVELS}, "resultTypes": ["violations"]})
    assert found.response["passes"]
    return {
        each["id"]: [f"{node['target']}: {node['failureSummary']}" for node in each["nodes"]]
        for each in found.response["violations"]
    }


@pytest.mark.parametrize("view", VIEWS)
def test_nobody_is_shut_out(open_tab: OpenTab, house: House, places: Mapping[str, str], view: str) -> None:
    page = show(house, open_tab(), places, view)
    assert violations(page) == {}
    page.emulate_media(color_scheme="dark")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert violations(page) == {}, "in the dark"
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, "wider than a phone"
    assert violations(page) == {}, "on a phone"
