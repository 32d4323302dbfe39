"""The annotation page without a network, without a login, without a server: nothing lost, nothing twice."""

from __future__ import annotations

import contextlib
import random
import time

import pytest
from playwright.sync_api import Error, Page, expect
from test_web_access import complaints
from test_web_pages import answers, given, settled_on
from web_browser import Visits, eventually, settled, text_of
from web_site import PASSWORD, RunningSite, running

from _crew import Server
from activelab.project import insight, open_project
from activelab.project.labelling import queue as queueing
from activelab.project.labelling.rounds import begin_round
from activelab.project.store import accounts

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


# ---------------------------------------------------------------- each by itself


def test_opening_the_page_holds_nothing_until_the_first_answer(site: RunningSite, visit: Visits):
    ann, bob = (visit(site, name, "/label") for name in ("ann", "bob"))
    assert text_of(ann) != text_of(bob)
    assert insight.overview(site.project).open_leases == 0
    press(ann, "1")
    # A third of what waits, and of what she has answered nothing.
    eventually(lambda: insight.overview(site.project).open_leases == 20, ann)
    first = press(bob, "2")  # among the next for ann, too, by now or not
    eventually(lambda: len(given(site)) == 2, bob)
    assert first in {f"text of {code}" for code in given(site)}
    seen = {press(ann, "1") for _ in range(20)}
    assert first not in seen
    expect(ann.locator("#refused")).to_be_hidden()


def test_undo_and_what_is_refused_while_the_network_is_away(site: RunningSite, visit: Visits):
    visit.expected = f"{AWAY}|409"
    page = visit(site, "ann", "/label")
    press(page, "1")
    eventually(lambda: len(given(site)) == 1, page)
    page.context.set_offline(True)
    tried, untried = press(page, "1"), press(page, "2")
    expect(page.locator("#unsent")).to_have_text("Offline: 2 answers are kept here")
    page.keyboard.press("u")
    expect(page.locator("#example")).to_have_text(untried)
    expect(page.locator("#unsent")).to_have_text("Offline: 1 answer is kept here")
    page.keyboard.press("u")  # it may have reached the server
    expect(page.locator("#example")).to_have_text(tried)
    page.keyboard.press("u")
    expect(page.locator("#notes")).to_contain_text("Offline: what is stored already can be taken back when")
    expect(page.locator("#count")).to_have_text("1 by you")
    press(page, "3")
    assert complaints(page) == []
    lost = press(page, "3")
    code = int(lost.rsplit(" ", 1)[1])
    site.project.database.write(lambda c: queueing.reclaim(c, time.time() + 700))
    site.project.put_label(site.people["bob"], code, "cat", source="api")
    page.context.set_offline(False)
    expect(page.locator("#refused-words")).to_have_text("1 answer is not stored")
    eventually(lambda: given(site).get(int(tried.rsplit(" ", 1)[1])) == "eel", page)
    assert len(given(site)) == 3
    page.reload()
    settled(page).locator("#refused-words").click()
    expect(page.locator("#refused-list")).to_contain_text(f"{lost}eelthe example has gone to somebody else")
    assert complaints(page) == []
    page.get_by_role("button", name="Forget").click()
    expect(page.locator("#refused")).to_be_hidden()


def test_nobody_s_answers_are_sent_by_somebody_else(site: RunningSite, visit: Visits):
    visit.expected = f"{AWAY}|403|401"
    page = visit(site, "ann", "/label")
    press(page, "1")
    eventually(lambda: len(given(site)) == 1, page)
    other = page.context.new_page()
    settled_on(other, "/account")
    page.context.add_cookies(
        [{"name": key, "value": value, "url": site.url} for key, value in site.cookies("bob").items()]
    )
    press(page, "2")
    dialog = page.get_by_role("dialog", name="Log in again")
    expect(dialog).to_contain_text("bob is logged in here now, and you are not; 1 answer is kept here.")
    assert complaints(page) == []
    dialog.get_by_role("button", name="Later").click()
    expect(page.locator("#unsent")).to_have_text("You were logged out: 1 answer is kept here")
    press(page, "2")
    assert len(given(site)) == 1
    other.get_by_role("button", name="Log out", exact=True).click()
    expect(other.locator("#logout-kept")).to_contain_text("2 answers are kept in this browser")
    page.get_by_role("button", name="Log in").click()
    dialog.get_by_label("Password").fill("wrong one")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text("Name and password do not match.")
    dialog.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    eventually(lambda: len(given(site)) == 3, page)
    assert {row["annotator"] for row in answers(site)} == {"ann"}


def test_what_is_answered_in_one_tab_is_asked_in_no_other(site: RunningSite, visit: Visits):
    page = visit(site, "ann", "/label")
    press(page, "1")
    eventually(lambda: len(given(site)) == 1, page)
    second = page.context.new_page()
    settled_on(second, "/label")
    shown = press(page, "2")
    expect(second.locator("#notes")).to_contain_text("answered the last example in another tab")
    assert text_of(second) != shown


def test_classes_and_guidelines_that_change_are_told(site: RunningSite, visit: Visits):
    page = visit(site, "ann", "/label")
    shown = text_of(page)
    site.project.change_settings({"classes": ("cat", "dog", "eel", "fox", "gnu"), "guidelines": "Look."})
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#news-words")).to_have_text("2 new classes: fox, gnu. The guidelines have changed.")
    expect(page.locator("#example")).to_have_text(shown)
    page.keyboard.press("5")
    eventually(lambda: [*given(site).values()] == ["gnu"], page)
    page.keyboard.press("g")
    expect(page.locator("#guidelines-text")).to_have_text("Look.")


def test_the_page_says_why_there_is_nothing(tmp_path, visit: Visits):
    with running(tmp_path / "p.db", n=1, automatic=False) as site:
        (one,) = site.project.lease(site.people["bob"])
        page = visit(site, "ann", "/label")
        box = page.locator("#example")
        expect(box).to_contain_text("others are at work on the rest")
        expect(box).to_contain_text("What they have not answered in about 10 minutes comes back.")
        site.project.record(site.people["bob"], one.id, "label", label="cat")
        page.reload()
        expect(box).to_contain_text("all of this round is labelled")
        site.project.database.write(begin_round)
        page.reload()
        expect(box).to_contain_text("a round is being trained")
