"""What a lead does with people: invite many, write, have them practise again, end sessions, remove."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect
from test_web_access import complaints
from web_browser import Visits, eventually, settled, text_of
from web_site import RunningSite, running

pytestmark = pytest.mark.slow

WORDS = {"cat": "purring fur whiskers", "dog": "barking leash bone", "eel": "river slippery fish"}


@pytest.fixture
def site(tmp_path):
    contents = [{"text": f"{WORDS[name]} number {i}"} for i in range(10) for name in WORDS]
    options: dict[str, Any] = {"pass_mark": 0.5}
    with running(tmp_path / "p.db", contents=contents, **options) as one:
        yield one


def test_a_lead_writes_to_people_and_has_one_practise_again(visit: Visits, site: RunningSite):
    page, lead = visit(site, "ann", "/label"), visit(site, "jude", "/people")
    text_of(page)
    page.keyboard.press("1")
    eventually(lambda: site.project.labels().n_labels == 1, page)
    lead.get_by_label("Choose ann to write to").check()
    lead.get_by_label("Choose bob to write to").check()
    lead.get_by_role("button", name="Write to 2 people").click()
    lead.keyboard.type("Please read the part about eels.\n<b>Thank you</b>")
    assert not complaints(lead)
    lead.get_by_role("button", name="Send").click()
    expect(lead.locator("#notes")).to_contain_text("Sent to 2 people")
    page.keyboard.press("2")  # the page hears of it when it reads how far the work is
    expect(page.locator(".message")).to_contain_text("<b>Thank you</b>")
    expect(page.locator(".message")).to_contain_text("jude")
    assert not complaints(page)
    page.get_by_role("button", name="I have read it").press("Enter")
    expect(page.locator(".message")).to_have_count(0)
    page.reload()
    settled(page)
    expect(page.locator(".message")).to_have_count(0)

    # Nothing to practise on is said, with what to do; then the page goes where the practice is.
    lead.get_by_role("button", name="ann, details").click()
    expect(lead.locator("#written")).to_contain_text("· read ")
    lead.get_by_role("button", name="Have them practise again").click()
    visit.expected = "422"
    expect(lead.locator("#notes")).to_contain_text("activelab import --gold")
    site.project.set_gold({"e0": "cat", "e3": "cat"})
    lead.get_by_role("button", name="Have them practise again").click()
    expect(lead.locator("#person-facts")).to_contain_text("practising: 0 of 2 answered")
    with site.browser("bob") as bob:
        assert [one["by"] for one in bob.get("/api/v1/messages").json()] == ["jude"]
    text_of(page)
    page.keyboard.press("3")
    expect(page).to_have_url(f"{site.url}/tour")
    settled(page)
    expect(page.locator("#once-more")).to_be_visible()
    assert not complaints(page)
    for _ in range(2):
        expect(page.locator("#content")).to_contain_text("purring")
        page.keyboard.press("1")
        expect(page.locator("#told")).to_be_visible()
        page.keyboard.press("Enter")
    expect(page.locator("#told-title")).to_have_text("You have passed: 2 of 2 right.")
    lead.reload()
    settled(lead)
    expect(lead.locator("#people")).to_contain_text("passed, 2 of 2 right")
    assert site.project.labels().n_labels == 3


def test_who_decides_resets_the_password_of_who_labels_and_of_nobody_else(site: RunningSite):
    with site.browser("jude") as jude, site.browser("ada") as ada:
        for name, status in (("ann", 201), ("ada", 403), ("jude", 409)):
            reply = jude.post(f"/api/v1/annotators/{site.people[name]}/reset")
            assert reply.status_code == status, reply.text
        ada.patch(f"/api/v1/annotators/{site.people['bob']}", json={"role": "adjudicator"})
        assert jude.post(f"/api/v1/annotators/{site.people['bob']}/reset").status_code == 403
