"""Grids, practice, goal, note and flag, in a real browser."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect
from test_web_access import complaints
from web_browser import WINDOWS, Visits, settled, text_of
from web_site import RunningSite, running

from activelab.project.training.round import train_round

pytestmark = pytest.mark.slow

WORDS = {"cat": "purring fur whiskers", "dog": "barking leash bone", "eel": "river slippery fish"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    contents = [{"text": f"{WORDS[name]} number {i}"} for i in range(50) for name in WORDS]
    options: dict[str, Any] = {"bulk": True, "training_examples": 3, "pass_mark": 0.6, "daily_goal": 20}
    with running(tmp_path_factory.mktemp("web") / "p.db", contents=contents, **options) as one:
        one.project.add_labels((f"e{i}", who, [*WORDS][i % 3]) for i in range(45) for who in ("kim", "lee"))
        one.project.set_gold({f"e{i}": [*WORDS][i % 3] for i in range(120, 126)})
        for i in range(120, 126):
            one.project.decide(
                one.people["jude"], i, [*WORDS][i % 3], note=f"It says {WORDS[[*WORDS][i % 3]]}."
            )
        train_round(one.project)
        yield one


def right(page: Page, selector: str) -> str:
    text = page.locator(selector).inner_text()
    return next(name for name, words in WORDS.items() if words.split()[0] in text)


def test_a_newcomer_practises_sets_a_goal_and_answers_with_remarks_and_in_bulk(
    visit: Visits, site: RunningSite
) -> None:
    page = visit(site, "ann", "/label")
    expect(page).to_have_url(f"{site.url}/tour")
    assert not complaints(page)
    for turn in range(3):
        said = right(page, "#content") if turn else next(n for n in WORDS if n != right(page, "#content"))
        page.keyboard.press(str(1 + [*WORDS].index(said)))
        expect(page.locator("#told")).to_be_visible()
        expect(page.locator("#told-title")).to_have_text(
            "That is right." if turn else f"Not quite. The right answer is: {right(page, '#content')}."
        )
        expect(page.locator("#why")).to_contain_text("It says")
        page.keyboard.press("Enter")
        expect(page.locator("#told")).to_be_visible(visible=turn == 2)
    expect(page.locator("#told-title")).to_have_text("You have passed: 2 of 3 right.")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.url}/label")
    settled(page)

    # A goal of the day, proposed and then one's own.
    expect(page.locator("#goal")).to_have_text("0 of 20 today")
    page.locator("#goal").click()
    page.locator("#goal-number").fill("2")
    page.keyboard.press("Enter")
    expect(page.locator("#goal")).to_have_text("0 of 2 today")

    # A note and a flag go with the next answer, and with it alone.
    first = text_of(page)
    page.keyboard.press("f")
    page.keyboard.press("n")
    page.keyboard.type("half a 1 fish?")
    page.keyboard.press("Enter")
    expect(page.locator("#remark")).to_have_attribute("aria-pressed", "true")
    assert not complaints(page)
    page.keyboard.press("1")
    expect(page.locator("#remark")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#goal")).to_have_text("1 of 2 today")
    page.keyboard.press("2")
    lead = visit(site, "jude", "/browse?only=flagged")
    expect(lead.locator(".find")).to_have_count(1)
    assert first.strip() in lead.locator(".find").inner_text()
    lead.locator(".find a").first.click()
    expect(lead.locator(".votes")).to_contain_text("⚑ flagged, “half a 1 fish?”")

    # Twelve at once but one, which comes by itself, and one of another class.
    page.goto("/bulk")
    settled(page)
    expect(page.locator(".tile")).to_have_count(12)
    assert not complaints(page)
    label = right(page, ".tile >> nth=0")
    other = next(name for name in WORDS if name != label)
    expect(page.locator("#title")).to_have_text(f"Are all of these {label}?")
    left_out, own = (page.locator(".tile .words").nth(place).inner_text() for place in (2, 4))
    page.keyboard.press("3")
    expect(page.locator("#one-content")).to_have_text(left_out)
    assert not complaints(page)
    page.keyboard.press("Enter")
    page.locator(".tile").nth(4).click()
    page.locator("#one-classes").get_by_role("button", name=other).click()
    page.keyboard.press("6")
    page.keyboard.press(str(1 + [*WORDS].index(other)))
    page.keyboard.press("6")
    page.keyboard.press(str(1 + [*WORDS].index(label)))  # it is of the class after all
    expect(page.locator("#all")).to_contain_text(f"10 are {label}, 1 of another class, 1 left out")
    assert not complaints(page)
    page.locator("#title").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#count")).to_have_text("11 answered here")
    assert len(site.project.seen_in_bulk()) == 10
    with site.browser("ann") as ann:
        said = ann.get("/api/v1/answers?limit=20").json()
    assert [one["label"] for one in said if one["content"]["text"] == own] == [other]
    waiting = {lease.content["text"] for lease in site.project.lease(site.people["ann"], 40)}
    assert left_out in waiting

    expect(visit(site, "jude", "/people").locator("#people")).to_contain_text("passed, 2 of 3 right")


@pytest.mark.parametrize("window", WINDOWS)
def test_the_pages_fit_every_window(visit: Visits, site: RunningSite, window: str) -> None:
    for who, path, box in (("jude", "/bulk", "#grid"), ("bob", "/bulk", "#ask")):  # he has to practise first
        page = visit(site, who, path, **WINDOWS[window])
        expect(page.locator(box)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert not complaints(page)
