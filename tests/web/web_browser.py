"""A real browser, and what tests of pages wait for."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from web_site import RunningSite

# On a machine that is busy with other things a page may take its time.
PATIENCE = 60.0
expect.set_options(timeout=1000 * PATIENCE)

WINDOWS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}

# A server that ended with its test; other addresses are blocked by the policy, which is a complaint.
_ENDED = "net::ERR_CONNECTION_REFUSED"

# Blocked scripts, styles and connections are complaints like others.
_REPORT = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
"""


# Without the window that nobody sees, a page takes a third of the time.
_PROGRAM = shutil.which("chromium-headless-shell") or "/usr/bin/chromium"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Chromium, once a module."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_PROGRAM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visits:
    """Opens pages as somebody.

    Attributes
    ----------
    trouble : list of str
        What the browser complained of: errors of scripts, blocked content, dialogs, failed requests. When
        the test is over there must be none.
    expected : str
        A pattern of complaints that the test provokes itself.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser, self._contexts = browser, list[BrowserContext]()
        self.trouble: list[str] = []
        self.expected: str | None = None

    def __call__(self, site: RunningSite, name: str | None, path: str, **options: Any) -> Page:
        """A page in a window of its own, when its script has done what it does first."""
        # Without motion no colour is half-way to another when its contrast is measured.
        context = self._browser.new_context(base_url=site.url, reduced_motion="reduce", **options)
        context.set_default_timeout(1000 * PATIENCE)
        context.add_init_script(_REPORT)
        self._contexts.append(context)
        if name is not None:
            context.add_cookies(
                [{"name": key, "value": value, "url": site.url} for key, value in site.cookies(name).items()]
            )
        page = context.new_page()
        page.on("pageerror", lambda error: self._complain(str(error)))
        page.on("console", lambda said: self._complain(said.text) if said.type == "error" else None)
        page.on("dialog", lambda dialog: (self._complain(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(path)
        return settled(page)

    def _complain(self, words: str) -> None:
        expected = self.expected is not None and re.search(self.expected, words)
        if not expected and _ENDED not in words:
            self.trouble.append(words)

    def close(self) -> None:
        """Close all windows."""
        for context in self._contexts:
            context.close()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visits]:
    """`Visits`; complaints of the browser are failures."""
    visits = Visits(chromium)
    yield visits
    visits.close()
    assert not visits.trouble, visits.trouble


def settled(page: Page) -> Page:
    """The page, when its script has done what it does first."""
    expect(page.locator("main")).to_have_attribute("aria-busy", "false")
    return page


def text_of(page: Page) -> str:
    """The example that is shown."""
    expect(page.locator("#example")).to_have_attribute("aria-busy", "false")
    return page.locator("#example").inner_text()


def eventually(condition: Callable[[], bool], page: Page | None = None) -> None:
    """Wait until something is the case; with a page, until it did something that is heard of here."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came"
        if page is None:
            time.sleep(0.05)
        else:
            page.wait_for_timeout(50)
