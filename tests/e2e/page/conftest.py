"""What every test of the page has: a browser, a running system, and an end at which nothing was complained of."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from browser import Complaints, chromium, tab
from playwright.sync_api import Browser, Page

from page.house import House, open_house

OpenTab = Callable[..., Page]
"""An empty page; takes `width`, `height` and `scheme` ("light" or "dark")."""


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="package")
def one_house(tmp_path_factory: pytest.TempPathFactory, reference_data: Path) -> Iterator[House]:
    """The system with two cameras on real footage, `yard` and `room`; it takes longer to start than most tests."""
    with open_house(tmp_path_factory.mktemp("house"), reference_data) as running:
        yield running


@pytest.fixture(scope="module")
def house(one_house: House) -> Iterator[House]:
    """The system with its two cameras; what a test adds stays for the module, and no longer."""
    yield one_house
    one_house.tidy()


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    """Of all pages of the test; none is there at its end that the test did not expect."""
    heard = Complaints()
    yield heard
    heard.check()


@pytest.fixture
def open_tab(browser: Browser, complaints: Complaints) -> Iterator[OpenTab]:
    """Opens pages that nobody has logged in, each in a browser of its own."""
    with ExitStack() as tabs:

        def opened(**options: Any) -> Page:
            return tabs.enter_context(tab(browser, complaints, **options))

        yield opened


@pytest.fixture
def page(open_tab: OpenTab, house: House) -> Page:
    """The wall, as the admin sees it."""
    return house.enter(open_tab())


@pytest.fixture
def viewer_page(open_tab: OpenTab, house: House) -> Page:
    """The wall, as a viewer sees it."""
    return house.enter(open_tab(), house.new_key("viewer")[1])
