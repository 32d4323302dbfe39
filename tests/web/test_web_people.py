"""What a lead does with people: invite many, write, have them practise again, end sessions, remove."""

from __future__ import annotations

import csv
import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from test_web_access import complaints
from web_browser import Visits, eventually, settled, text_of
from web_site import PASSWORD, RunningSite, running

pytestmark = pytest.mark.slow

WORDS = {"cat": "purring fur whiskers", "dog": "barking leash bone", "eel": "river slippery fish"}


@pytest.fixture
def site(tmp_path):
    contents = [{"text": f"{WORDS[name]} number {i}"} for i in range(10) for name in WORDS]
    options: dict[str, Any] = {"pass_mark": 0.5}
    with running(tmp_path / "p.db", contents=contents, **options) as one:
        yield one


def look(page: Page) -> None:
    """Have a page see now what has changed, as it does by itself every twenty seconds."""
    page.evaluate("dispatchEvent(new Event('online'))")


def people_of(page: Page) -> str:
    """The table of people, loaded again; the server counts anew every few seconds."""
    page.reload()
    settled(page)
    return page.locator("#people").inner_text()


def test_a_lead_writes_to_people_and_has_one_practise_again(site: RunningSite, visit: Visits):
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
    page.keyboard.press("2")
    look(page)
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
    expect(lead.locator("#notes")).to_contain_text("no example has a known answer")
    site.project.set_gold({"e0": "cat", "e3": "cat"})
    lead.get_by_role("button", name="Have them practise again").click()
    expect(lead.locator("#person-facts")).to_contain_text("practising: 0 of 2 answered")
    with site.browser("bob") as bob:
        assert [one["by"] for one in bob.get("/api/v1/messages").json()] == ["jude"]
    text_of(page)
    page.keyboard.press("3")
    look(page)
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
    eventually(lambda: "passed, 2 of 2 right" in people_of(lead), lead)
    assert site.project.labels().n_labels == 3


def test_who_decides_resets_the_password_of_who_labels_and_of_nobody_else(site: RunningSite):
    with site.browser("jude") as jude, site.browser("ada") as ada:
        for name, status in (("ann", 201), ("ada", 403), ("jude", 409)):
            reply = jude.post(f"/api/v1/annotators/{site.people[name]}/reset")
            assert reply.status_code == status, reply.text
        ada.patch(f"/api/v1/annotators/{site.people['bob']}", json={"role": "adjudicator"})
        assert jude.post(f"/api/v1/annotators/{site.people['bob']}/reset").status_code == 403


PEOPLE = """name;role;e-mail
Zoë Å;;zoe@example.org
lea;Adjudicator;=HYPERLINK("x")

lea;annotator;
ann;annotator;ann@example.org
Jude;annotator;
max;boss;
\u200bmax;;
"""


def test_many_people_are_invited_from_a_list(site: RunningSite, visit: Visits):
    page = visit(site, "ada", "/team")
    page.get_by_label("Choose a file").set_input_files(
        {"name": "people.csv", "mimeType": "text/csv", "buffer": PEOPLE.encode("utf-8-sig")}
    )
    expect(page.locator("#roster-told")).to_contain_text("5 of 7 lines cannot be used yet")
    rows = [row.split("\t") for row in page.locator("#roster-list").inner_text().split("\n") if "\t" in row]
    said = {int(line): problem for line, _, _, problem in rows[1:]}
    assert (said[2], said[3]) == ("Ready", "Ready")
    for line, words in ((5, "line 3"), (6, "already"), (7, "'jude'"), (8, "no role"), (9, "invisible")):
        assert words in said[line], said
    expect(page.locator("#roster-go")).to_be_hidden()
    assert not complaints(page)
    page.get_by_label("A line each").fill("\n".join(PEOPLE.splitlines()[:3]))
    page.get_by_role("button", name="Look at the list").click()
    page.get_by_role("button", name="Invite 2 people").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download names and links").click()
    expect(page.get_by_role("button", name="Copy the link of lea")).to_be_visible()
    assert not complaints(page)
    header, *lines = [*csv.reader(download.value.path().read_text(encoding="utf-8").splitlines())]
    assert header == ["name", "role", "e-mail", "link"]
    assert [line[:3] for line in lines] == [
        ["Zoë Å", "annotator", "zoe@example.org"],
        ["lea", "adjudicator", '\'=HYPERLINK("x")'],
    ]
    # The name stands on the page of the invitation, and is the only one that may use it.
    guest = visit(site, None, lines[0][3])
    expect(guest.get_by_label("Name")).to_have_value("Zoë Å")
    guest.get_by_label("Password").fill(PASSWORD)
    guest.keyboard.press("Enter")
    expect(guest).to_have_url(f"{site.url}/label")
    with site.browser("ada") as ada:
        assert "e-mail" not in ada.get("/api/v1/invites").text
        reply = ada.post("/api/v1/invites/several", json={"text": "max\nann", "url": site.url})
        assert (reply.status_code, "line 2" in reply.text) == (422, True)
        assert [one["name"] for one in ada.get("/api/v1/invites").json()] == ["lea", "Zoë Å"]
        again = ada.post("/api/v1/invites/preview", json={"text": "lea"}).json()["people"]
        assert [one["note"] for one in again] == ["the link made before ends"]


def test_a_person_sees_what_is_stored_and_is_removed(site: RunningSite, visit: Visits):
    site.project.add_labels([("e9", "ann", "cat"), ("e9", "bob", "dog")])
    page = visit(site, "ada", "/team")
    own = visit(site, "ann", "/account")
    with own.expect_download() as download:
        own.get_by_role("link", name="Download it").click()
    data = json.loads(download.value.path().read_text(encoding="utf-8"))
    assert (data["account"]["name"], data["answers"][0]["label"]) == ("ann", "cat")
    page.get_by_role("button", name="Remove ann").click()
    assert not complaints(page)
    visit.expected = "422|401"
    page.get_by_label("Type the name").fill("bob")
    page.get_by_role("button", name="Remove for good").click()
    expect(page.get_by_role("alert").filter(has_text="ann")).to_contain_text(
        "Type the name as it is written: ann"
    )
    page.get_by_label("Type the name").fill("ann")
    page.keyboard.press("Enter")
    expect(page.locator("#notes")).to_contain_text("removed person")
    expect(page.get_by_role("button", name="Remove ann")).to_have_count(0)
    with site.browser("bob") as bob, site.browser("ada") as ada:
        assert bob.get("/api/v1/me").status_code == 200
        assert [one["removed"] for one in ada.get("/api/v1/annotators").json()].count(True) == 1
        own.goto("/label")
        expect(own).to_have_url(re.compile("/login"))
        address = f"/api/v1/annotators/{site.people['bob']}"
        done = ada.request("DELETE", address, json={"confirm": "bob", "answers": True}).json()
        assert done["answers"] == 1
        assert ada.patch(address, json={"disabled": False}).status_code == 422
        ada_ = f"/api/v1/annotators/{site.people['ada']}"
        assert ada.request("DELETE", ada_, json={"confirm": "ada"}).status_code == 422
    assert site.project.labels().n_labels == 1
