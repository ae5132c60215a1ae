"""Debian's own Chromium, and all that a page in it complains of; Playwright fetches no browser."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from patience import PATIENCE_SECONDS, unavailable
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

TELL_VIOLATIONS: Final = """
addEventListener("securitypolicyviolation", (event) => console.error(
  `content policy: ${event.effectiveDirective} forbids ${event.blockedURI} ${event.sample}`));
"""
BINARIES: Final = ("chromium-headless-shell", "chromium")
"""The first has no windows, tabs and toolbars, which without a screen would be drawn all the same."""
OF_NOBODY: Final = r"401 .*/v1/session\)$"
"""What the console says while nobody has logged in: a page can only ask who does."""


class Complaints:
    """What a test's pages complained of: errors on the console, in their code, and against their content policy."""

    def __init__(self) -> None:
        self._heard: list[str] = []
        self._expected = [OF_NOBODY]

    def expect(self, pattern: str) -> None:
        """Takes complaints that match for what the test provokes, as `r"409 .*/v1/streams\\)$"`."""
        self._expected.append(pattern)

    def listen(self, context: BrowserContext) -> None:
        """Hears all pages that it will have."""
        context.add_init_script(TELL_VIOLATIONS)
        context.on("console", self._take_message)
        context.on("weberror", lambda error: self._heard.append(f"thrown: {error.error}"))

    def check(self) -> None:
        """Fails where there was one that nobody expected."""
        wrong = [each for each in self._heard if not any(re.search(pattern, each) for pattern in self._expected)]
        assert not wrong, "\n".join(wrong)

    def _take_message(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "assert"}:
            self._heard.append(f"{message.text} ({message.location['url']})")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Runs as long as the block does.

    Meanwhile an event loop of Playwright's runs in this thread, so nothing else may run one: keep it to a module.
    """
    found = filter(None, map(shutil.which, BINARIES))
    binary = next(found, None) or unavailable(f"Chromium (Debian package {BINARIES[0]})")
    expect.set_options(timeout=1000 * PATIENCE_SECONDS)
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=binary, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def tab(
    browser: Browser, complaints: Complaints, *, width: int = 1440, height: int = 900, scheme: str = "light"
) -> Iterator[Page]:
    """An empty page that knows nothing of others; light or dark as the machine would say."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="Europe/Berlin",
    )
    context.set_default_timeout(1000 * PATIENCE_SECONDS)
    complaints.listen(context)
    try:
        yield context.new_page()
    finally:
        context.close()
