"""Several questions about one example on one page: by the keyboard alone, offline, and who is asked which."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from test_web_access import complaints
from test_web_workspace import House, served
from web_browser import WINDOWS, Visits, eventually, text_of
from web_site import PATIENCE

from activelab.project import Project, Settings, create_project, open_project
from activelab.project.files.export import table_of
from activelab.project.questions import add_question
from activelab.project.store import accounts
from activelab.project.workspace import Workspace

MOOD = {"classes": ("good", "so-so", "bad"), "title": "Mood", "guidelines": "Read *all* of it."}
STARS = {"question": "ordinal", "classes": tuple("12345"), "title": "Stars", "guidelines": "Of five."}
TOPICS = {"question": "multilabel", "classes": ("price", "speed", "taste"), "title": "Topics"}
NAMES = ("mood", "stars", "topics")
PEOPLE = {"ann": NAMES, "cat": NAMES, "dan": NAMES, "bob": ("mood", "topics"), "eve": ("stars",)}
"""Who is in which project."""


class Rubric(House):
    """A workspace with three questions about the same examples, on a server."""

    def __init__(self, house: House) -> None:
        super().__init__(house.workspace, house.url, house.app)
        self.state, self.losses = house.app.state.site, house.app.state.losses
        self.projects = {name: open_project(self.workspace.place_of(name)) for name in NAMES}

    def cookies(self, name: str) -> dict[str, str]:
        account = self.workspace.people.database.read(lambda c: accounts.find_account(c, name=name))
        assert account is not None
        return {self.state.cookie: self.state.sign(account, f"nonce of {name}")}

    def browser(self, name: str) -> httpx.Client:
        token = {"X-CSRF-Token": self.state.csrf(f"nonce of {name}")}
        self.clients.append(
            httpx.Client(base_url=self.url, headers=token, cookies=self.cookies(name), timeout=PATIENCE)
        )
        return self.clients[-1]

    def given(self, who: str) -> dict[str, list[tuple[str, Any]]]:
        """The answers of somebody that stand, by question, in their order."""
        return {name: answers_of(one, who) for name, one in self.projects.items()}


def answers_of(project: Project, who: str) -> list[tuple[str, Any]]:
    """Examples, and the labels somebody gave to them, or the kind of another answer."""
    table = table_of(project, "events")[0].to_pylist()
    undone = {row["undoes"] for row in table}
    return [
        (row["example"], row["label"] if row["kind"] == "label" else row["kind"])
        for row in table
        if row["annotator"] == who and row["id"] not in undone and row["kind"] != "undo"
    ]


@contextmanager
def rubric(home: Path, n: int = 120) -> Iterator[Rubric]:
    with create_project(home / "mood.db", Settings(method="activelab", **MOOD)) as lead:
        lead.add_examples((f"e{i}", {"text": f"review {i}"}) for i in range(n))
        add_question(lead, STARS, home / "stars.db", name="stars").close()
        add_question(lead, TOPICS, home / "topics.db", name="topics").close()
    with Workspace(home) as workspace:
        for name, projects in {**PEOPLE, "ada": NAMES}.items():
            workspace.people.database.write(
                lambda c, name=name: accounts.add_annotator(
                    c, name, time.time(), role="admin" if name == "ada" else "annotator"
                )
            )
            person = workspace.people.database.read(lambda c, name=name: accounts.find_account(c, name=name))
            for one in projects:
                workspace.enter(one, person, "admin" if name == "ada" else "annotator")
    with served(home, "") as house:
        one = Rubric(house)
        yield one
        for project in one.projects.values():
            project.close()
        for client in one.clients:
            client.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with rubric(tmp_path_factory.mktemp("rubric")) as one:
        yield one


@pytest.fixture
def fresh(tmp_path):
    """Of which nobody holds an example."""
    with rubric(tmp_path) as one:
        yield one


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def on(page: Page, title: str) -> None:
    """Wait until it is the turn of a question."""
    expect(page.locator(".question.on")).to_have_attribute("class", "question on")
    expect(page.locator(".question.on > .row h2")).to_have_text(title)


def stored(page: Page, site: Rubric, wanted: dict[str, list[tuple[str, Any]]], who: str = "ann") -> None:
    eventually(lambda: site.given(who) == wanted, page)


@pytest.mark.slow
def test_by_the_keyboard_alone(site: Rubric, visit: Visits):
    page = visit(site, "ann", "/p/stars/label", **WINDOWS["dark"])
    assert page.url.endswith("/p/mood/label")
    first = f"e{text_of(page).split()[-1]}"
    expect(page.locator(".question > .row h2")).to_have_text(["Mood", "Stars", "Topics"])
    assert complaints(page) == []
    on(page, "Mood")
    press(page, "3")
    on(page, "Stars")
    expect(page.locator("#heard")).to_have_text("Mood: bad. Next: Stars")
    press(page, "ArrowRight", "ArrowRight", "Enter")
    on(page, "Topics")
    assert complaints(page) == []
    press(page, "1", "3", "u")  # what is ticked stays while the answer before is taken back
    on(page, "Stars")
    press(page, "c")
    on(page, "Topics")
    press(page, "Enter")
    expect(page.locator("#example")).not_to_have_text(f"review {first[1:]}")
    second = f"e{text_of(page).split()[-1]}"
    on(page, "Mood")
    wanted = {"mood": [(first, "bad")], "stars": [(first, "unsure")], "topics": [(first, ["price", "taste"])]}
    stored(page, site, wanted)
    # Tab goes from question to question, and the keys go with it.
    page.locator(".question").nth(1).get_by_role("radio", name="1, lowest").focus()
    on(page, "Stars")
    press(page, "4")
    on(page, "Mood")
    press(page, "s", "1")
    expect(page.locator("#example")).not_to_have_text(f"review {second[1:]}")
    wanted["stars"].append((second, "4"))
    skipped = {name: [*said, (second, "skip")] for name, said in wanted.items() if name != "stars"}
    stored(page, site, wanted | skipped)
    press(page, "u")  # what was passed over in one go comes back in one go
    expect(page.locator("#example")).to_have_text(f"review {second[1:]}")
    stored(page, site, wanted)
    on(page, "Mood")
    expect(page.locator(".question").nth(1).locator(".told")).to_have_text("4")
    press(page, "1", "0")
    expect(page.locator("#example")).not_to_have_text(f"review {second[1:]}")
    # One's own answers, to all questions.
    expect(page.locator("#strip li")).to_have_count(6)
    page.locator("#strip button", has_text="Stars: 4").click()
    page.get_by_role("dialog").get_by_role("radio", name="2").click()
    wanted["mood"].append((second, "good"))
    wanted["topics"].append((second, []))
    wanted["stars"][1] = (second, "2")
    stored(page, site, wanted)
    expect(page.locator("#count")).to_have_text("5 by you")
    press(page, "g")
    expect(page.locator("#guidelines-text h3")).to_have_text(["Mood", "Stars"])


@pytest.mark.slow
def test_the_network_goes_in_the_middle(site: Rubric, visit: Visits):
    visit.expected = "ERR_INTERNET_DISCONNECTED|503"
    page = visit(site, "cat", "/p/mood/label", **WINDOWS["phone"])
    shown = [text_of(page)]
    assert complaints(page) == []
    site.losses.append("/answer")  # stored, but nobody hears of it
    press(page, "1")
    on(page, "Stars")
    eventually(lambda: not site.losses, page)
    page.context.set_offline(True)
    press(page, "5")
    on(page, "Topics")
    press(page, "2", "Enter")
    on(page, "Mood")
    shown.append(text_of(page))
    press(page, "2")
    on(page, "Stars")
    expect(page.locator("#unsent")).to_contain_text("answers are kept here")
    page.context.set_offline(False)
    first, second = (f"e{one.split()[-1]}" for one in shown)
    wanted = {
        "mood": [(first, "good"), (second, "so-so")],
        "stars": [(first, "5")],
        "topics": [(first, ["speed"])],
    }
    stored(page, site, wanted, "cat")
    expect(page.locator("#banner")).to_be_hidden()
    page.reload()  # what is left of the example comes first
    expect(page.locator("#example")).to_have_text(shown[1])
    on(page, "Stars")
    expect(page.locator(".question:visible > .row h2")).to_have_text(["Stars", "Topics"])
    press(page, "3", "0")
    wanted["stars"].append((second, "3"))
    wanted["topics"].append((second, []))
    stored(page, site, wanted, "cat")


@pytest.mark.slow
def test_what_is_answered_while_more_comes_is_asked_once(site: Rubric, visit: Visits):
    page = visit(site, "dan", "/p/mood/label")
    held = list[Any]()
    page.route("**/leases/together", lambda route: held.append((route, route.fetch())))
    first = text_of(page)
    for key, title in (("1", "Mood"), ("4", "Stars"), ("0", "Topics")):
        on(page, title)
        press(page, key)
    expect(page.locator("#example")).not_to_have_text(first)
    second = text_of(page)
    eventually(lambda: bool(held), page)  # what comes knows no answer to the second example
    press(page, "1")
    on(page, "Stars")
    press(page, "4")
    on(page, "Topics")
    eventually(lambda: len(site.given("dan")["stars"]) == 2, page)
    expect(page.locator("#unsent")).to_be_hidden()
    route, response = held[0]
    with page.expect_response("**/leases/together"):
        route.fulfill(response=response)
    press(page, "0")
    expect(page.locator("#example")).not_to_have_text(second)
    eventually(lambda: len(site.given("dan")["topics"]) == 2, page)


@pytest.mark.slow
def test_what_is_taken_back_on_its_way_is_asked_as_the_question_it_was(fresh: Rubric, visit: Visits):
    page = visit(fresh, "dan", "/p/mood/label")
    first, held = text_of(page), list[Any]()
    press(page, "1")
    on(page, "Stars")
    eventually(lambda: fresh.given("dan")["mood"], page)
    page.route("**/answer", lambda route: route.continue_() if held else held.append((route, route.fetch())))
    press(page, "4")
    on(page, "Topics")
    eventually(lambda: bool(held), page)  # stored, but the page has not heard of it
    press(page, "u")
    on(page, "Stars")
    route, response = held[0]
    with page.expect_response("**/undo"):
        route.fulfill(response=response)
    eventually(lambda: not fresh.given("dan")["stars"], page)
    press(page, "3")
    on(page, "Topics")
    press(page, "0")
    expect(page.locator("#example")).not_to_have_text(first)
    eventually(lambda: fresh.given("dan")["stars"] == [(f"e{first.split()[-1]}", "3")], page)


@pytest.mark.slow
def test_who_is_not_in_a_project_is_not_asked_its_question(site: Rubric, visit: Visits):
    page = visit(site, "bob", "/p/mood/label")
    text_of(page)
    expect(page.locator(".question > .row h2")).to_have_text(["Mood", "Topics"])
    page = visit(site, "eve", "/p/stars/label")
    text_of(page)
    assert page.url.endswith("/p/stars/label")
    expect(page.locator("#classes").get_by_role("radio")).to_have_count(5)
    page = visit(site, "ada", "/p/topics/dashboard")
    links = page.get_by_role("navigation", name="Questions about these examples").get_by_role("link")
    expect(links).to_have_text(["Mood", "Stars", "Topics"])
    bob = site.browser("bob")
    items = bob.post("/p/mood/api/v1/leases/together", json={"count": 2}).json()["items"]
    assert [one["question"] for one in items] == ["mood", "topics"] * 2
    address = f"/p/stars/api/v1/leases/{items[0]['lease']}/answer"
    assert bob.post(address, json={"kind": "label", "label": "1"}).status_code == 401


@pytest.mark.slow
def test_a_question_made_on_the_page_is_asked_of_those_who_are_there(fresh: Rubric, visit: Visits):
    page = visit(fresh, "ada", "/")
    page.get_by_label("Title").fill("Tone")
    page.get_by_label("About the examples of").select_option("Mood")
    expect(page.get_by_label("Settings of")).to_be_hidden()
    page.get_by_label("Classes").fill("kind\nrude")
    assert complaints(page) == []
    page.get_by_role("button", name="Make it").click()
    page.wait_for_url("**/p/tone/dashboard")
    ada = fresh.browser("ada")
    with open_project(fresh.workspace.place_of("tone")) as tone:
        assert (tone.num_examples, tone.ties.about) == (120, "mood")
        members = {one.name: one.role for one in tone.database.read(accounts.list_accounts)}
        assert members == {
            "ann": "annotator",
            "bob": "annotator",
            "cat": "annotator",
            "dan": "annotator",
            "ada": "admin",
        }
    reply = ada.post("/api/v1/projects", json={"name": "x", "title": "X", "about": "tone", "classes": ["a"]})
    assert (reply.status_code, "name that one" in reply.json()["message"]) == (422, True)
    # Who joins the project joins its questions.
    invite = ada.post("/p/mood/api/v1/invites", json={"name": "zoe"}).json()["link"]
    zoe = fresh.join(invite, "zoe", "/p/mood")

    def asked() -> list[str]:
        items = zoe.post("/p/mood/api/v1/leases/together", json={}).json()["items"]
        return [one["question"] for one in items]

    eventually(lambda: asked() == [*NAMES, "tone"], page)
    ada.patch("/api/v1/projects/tone", json={"archived": True})
    eventually(lambda: asked() == [*NAMES], page)
