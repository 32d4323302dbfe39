"""The annotation page without a network, without a login, without a server: nothing lost, nothing twice."""

from __future__ import annotations

import contextlib
import json
import random
import re
import time

import pytest
from playwright.sync_api import Error, Page, Route, expect
from test_web_access import complaints
from test_web_pages import CONTENTS, answers, given
from web_browser import Visits, eventually, settled, text_of
from web_site import PASSWORD, RunningSite, running

from _crew import Server
from activelab.project import insight, open_project
from activelab.project.labelling.rounds import begin_round
from activelab.project.store import accounts
from activelab.project.training.round import train_round

pytestmark = pytest.mark.slow

CLASSES = ("cat", "dog", "eel")
AWAY = "ERR_INTERNET_DISCONNECTED|ERR_CONNECTION|ERR_FAILED|ERR_ABORTED|ERR_EMPTY_RESPONSE|ERR_SOCKET"


@pytest.fixture
def site(tmp_path):
    with running(tmp_path / "p.db", n=40, guidelines="Look twice.") as one:
        yield one


@pytest.fixture
def served():
    """Starts a server as a process of its own, which ends with the test."""
    started = []

    def start(place: object) -> Server:
        started.append(Server(str(place), "--no-train"))
        return started[-1]

    yield start
    for one in started:
        one.kill()


def press(page: Page, key: str) -> str:
    """Answer what is shown; what it was."""
    shown = text_of(page)
    page.keyboard.press(key)
    expect(page.locator("#example")).not_to_have_text(shown)
    return shown


def log_out(site: RunningSite, name: str) -> None:
    """End the sessions of somebody, as by another device."""
    site.project.database.write(lambda c: accounts.end_sessions(c, site.people[name]))
    site.state.forget_accounts()


# ---------------------------------------------------------------- two hundred labels


def test_two_hundred_labels_whatever_breaks(tmp_path, visit: Visits, served, request):
    """The network goes five times, the tab twice, the session once, the server once: each is stored once."""
    visit.expected = f"{AWAY}|401|403"
    place = tmp_path / "p.db"
    with running(place, n=260) as site:
        cookies = site.cookies("ann")
    server = served(place)
    url = f"http://127.0.0.1:{server.port}"
    site.url = url
    page = visit(site, None, "/login")
    page.context.add_cookies([{"name": key, "value": value, "url": url} for key, value in cookies.items()])

    def opened() -> Page:
        new = page.context.new_page()
        new.goto("/label")
        return settled(new)

    page, draw = opened(), random.Random(1)
    request.addfinalizer((project := open_project(place)).close)
    pressed: dict[str, str] = {}
    breaks = dict.fromkeys((20, 50, 80, 110, 140), "network") | dict.fromkeys((35, 125), "tab")
    breaks |= {65: "session", 95: "server"}
    while len(pressed) < 200:
        what = breaks.pop(len(pressed), None)
        if what:  # the script is faster than people are, and than what was taken ahead
            eventually(lambda: project.labels().n_labels == len(pressed), page)
        if what == "network":
            page.context.set_offline(True)
            for _ in range(6):
                place_of = draw.randrange(3)
                pressed[press(page, "123"[place_of])] = CLASSES[place_of]
            expect(page.locator("#unsent")).to_have_text("Offline: 6 answers are kept here")
            page.context.set_offline(False)
        elif what == "tab":
            page.context.set_offline(True)
            for _ in range(3):
                pressed[press(page, "2")] = "dog"
            page.wait_for_timeout(50)
            with contextlib.suppress(Error):
                page.goto("chrome://crash")
            page.close()
            page.context.set_offline(False)
            page = opened()
        elif what == "session":
            project.database.write(lambda c: accounts.end_sessions(c, site.people["ann"]))
            time.sleep(1.1)  # for so long an account is believed
            pressed[press(page, "1")] = "cat"
            dialog = page.get_by_role("dialog", name="Log in again")
            expect(dialog).to_contain_text("You were logged out; 1 answer is kept here.")
            dialog.get_by_label("Password").fill(PASSWORD)
            page.keyboard.press("Enter")
            expect(dialog).to_be_hidden()
        elif what == "server":
            server.kill()
            for _ in range(5):
                pressed[press(page, "3")] = "eel"
            server.start()
        shown, place_of = text_of(page), draw.randrange(3)
        page.keyboard.press("123"[place_of])
        # What was pressed just when the tab was killed may be asked again.
        assert shown not in pressed or what == "tab", shown
        pressed[shown] = CLASSES[place_of]
        expect(page.locator("#example")).not_to_have_text(shown)
    eventually(lambda: project.labels().n_labels >= 200, page)
    labels = project.labels()
    stored = zip(labels.example.tolist(), labels.classes[labels.label].tolist(), strict=True)
    assert labels.n_labels == len(pressed) == 200
    assert {f"text of {code}": label for code, label in stored} == pressed
    given_in_all = "SELECT count(*) FROM event WHERE kind = 'label'"
    assert project.database.read(lambda c: c.exec_driver_sql(given_in_all).scalar()) == 200
    expect(page.locator("#unsent")).to_be_empty()
