"""Audits through the API and on their page."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from web_browser import WINDOWS, Visits, settled
from web_site import RunningSite, running

from activelab.audit import Checker
from activelab.project import insight
from activelab.report import project_report

CLASSES = ("cat", "dog", "eel")
TRUTH = np.random.default_rng(0).integers(0, 3, 60)
CONTENTS = [{"text": f"example {i} is a {CLASSES[TRUTH[i]]}"} for i in range(60)]


@pytest.fixture
def site(tmp_path):
    """Sixty examples with two labels each; one in six is wrong."""
    with running(tmp_path / "p.db", contents=CONTENTS) as one:
        one.project.add_labels(
            (f"e{i}", who, CLASSES[(TRUTH[i] + (i % 6 == 0)) % 3])
            for i in range(60)
            for who in ("ann", "bob")
        )
        yield one


def refused(reply) -> str:
    assert reply.status_code in (404, 409, 422), reply.text
    return f"{reply.status_code} {reply.json()['message']}"


# ---------------------------------------------------------------- the API


def test_an_audit_through_the_api(site: RunningSite):
    with site.browser("jude") as jude:
        assert jude.get("/api/v1/audits").json() == []
        begun = jude.post("/api/v1/audits", json={"number": 40, "seed": 3})
        assert begun.status_code == 201
        audit = begun.json()
        assert (audit["id"], audit["drawn"], audit["by"], audit["estimate"]) == (1, 40, "jude", None)
        wrong = 0
        for turn in range(40):
            todo = jude.get("/api/v1/audits/1/next").json()
            # Nothing of what annotators say, nor where the example stands.
            assert set(todo) == {"audit", "drawn", "checked", "position", "example", "content"}
            assert (todo["checked"], todo["position"]) == (turn, turn)
            code = todo["example"]
            assert todo["content"]["text"] == CONTENTS[code]["text"]
            wrong += code % 6 == 0
            body = {"example": code, "label": CLASSES[TRUTH[code]], "seconds": 1.5}
            assert jude.post("/api/v1/audits/1/checks", json=body).status_code == 200
        end = jude.get("/api/v1/audits/1/next").json()
        assert (end["checked"], end["position"], end["example"], end["content"]) == (40, None, None, None)
        found = jude.get("/api/v1/audits/1", params={"epsilon": 0.3, "delta": 0.2}).json()
        assert (found["checked"], found["wrong"]) == (40, wrong)
        assert found["estimate"]["low"] <= 50 / 60 <= found["estimate"]["high"]
        assert (found["epsilon"], found["delta"]) == (0.3, 0.2)
        safe = jude.get("/api/v1/audits/1/safe", params={"epsilon": 0.3, "delta": 0.2})
        assert safe.headers["content-type"].startswith("text/csv")
        assert len(safe.text.splitlines()) == found["safe"] + 1
        assert jude.get("/api/v1/export?what=checks").text.count("jude") == 40
        assert [one["label"] for one in jude.get("/api/v1/decisions?limit=100").json()].count("cat") > 0


def test_a_check_counts_once_and_can_be_undone(site: RunningSite):
    with site.browser("jude") as jude, site.browser("ada") as ada:
        jude.post("/api/v1/audits", json={"number": 5})
        code = jude.get("/api/v1/audits/1/next").json()["example"]
        body = {"example": code, "label": "eel", "request": "some-request-of-mine"}
        first = jude.post("/api/v1/audits/1/checks", json=body).json()
        assert jude.post("/api/v1/audits/1/checks", json=body).json() == {**first, "repeated": True}
        again = ada.post("/api/v1/audits/1/checks", json={"example": code, "label": "cat"})
        assert refused(again) == "409 jude has checked this example already."
        assert jude.delete(f"/api/v1/examples/{code}/decision").status_code == 200
        assert jude.get("/api/v1/audits/1/next").json()["example"] == code
        later = jude.get("/api/v1/audits/1/next?after=0").json()
        assert (later["position"], later["checked"]) == (1, 0)
        assert jude.get("/api/v1/audits/1/next?after=4").json()["position"] == 0


def test_what_is_refused(site: RunningSite):
    with site.browser("jude") as jude:
        assert "404 there is no audit 1" in refused(jude.get("/api/v1/audits/1"))
        assert "404" in refused(jude.get("/api/v1/audits/1/next"))
        assert "404" in refused(jude.get("/api/v1/audits/1/safe"))
        assert "422" in refused(jude.post("/api/v1/audits", json={"number": 1}))
        jude.post("/api/v1/audits", json={"number": 5, "seed": 0})
        asked = {one.example_id for one in checks(site)}
        other = min({*range(60)} - asked)
        body = {"example": other, "label": "cat"}
        assert "does not ask for example" in refused(jude.post("/api/v1/audits/1/checks", json=body))
        body = {"example": min(asked), "label": "wolf"}
        assert "none of the classes" in refused(jude.post("/api/v1/audits/1/checks", json=body))
        assert "422" in refused(jude.get("/api/v1/audits/1?epsilon=0"))
        assert "422" in refused(jude.get("/api/v1/audits/1?checker_error=1"))


def checks(site: RunningSite):
    from activelab.project.labelling.audits import list_checks

    return site.project.database.read(lambda c: list_checks(c, 1))


def test_the_report_tells_the_audit(site: RunningSite):
    assert "No labels have been checked by an audit." in project_report(site.project)
    number = insight.draw_audit(site.project, 30, seed=0)
    for one in checks(site):
        site.project.check(site.people["jude"], number, one.example_id, CLASSES[TRUTH[one.example_id]])
    page = project_report(site.project)
    assert insight.audit_result(site.project, number).sentence in page
    assert "30 of 30" in page


# ---------------------------------------------------------------- the page


def right_class(page: Page) -> str:
    """What the example on the page is, when it takes answers."""
    expect(page.locator("#example")).to_have_attribute("aria-busy", "false")
    words = page.locator("#content").inner_text()
    found = re.search(r"is a (\w+)", words)
    assert found, words
    return found[1]


def at(page: Page, done: int, of: int) -> None:
    expect(page.locator("#progress")).to_have_text(f"{done} of {of} checked")


@pytest.mark.slow
def test_a_lead_audits_with_the_keyboard_alone(site: RunningSite, visit: Visits):
    page = visit(site, "jude", "/audit")
    expect(page.locator("#desk")).to_be_hidden()
    page.get_by_label("Labels to check").focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("12")
    page.keyboard.press("Enter")
    at(page, 0, 12)
    expect(page.locator("#example")).to_be_focused()
    for turn in range(11):
        page.keyboard.press(str(CLASSES.index(right_class(page)) + 1))
        at(page, turn + 1, 12)
        expect(page.locator("#example")).to_be_focused()
    # The last is put off, which brings it again; a mistake is undone.
    last = right_class(page)
    page.keyboard.press("s")
    assert right_class(page) == last
    page.keyboard.press(str((CLASSES.index(last) + 1) % 3 + 1))
    at(page, 12, 12)
    expect(page.locator("#results-title")).to_be_focused()
    page.keyboard.press("u")
    at(page, 11, 12)
    assert right_class(page) == last
    page.keyboard.press(str(CLASSES.index(last) + 1))
    at(page, 12, 12)
    expect(page.locator("#desk")).to_be_hidden()
    expect(page.locator("#results")).to_contain_text("of 100 labels are right")
    found = insight.audit_result(site.project, 1)
    assert (found.checked, found.by) == (12, "jude")
    truths = {one.example_id: one.class_code for one in checks(site)}
    assert truths == {code: TRUTH[code] for code in truths}


@pytest.mark.slow
@pytest.mark.parametrize("window", WINDOWS)
def test_checks_by_hand_on_any_screen_show_nothing_of_the_labels(site: RunningSite, visit: Visits, window):
    insight.draw_audit(site.project, 6, by=site.people["jude"], seed=1)
    page = visit(site, "jude", "/audit", **WINDOWS[window])
    at(page, 0, 6)
    desk = page.locator("#desk").inner_text()
    for word in ("ann", "bob", "consensus", "quality"):
        assert word not in desk
    for turn in range(6):
        page.locator("#classes").get_by_role("button", name=right_class(page)).click()
        at(page, turn + 1, 6)
    expect(page.locator("#results")).to_contain_text("6 of 6 checked")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.slow
def test_limits_a_second_audit_and_the_dashboard(site: RunningSite, visit: Visits):
    page = visit(site, "jude", "/dashboard")
    panel = page.get_by_role("region", name="Audit", exact=True)
    expect(panel).to_contain_text("How many labels are right is told by checking a few.")
    panel.get_by_role("link", name="Begin an audit").click()
    settled(page)
    number = insight.draw_audit(site.project, 52, seed=0)
    for one in checks(site):
        site.project.check(site.people["jude"], number, one.example_id, CLASSES[TRUTH[one.example_id]])
    page.reload()
    settled(page)
    page.get_by_label("Wrong at most, %").fill("50")
    page.get_by_label("Risk of more, %").fill("20")
    page.get_by_role("button", name="Count again").click()
    safe = insight.audit_result(site.project, number, epsilon=0.5, delta=0.2).safe
    assert safe > 0
    expect(page.locator("#results")).to_contain_text(f"{safe} of 60 labels are safe to ship")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download them").click()
    assert len(download.value.path().read_text().splitlines()) == safe + 1
    page.get_by_label("Checks that are wrong, %").fill("10")
    page.get_by_role("button", name="Count again").click()
    expect(page.locator("#results")).to_contain_text("by 52 checks of which 10 % are wrong themselves")
    doubted = insight.audit_result(site.project, number, checker=Checker.erring(0.1))
    expect(page.locator("#results")).to_contain_text(doubted.sentence)
    page.get_by_label("Labels to check").fill("4")
    page.get_by_role("button", name="Draw").click()
    at(page, 0, 4)
    expect(page.get_by_role("heading", name="Earlier audits")).to_be_visible()
    page.goto("/dashboard")
    settled(page)
    expect(panel).to_contain_text("None of 4 labels is checked yet.")
    expect(panel.get_by_role("link", name="Go on checking")).to_be_visible()


@pytest.mark.slow
def test_somebody_faster_is_told_of_and_the_page_goes_on(site: RunningSite, visit: Visits):
    visit.expected = "409"
    insight.draw_audit(site.project, 4, seed=0)
    page = visit(site, "jude", "/audit")
    first = checks(site)[0].example_id
    site.project.check(site.people["ada"], 1, first, CLASSES[TRUTH[first]])
    page.keyboard.press("1")
    expect(page.locator("#notes")).to_contain_text("Ada has checked this example already")
    at(page, 1, 4)
    assert checks(site)[0].class_code == TRUTH[first]
