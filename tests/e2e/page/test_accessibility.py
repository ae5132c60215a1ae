"""What axe-core finds of the page: nothing that WCAG asks for at the levels A and AA."""

from collections.abc import Mapping

import pytest
from axe_playwright_python.sync_playwright import Axe

from page.conftest import OpenTab
from page.house import House
from page.views import VIEWS, furnish, show

LEVELS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")


@pytest.fixture(scope="module")
def places(house: House) -> Mapping[str, str]:
    return furnish(house)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_nobody_is_shut_out(open_tab: OpenTab, house: House, places: Mapping[str, str], view: str, scheme: str) -> None:
    page = show(house, open_tab(scheme=scheme), places, view)
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": LEVELS}})
    assert found.response["passes"]
    violations = {
        each["id"]: [(node["target"], node["failureSummary"]) for node in each["nodes"]]
        for each in found.response["violations"]
    }
    assert violations == {}


@pytest.mark.parametrize("view", VIEWS)
def test_on_a_phone_nothing_is_wider_than_the_screen(
    open_tab: OpenTab, house: House, places: Mapping[str, str], view: str
) -> None:
    page = show(house, open_tab(width=390, height=844), places, view)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
